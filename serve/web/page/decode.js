// What build.py bundles: the readers and the packages that they lean on.

export { readFiles, slicesOf } from "./files.js";
export { looksTurned, mayBeTurned, turnedViews, viewOf } from "./view.js";
