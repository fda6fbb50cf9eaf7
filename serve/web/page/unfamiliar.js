// What is said of a scan that passes for brain MRI, but is unlike what the model was trained on: the
// twin of serve/unfamiliar.py.

import { binOf, meaning } from "./record.js";

const UNFAMILIAR = "It is unlike the scans that this model was trained on";

/** The warning: what such a confidence has meant is quoted of other hospitals' scans. */
export function unfamiliar(confidence, record) {
  const found = meaning(binOf(record.hospitals ?? [], confidence), "hospitals");
  if (!found) return `${UNFAMILIAR}; what its confidence is worth on such scans was not measured.`;
  return `${UNFAMILIAR}. ${found}`;
}

/** A warning without what is true of a single confidence alone, as a series counts it. */
export function inShort(warning) {
  return warning.startsWith(UNFAMILIAR) ? `${UNFAMILIAR}.` : warning;
}

/** Whether an answer has the warning; what own patients' confidences meant is no help then. */
export function isUnfamiliar(warnings) {
  return warnings.some((one) => one.startsWith(UNFAMILIAR));
}
