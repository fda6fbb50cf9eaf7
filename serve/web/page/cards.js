// Several files: a card for each, as serve/app/cards.py makes them.

import { SHEET, column, escaped, heading, percent, seriesHeading, seriesNote } from "./answers.js";

/** HTML; `addressOf` makes an address of a blob. */
export function cards(words, results, addressOf) {
  const kinds = results.map(kindOf);
  const items = results.map((one, number) => card(words, one, kinds[number], number, addressOf));
  return (
    `<section class="files">${filter(words, kinds)}<ul class="cards">${items.join("")}</ul>` +
    '<p class="downloads"><button type="button" class="report">Save the report (HTML)</button></p>' +
    "</section>"
  );
}

function kindOf({ error, kind, slices }) {
  if (error) return "failed";
  if (slices.length > 1) return kind === SHEET ? SHEET : "series";
  if (slices[0].label === null) return "refused";
  return slices[0].unsure ? "unsure" : slices[0].label;
}

function card(words, one, kind, number, addressOf) {
  const { title, note, scan } = faceOf(words, one, kind);
  const picture = scan
    ? `<span class="stack"><img src="${addressOf(scan)}" alt=""></span>`
    : '<span class="stack empty"></span>';
  const face =
    `${picture}<span class="name">${escaped(one.name)}</span>` +
    `<strong>${escaped(title)}</strong><span class="note">${escaped(note)}</span>`;
  const inner =
    kind === "failed"
      ? `<div class="card-face">${face}</div>`
      : `<button type="button" class="card-face" data-card="${number}">${face}</button>`;
  return `<li class="${kind}" data-kind="${kind}">${inner}</li>`;
}

function faceOf(words, one, kind) {
  if (kind === "failed") return { title: words.kinds.failed, note: one.error };
  if (kind === "series" || kind === SHEET) {
    const share = one.tumour === null ? "" : `; any tumour ${percent(one.tumour)}`;
    const index = one.suspicious[0];
    const found = one.slices.find((slice) => slice.index === index);
    const { scan } = found ?? one.slices[Math.floor(one.slices.length / 2)];
    return { title: seriesHeading(words, one), note: seriesNote(one) + share, scan };
  }
  const [slice] = one.slices;
  const sure = slice.label === null ? [] : [`${percent(slice.confidence)} confidence`];
  const note = [...sure, ...slice.warnings].join(". ");
  return { title: heading(words, slice), note, scan: slice.scan };
}

function filter(words, kinds) {
  const names = { ...words.kinds };
  const labels = Object.keys(words.classes).map((label) => [label, column(words, label)]);
  const choices = [["", `All (${kinds.length})`]];
  for (const [kind, name] of [...labels, ...Object.entries(names)]) {
    const count = kinds.filter((one) => one === kind).length;
    if (count) choices.push([kind, `${name} (${count})`]);
  }
  const radios = choices.map(
    ([value, name]) =>
      `<label><input type="radio" name="filter" value="${value}"${value ? "" : " checked"}>` +
      `<span>${name}</span></label>`,
  );
  return `<fieldset class="choices filter"><legend>Show</legend>${radios.join("")}</fieldset>`;
}
