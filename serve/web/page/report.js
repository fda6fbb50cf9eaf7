// One page that holds everything, a card a scan or series, as serve/html_report.py writes it.

import { answer, failure, refusal, seriesAnswer } from "./answers.js";
import { shownFirst } from "./viewers.js";

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** The page's HTML. */
export async function reportOf(words, { record, oodThreshold }, results) {
  const parts = [];
  for (const one of results) parts.push(await card(words, record, oodThreshold, one));
  return (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">' +
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${words.title}: report</title><style>${words.reportStyle}</style></head>` +
    `<h1>${words.title}: report</h1>${words.disclaimer}${parts.join("\n")}` +
    `<footer>${words.disclaimer}</footer></html>\n`
  );
}

async function card(words, record, threshold, one) {
  if (one.error) return `<section class="card failed">${failure(one.name, one.error)}</section>`;
  const several = one.slices.length > 1;
  const [first] = one.slices;
  const chosen = several ? slicesShown(one) : [first];
  let pictures = "";
  for (const slice of chosen) pictures += await pictureOf(words, slice, several);
  const scan = { ...first, name: one.name, warnings: one.warnings };
  const said = several
    ? seriesAnswer(words, one)
    : first.label === null
      ? refusal(words, scan, threshold)
      : answer(words, record, scan);
  const look = several ? "" : first.label === null ? "refused" : first.unsure ? "unsure" : "";
  return `<section class="card ${look}"><div class="pictures">${pictures}</div>${said}</section>`;
}

function slicesShown({ slices, suspicious }) {
  const found = slices.filter((one) => suspicious.includes(one.index));
  return found.length ? found : [slices[Math.floor(slices.length / 2)]];
}

async function pictureOf(words, { index, scan, heats, label, crop }, several) {
  const caption = several ? `Slice ${index}` : crop ? words.framed : words.scan;
  const plain = await drawn(scan);
  const heat = heats[shownFirst(words, label)];
  const map = heat ? figure(await drawn(scan, heat), "What speaks for the class that is named") : "";
  return figure(plain, caption) + map;
}

function figure(url, caption) {
  return `<figure><img src="${url}" alt="${caption}"><figcaption>${caption}</figcaption></figure>`;
}

/** The scan, and a map over it, as an address that holds the picture. */
async function drawn(scan, heat) {
  const picture = await createImageBitmap(scan);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (heat) {
    context.globalAlpha = 0.6;
    context.drawImage(await createImageBitmap(heat), 0, 0, canvas.width, canvas.height);
  }
  return canvas.toDataURL("image/jpeg", 0.9);
}
