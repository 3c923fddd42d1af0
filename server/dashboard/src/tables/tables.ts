// The second file of the page: what only tables need. It is loaded when the first of these parts is shown.
export { DataFile } from "./upload/data-file";
export { DataFile } from "../new/data-file";
export { Results } from "../results/results";
