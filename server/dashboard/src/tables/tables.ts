// The second file of the page: what tables and images need, and what is rarely opened. It is loaded when the first of these parts is shown.

export { Confusion } from "../images/confusion";
export { ImageStage } from "../images/stage";
export { NodeTable } from "../nodes/table";
export { Results } from "../results/results";
export { TableQuality } from "../results/table-quality";
export { DataFile } from "./upload/data-file";
