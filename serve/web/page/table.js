// Several files: the table on the page, and the same as CSV, as serve/app/table.py makes them.

import { SHEET, column, escaped, heading, percent, seriesHeading } from "./answers.js";

const NONE = "none";
const FORMULA = /^[=+\-@\t\r']/;
const BOM = "\ufeff"; // so that spreadsheets take it for UTF-8

/** HTML: a link that saves the rows as CSV, and the rows. */
export function table(words, results) {
  const labels = Object.keys(words.classes);
  const columns = ["File", "Class", "Confidence", ...labels.map((label) => column(words, label))];
  const head = columns.map((name) => `<th scope="col">${name}</th>`).join("");
  const rows = results.flatMap(partsOf).map((one) => row(words, labels, one));
  const link = encodeURIComponent(BOM + csv(words, results));
  return (
    `<p class="downloads"><a download="answers.csv" href="data:text/csv;charset=utf-8,${link}">` +
    'Download as CSV</a><button type="button" class="report">Save the report (HTML)</button></p>' +
    "<details><summary>The same as a table</summary>" +
    '<div class="scroll" tabindex="0" role="region" aria-label="Answers">' +
    `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div></details>`
  );
}

/** Every file, and every panel of a sheet: a line each. */
export function csv(words, results) {
  const labels = Object.keys(words.classes);
  const lines = results.flatMap(partsOf).map((one) => {
    const known = one.slice?.label ? [one.slice.label, ...shares(labels, one.slice, sixDigits)] : [];
    const blank = new Array(2 + labels.length - known.length).fill("");
    return [harmless(one.name), ...known, ...blank, harmless(noteOf(words, one))];
  });
  return [["file", "class", "confidence", ...labels, "note"], ...lines]
    .map((cells) => `${cells.map(quoted).join(",")}\r\n`)
    .join("");
}

/** What has a line: {name, error}, {name, series} or {name, slice}. */
function partsOf(result) {
  const { name, error, kind, slices, warnings } = result;
  if (error) return [{ name, error }];
  if (slices.length === 1) return [{ name, slice: { ...slices[0], warnings } }];
  const panels = slices.map((slice) => ({ name: `${name}[${slice.index}]`, slice }));
  return [{ name, series: result }, ...(kind === SHEET ? panels : [])];
}

function row(words, labels, one) {
  const { name, error, series, slice } = one;
  const blank = labels.map(() => "");
  let [kind, cells] = ["failed", ["", "", ...blank]];
  if (series) [kind, cells] = ["series", [seriesHeading(words, series), "", ...blank]];
  else if (slice?.label === null) [kind, cells] = ["refused", [NONE, "", ...blank]];
  else if (slice) {
    kind = slice.unsure ? "unsure" : "";
    cells = [heading(words, slice), ...shares(labels, slice, percent)];
  }
  const said = error || series || slice.label === null || slice.warnings.length;
  const note = said ? `<p class="note">${escaped(noteOf(words, one))}</p>` : "";
  const rest = cells.map((cell) => `<td>${cell}</td>`).join("");
  return `<tr class="${kind}"><th scope="row">${escaped(name)}${note}</th>${rest}</tr>`;
}

/** The confidence, and the probability of every class. */
function shares(labels, { confidence, probabilities }, written) {
  return [confidence, ...labels.map((label) => probabilities[label])].map(written);
}

function noteOf(words, { error, series, slice }) {
  if (error) return error;
  if (series) return [summaryOf(series), ...series.warnings].join("; ");
  const odd = slice.unsure || slice.label === null;
  const [first = "", ...others] = [...(odd ? [heading(words, slice)] : []), ...slice.warnings];
  return [first.slice(0, 1).toLowerCase() + first.slice(1), ...others].join("; ");
}

/** What the slices of a series say together, in one line, as serve/outputs.py writes it. */
function summaryOf({ kind, slices, classes, tumour, run, suspicious, skipped }) {
  const counts = Object.entries(classes).map(([label, number]) => `${number} ${label}`);
  const known = Object.values(classes).reduce((sum, number) => sum + number, 0);
  if (slices.length > known) counts.push(`${slices.length - known} unlike brain MRI`);
  const said = [`${kind}, ${slices.length} slices: ${counts.join(", ") || "none"}`];
  if (tumour !== null) said.push(`any tumour ${(100 * tumour).toFixed(1)}%`);
  if (run) said.push(`suspicious from ${run[0]} to ${run[1]}`);
  if (suspicious.length) said.push(`most at ${suspicious.join(", ")}`);
  for (const [reason, number] of Object.entries(skipped)) said.push(`${number} skipped, ${reason}`);
  return said.join("; ");
}

/** A cell that no spreadsheet takes for a formula. */
function harmless(cell) {
  return FORMULA.test(cell) ? `'${cell}` : cell;
}

function quoted(cell) {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function sixDigits(share) {
  return share.toFixed(6);
}
