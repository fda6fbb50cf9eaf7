// What a confidence has meant on scans that the model never saw: the metadata's track_record.
// The twin of serve/track_record.py. A bin is [from, to, answers, right], the most confident first.

const ENOUGH = 0.8; // an answer is unsure where the share of right ones may be lower than this
const Z = 1.959964; // of a 95 % interval
const SCANS = {
  patients: "patients that this model had never seen",
  hospitals: "other hospitals' scans",
};

/** The bin that a confidence falls into, or undefined where nothing was measured. */
export function binOf(bins, confidence) {
  return bins.find(([low]) => confidence >= low);
}

/** Wilson's 95 % interval of the share that was right. */
export function interval([, , answers, right]) {
  const share = right / answers;
  const middle = share + Z ** 2 / (2 * answers);
  const reach = Z * Math.sqrt((share * (1 - share)) / answers + Z ** 2 / (4 * answers ** 2));
  const whole = 1 + Z ** 2 / answers;
  return [Math.max(0, (middle - reach) / whole), Math.min(1, (middle + reach) / whole)];
}

/** Whether answers of such a confidence may be wrong too often to stand by one class. Other
 * hospitals' scans decide where `elsewhere` is true and they were measured. */
export function isUnsure(record, confidence, elsewhere) {
  const groups = elsewhere ? [record.hospitals, record.patients] : [record.patients];
  const bin = groups.map((bins) => binOf(bins ?? [], confidence)).find(Boolean);
  return bin !== undefined && interval(bin)[0] < ENOUGH;
}

/** A sentence on one of SCANS; empty where nothing was measured. */
export function meaning(bin, group = "patients") {
  if (bin === undefined) return "";
  const [low, high, answers, right] = bin;
  const [least, most] = interval(bin).map(percent);
  const span = low ? `${percent(low)} to` : "up to";
  return (
    `Of answers this confident, ${in100(right / answers)} in 100 were right on ` +
    `${SCANS[group]} (95\u00a0% interval ${least} to ${most}; ` +
    `${answers.toLocaleString("en")} answers of ${span} ${percent(high)} confidence).`
  );
}

/** The same of other hospitals' scans. */
export function onOtherScans(bin) {
  if (bin === undefined) return "";
  const [, , answers, right] = bin;
  return `On other hospitals' scans: ${in100(right / answers)} in 100.`;
}

/** A share as a whole number of a hundred; never 100 or 0 where it is not all or none. */
function in100(share) {
  if (share <= 0 || share >= 1) return `${Math.round(share * 100)}`;
  return `${Math.min(Math.max(Math.floor(share * 100 + 0.5), 1), 99)}`;
}

/** A share as whole percents; never 0 or 100 where it is not that. */
function percent(share) {
  if (share > 0 && share < 0.005) return "under 1\u00a0%";
  if (share >= 0.995 && share < 1) return "over 99\u00a0%";
  return `${Math.round(100 * share)}\u00a0%`;
}
