// Several files: a card for each, as serve/app/cards.py makes them.

import { SHEET, column, escaped, heading, percent, seriesHeading, seriesNote } from "./answers.js";
import { table } from "./table.js";
import { shownFirst } from "./viewers.js";

/** HTML; `addressOf` makes an address of a blob. */
export function cards(words, results, addressOf) {
  const kinds = results.map(kindOf);
  const answered = kinds.filter((kind) => kind !== "failed").length;
  const items = results.map((one, number) => card(words, one, kinds[number], number, addressOf));
  return (
    `<section class="files">${filter(words, kinds)}${words.allMaps}` +
    `${answered < words.fewest ? "" : words.comparing}<ul class="cards">${items.join("")}</ul>` +
    `${table(words, results)}</section>`
  );
}

function kindOf({ error, kind, slices }) {
  if (error) return "failed";
  if (slices.length > 1) return kind === SHEET ? SHEET : "series";
  if (slices[0].label === null) return "refused";
  return slices[0].unsure ? "unsure" : slices[0].label;
}

function card(words, one, kind, number, addressOf) {
  const { title, note, slice } = faceOf(words, one, kind);
  const picture = slice ? stack(words, slice, addressOf) : '<span class="stack empty"></span>';
  const face =
    `${picture}<span class="name">${escaped(one.name)}</span>` +
    `<strong>${escaped(title)}</strong><span class="note">${escaped(note)}</span>`;
  const inner =
    kind === "failed"
      ? `<div class="card-face">${face}</div>`
      : `<button type="button" class="card-face" data-card="${number}">${face}</button>` +
        `<label class="switch"><input type="checkbox" name="compare" value="${number}">` +
        `<span>Compare<span class="unspoken"> ${escaped(one.name)}</span></span></label>`;
  return `<li class="${kind}" data-kind="${kind}">${inner}</li>`;
}

/** The scan, and the map of every class over it. */
function stack(words, { scan, heats, label: answer }, addressOf) {
  const layers = Object.entries(heats).map(([label, heat]) => {
    const likeliest = label === shownFirst(words, answer) ? ' data-likeliest=""' : "";
    return (
      `<img class="heat" data-class="${label}"${likeliest} alt="" hidden src="${addressOf(heat)}">`
    );
  });
  return `<span class="stack"><img src="${addressOf(scan)}" alt="">${layers.join("")}</span>`;
}

function faceOf(words, one, kind) {
  if (kind === "failed") return { title: words.kinds.failed, note: one.error };
  if (kind === "series" || kind === SHEET) {
    const share = one.tumour === null ? "" : `; any tumour ${percent(one.tumour)}`;
    const index = one.suspicious[0];
    const found = one.slices.find((slice) => slice.index === index);
    const slice = found ?? one.slices[Math.floor(one.slices.length / 2)];
    return { title: seriesHeading(words, one), note: seriesNote(one) + share, slice };
  }
  const [slice] = one.slices;
  const sure = slice.label === null ? [] : [`${percent(slice.confidence)} confidence`];
  const note = [...sure, ...slice.warnings].join(". ");
  return { title: heading(words, slice), note, slice };
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
