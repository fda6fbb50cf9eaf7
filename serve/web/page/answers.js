// What is said of a scan, as HTML: the twin of serve/app/html.py and volume.py. The words come
// from words.json, which build.py writes from the same Python.

import { binOf, meaning, onOtherScans } from "./record.js";
import { isSuspicious } from "./series.js";
import { isUnfamiliar } from "./unfamiliar.js";

export const SHEET = "sheet";

/** The answer for a picture: {name, label, confidence, probabilities, unsure, warnings}. */
export function answer(words, record, scan) {
  const bars = barsOf(words, scan.probabilities, words.everyClass, true);
  return (
    `<section class="answer${scan.unsure ? " unsure" : ""}">` +
    `<p class="file">${escaped(scan.name)}</p><h2>${heading(words, scan)}</h2>` +
    `<p class="confidence"><strong>${percent(scan.confidence)}</strong> confidence, calibrated</p>` +
    `${warned(scan.warnings)}${bars}` +
    `<p class="record">${whatItRestsOn(words, record, scan)}</p></section>`
  );
}

/** Why there is no class, and what to try. */
export function refusal(words, { name, oodScore, warnings }, threshold) {
  const causes = Object.entries(words.causes)
    .map(([cause, advice]) => `<li><strong>${cause}?</strong> ${capital(advice)}</li>`)
    .join("");
  return (
    '<section class="answer refused" role="alert">' +
    `<p class="file">${escaped(name)}</p><h2>${words.noMri}</h2>` +
    `${warned(warnings)}<p>${words.noMriReason}</p><p>If it is one, perhaps:</p><ul>${causes}</ul>` +
    '<p class="small">Difference from the scans that the model knows: ' +
    `${oodScore.toFixed(1)}; nearly all slices of brain MRI stay below ` +
    `${threshold.toFixed(1)}.</p></section>`
  );
}

/** What is said of one of several side by side. */
export function said(words, result) {
  const several = result.slices.length > 1;
  const [slice] = result.slices;
  const title = several ? seriesHeading(words, result) : heading(words, slice);
  const [share, named] = several ? [result.tumour, "any tumour"] : [slice.confidence, "confidence"];
  const bars = several
    ? barsOf(words, sharesOf(result), words.shares, true)
    : barsOf(words, slice.probabilities ?? {}, words.everyClass, true);
  return (
    `<h3>${escaped(title)}<span>${share === null ? "" : `, ${percent(share)} ${named}`}</span></h3>` +
    `${warned(result.warnings)}${share === null ? "" : bars}`
  );
}

/** A file that could not be read. */
export function failure(name, reason) {
  return (
    '<section class="answer failed" role="alert"><h2>This file could not be read</h2>' +
    `<p>${escaped(`${name}: ${reason}`)}</p></section>`
  );
}

/** The answer for a series: {name, kind, slices, classes, tumour, run, skipped, errors, warnings}. */
export function seriesAnswer(words, series) {
  const known = Object.values(series.classes).reduce((sum, count) => sum + count, 0);
  const unlike = series.slices.length - known;
  const leftOut = { [words.unlike]: unlike, ...series.skipped, unreadable: series.errors.length };
  const told = [`${seriesNote(series)}.`];
  if (series.tumour !== null) told.push(words.seriesMeaning);
  if (series.tumour !== null && !isSuspicious(series)) told.push(words.missed);
  for (const [reason, count] of Object.entries(leftOut)) {
    if (count) told.push(`${count} slices left out: ${reason}.`);
  }
  told.push(words.counted);
  const [look, role] = series.tumour === null ? ["refused", ' role="alert"'] : ["series", ""];
  const share =
    series.tumour === null
      ? ""
      : `<p class="confidence"><strong>${percent(series.tumour)}</strong> any tumour</p>`;
  return (
    `<section class="answer ${look}"${role}><p class="file">${escaped(series.name)}</p>` +
    `<h2>${seriesHeading(words, series)}</h2>${share}${warned(series.warnings)}` +
    `${barsOf(words, sharesOf(series), words.shares, false)}` +
    `<p class="record">${escaped(told.join(" "))}</p></section>`
  );
}

/** The share of its slices that look like each class. */
function sharesOf({ classes, slices }) {
  return Object.fromEntries(
    Object.entries(classes).map(([label, count]) => [label, count / slices.length]),
  );
}

export function seriesHeading(words, { kind, slices, tumour }) {
  if (tumour === null) return words.seriesUnknown;
  if (kind === SHEET) return words.sheet.replace("{}", slices.length);
  return isSuspicious({ tumour }) ? words.seriesSuspected : words.seriesNone;
}

export function seriesNote({ kind, slices, run }) {
  const what = `${kind}, ${slices.length} slices`;
  if (!run) return what;
  const [first, last] = run;
  return first === last
    ? `${what}; suspicious slice ${first}`
    : `${what}; suspicious slices ${first} to ${last}`;
}

/** The answer in as many words as it deserves. */
export function heading(words, { label, unsure, probabilities }) {
  if (label === null) return words.noMri;
  if (!unsure) return words.classes[label];
  const [first, second] = likeliest(probabilities).map((one) => noun(words, one));
  return `Unsure: ${first} or ${second}`;
}

/** A class within a sentence, and as a heading. */
export function noun(words, label) {
  return words.classes[label].toLowerCase().replace(/ found$/, "");
}

export function column(words, label) {
  return capital(noun(words, label));
}

export function escaped(text) {
  const signs = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
  return String(text).replace(/[&<>"']/g, (sign) => signs[sign]);
}

/** A share as the project's texts write it; never 0 or 100 where it is not that. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "under 0.1\u00a0%";
  if (share >= 0.9995 && share < 1) return "over 99.9\u00a0%";
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

function whatItRestsOn(words, record, { label, confidence, unsure, warnings }) {
  const said = [];
  if (!isUnfamiliar(warnings)) {
    said.push(meaning(binOf(record.patients ?? [], confidence)));
    said.push(onOtherScans(binOf(record.hospitals ?? [], confidence)));
  }
  if (unsure) said.push(words.unsure);
  if (label === words.healthy) said.push(words.missed);
  return said.filter(Boolean).join(" ");
}

function warned(warnings) {
  const lines = warnings.map((one) => `<li>${escaped(one)}</li>`).join("");
  return lines && `<ul class="warnings">${lines}</ul>`;
}

function barsOf(words, shares, caption, spoken) {
  const rows = likeliest(shares)
    .map(
      (label) =>
        `<tr><th scope='row'>${column(words, label)}</th>` +
        `<td class='bar' aria-hidden='true'><span style='width:${(100 * shares[label]).toFixed(2)}%'></span></td>` +
        `<td>${percent(shares[label])}</td></tr>`,
    )
    .join("");
  return (
    `<table class='bars'><caption${spoken ? " class='unspoken'" : ""}>${caption}</caption>` +
    `<tbody>${rows}</tbody></table>`
  );
}

function likeliest(shares) {
  return Object.keys(shares).toSorted((one, other) => shares[other] - shares[one]);
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
