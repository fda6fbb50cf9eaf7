// What build.py bundles: the readers and the packages that they lean on.

export { readFiles, slicesOf } from "./files.js";
export { SAMPLED } from "./planes.js";
export { panelsOf } from "./sheet.js";
export { looksTurned, mayBeTurned, turnedViews, viewOf } from "./view.js";
