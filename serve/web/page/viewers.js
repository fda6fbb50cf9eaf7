// A scan, or a series' slices, and what they are looked at with: the app's own HTML, which build.py
// has written into words.json, filled in.

import { SHEET, escaped, heading, percent, said } from "./answers.js";
import { isSuspicious } from "./series.js";

/** HTML of the viewer of a picture or series; `addressOf` makes an address of a blob. */
export function viewer(words, result, addressOf) {
  return filled(words, words.viewers, result, addressOf);
}

/** HTML of several together, under one switch for all. */
export function together(words, results, addressOf) {
  const scans = results.map((one) => {
    const name = `<p class="file">${escaped(one.name)}</p>`;
    const refused = one.slices.length === 1 && one.slices[0].label === null;
    const scan = refused
      ? refusedPicture(one.slices[0], addressOf)
      : filled(words, words.scans, one, addressOf);
    return `<li class="compared">${name}${said(words, one)}${scan}</li>`;
  });
  return words.together.replace("{scans}", () => scans.join(""));
}

/** The picture that was refused, without any map. */
export function refusedPicture({ scan, size: [width, height] }, addressOf) {
  const picture = `src="${addressOf(scan)}" width="${width}" height="${height}"`;
  return `<figure class="refused-picture"><img ${picture} alt="The picture"></figure>`;
}

/** HTML of what a visitor frames the scan with; `frame` is the one that was drawn, or null. */
export function byHand(words, { pixels: [width, height] }, frame) {
  const filled = { width, height };
  if (frame) {
    filled.left = Math.round((100 * frame.x) / width);
    filled.top = Math.round((100 * frame.y) / height);
    filled.right = Math.round((100 * (frame.x + frame.width)) / width);
    filled.bottom = Math.round((100 * (frame.y + frame.height)) / height);
  }
  const html = frame ? words.framedByHand : words.framing;
  return html.replace(/\{(\w+)\}/g, (_, name) => filled[name]);
}

/** One of the templates, by the class whose map is shown first, with its scan and maps. */
function filled(words, templates, result, addressOf) {
  const { name, slices, suspicious } = result;
  const several = slices.length > 1;
  const pages = slices.map((one) => ({
    index: one.index,
    says: says(words, one),
    scan: addressOf(one.scan),
    caption: one.crop ? words.framed : words.scan,
    heats: Object.fromEntries(
      Object.entries(one.heats).map(([label, heat]) => [label, addressOf(heat)]),
    ),
  }));
  const at = several ? positionOf(slices, suspicious) : 0;
  const [width, height] = slices[at].size;
  let html = templates[firstOf(words, result)];
  html = html.replaceAll("{width}", width).replaceAll("{height}", height);
  html = html.replaceAll("{name}", () => escaped(name)).replaceAll("{scan}", pages[at].scan);
  for (const label of Object.keys(words.classes)) {
    html = html.replaceAll(`{${label}}`, pages[at].heats[label] ?? "");
  }
  html = html.replace("{caption}", pages[at].caption);
  return html.replace("{above}", () => (several ? along(words, result, pages, at) : ""));
}

/** The class whose map is shown first; "" none. */
export function firstOf(words, { slices, tumour, classes }) {
  return slices.length > 1 ? commonest(words, classes, tumour) : shownFirst(words, slices[0].label);
}

function along(words, { kind, slices, suspicious }, pages, at) {
  const last = slices.length - 1;
  const sheet = kind === SHEET;
  const word = sheet ? "Panel" : "Slice";
  const spoken = escaped(`${word} ${pages[at].index}: ${pages[at].says}`);
  const data = JSON.stringify(pages).replaceAll("<", "\\u003c");
  return (
    '<div class="along"><div class="slices"><p class="small">How likely each slice shows a tumour</p>' +
    `<svg class="suspicion" viewBox="0 0 ${slices.length} 100" preserveAspectRatio="none" ` +
    `aria-hidden="true">${slices.map(bar).join("")}</svg>` +
    `<input type="range" class="slice" min="0" max="${last}" value="${at}" ` +
    `aria-label="${word}" aria-valuetext="${spoken}"><p class="says">${spoken}</p></div>` +
    `${sheet ? everyPanel(words, slices, pages) : most(slices, pages, suspicious)}</div>` +
    `<script type="application/json" class="slices-data">${data}</script>`
  );
}

function bar({ tumour }, at) {
  if (tumour === null) return `<rect class="unknown" x="${at}.1" y="96" width="0.8" height="4"/>`;
  const height = Math.max(3, 100 * tumour);
  const look = isSuspicious({ tumour }) ? "suspicious" : "quiet";
  return (
    `<rect class="${look}" x="${at}.1" y="${(100 - height).toFixed(1)}" width="0.8" ` +
    `height="${height.toFixed(1)}"/>`
  );
}

function most(slices, pages, suspicious) {
  const buttons = suspicious.map((index) => {
    const at = slices.findIndex((one) => one.index === index);
    return thumbnail(at, pages[at].scan, `Slice ${index}`, percent(slices[at].tumour));
  });
  return group("Most suspicious slices", buttons);
}

function everyPanel(words, slices, pages) {
  const buttons = slices.map((one, at) =>
    thumbnail(at, pages[at].scan, `Panel ${one.index}`, heading(words, one)),
  );
  return group("All panels", buttons);
}

function thumbnail(at, picture, ...lines) {
  return (
    `<button type="button" data-slice="${at}"><img src="${picture}" alt="">` +
    `<span>${lines.join("<br>")}</span></button>`
  );
}

function group(label, buttons) {
  if (!buttons.length) return "";
  return `<div class="most" role="group" aria-label="${label}">${buttons.join("")}</div>`;
}

function says(words, slice) {
  if (slice.label === null) return words.noMri;
  return `${heading(words, slice)}, ${percent(slice.confidence)} confidence`;
}

function positionOf(slices, suspicious) {
  if (!suspicious.length) return Math.floor(slices.length / 2);
  return slices.findIndex((one) => one.index === suspicious[0]);
}

/** The class whose map is shown until the visitor chooses; "" none. */
export function shownFirst(words, label) {
  return label === null || label === words.healthy ? "" : label;
}

function commonest(words, classes, tumour) {
  if (!isSuspicious({ tumour })) return "";
  const tumours = Object.keys(classes).filter((label) => label !== words.healthy);
  return tumours.reduce((best, one) => (classes[one] > (classes[best] ?? 0) ? one : best), "");
}

