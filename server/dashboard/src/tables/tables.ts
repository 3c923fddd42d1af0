// The second file of the page: what only tables need. It is loaded when the first of these parts is shown.

export { Results } from "../results/results";
export { TableQuality } from "../results/table-quality";
export { DataFile } from "./upload/data-file";
