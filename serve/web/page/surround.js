// What lies around the scan: the twin of serve/surround.py, which says what it does and why.
// A box is [left, top, right, bottom]; the last two are outside. A grid is {width, height, data}.

import {
  components,
  grid,
  largest,
  mapped,
  middle,
  part,
  ring,
  row,
  sideShares,
  turned,
  upended,
} from "./boxes.js";

const BLOCK = 4;
const DARK = 32;
const QUIET = 6;
const UNLIKE = 20;
const STRAIGHT = 0.92;
const EXACT = 0.965;
const ASLANT = 0.75;
const INSIDE = 0.92;
const STEP = 10;

export function page(levels, box) {
  let aslant = false;
  for (let i = 0; i < 4; i++) {
    let found = onPage(levels, box, false);
    if (found === null || found.aslant) found = onPage(levels, box, true) ?? found;
    if (found === null) break;
    box = snapped(levels, found.box);
    aslant = found.aslant;
    if (aslant) break;
  }
  return { box, aslant };
}

function onPage(levels, box, slope) {
  const { means, spreads } = blocks(levels, box);
  if (Math.min(means.width, means.height) < 4) return null;
  const around = middle(ring(means));
  const usual = middle(ring(spreads));
  if (around < DARK && usual < QUIET) return null;
  const ground = plane(means, slope);
  const most = Math.max(QUIET, Math.floor(usual / 2));
  const other = mapped(means, (mean, i) =>
    Math.abs(mean - ground.data[i]) > UNLIKE || Math.abs(spreads.data[i] - usual) > most ? 1 : 0,
  );
  const parts = components(other);
  if (!parts.length) return null;
  const {
    box: [left, top, right, bottom],
    filled,
  } = largest(parts);
  const size = other.data.length;
  const area = (right - left) * (bottom - top);
  if (!(0.03 * size < area && area < 0.97 * size)) return null;
  const far = Math.floor((right - left) / 7);
  const deep = Math.floor((bottom - top) / 7);
  const edge = middle(ring(part(means, [left + far, top + deep, right - far, bottom - deep])));
  const darker = edge < around - UNLIKE;
  if (filled < (darker ? ASLANT : STRAIGHT) * area) return null;
  const aslant = usual < QUIET && filled < EXACT * area;
  const inside = part(other, [left, top, right, bottom]);
  const columns = turned(filledRows(turned(inside)));
  const within = inscribed(mapped(filledRows(inside), (value, i) => value || columns.data[i]));
  return {
    box: [
      box[0] + BLOCK * (left + within[0]),
      box[1] + BLOCK * (top + within[1]),
      Math.min(box[2], box[0] + BLOCK * (left + within[2])),
      Math.min(box[3], box[1] + BLOCK * (top + within[3])),
    ],
    aslant,
  };
}

function filledRows(mask) {
  const full = grid(mask.width, mask.height);
  for (let y = 0; y < mask.height; y++) {
    const line = row(mask, y);
    row(full, y).fill(1, Math.max(line.indexOf(1), 0), line.lastIndexOf(1) + 1);
  }
  return full;
}

function inscribed(mask) {
  const box = [0, 0, mask.width, mask.height];
  while (box[2] - box[0] > 4 && box[3] - box[1] > 4) {
    const sides = sideShares(mask, box, (value) => value);
    const least = Math.min(...sides);
    if (least >= INSIDE) break;
    const emptiest = sides.indexOf(least);
    box[emptiest] += emptiest < 2 ? 1 : -1;
  }
  return box;
}

function plane(means, slope) {
  const { width, height } = means;
  const ground = grid(width, height);
  if (slope) {
    const down = mapped(means, (_, i) => 2 * Math.floor(i / width) - height + 1);
    const across = mapped(means, (_, i) => 2 * (i % width) - width + 1);
    const values = ring(means);
    for (const axis of [down, across]) {
      const along = ring(axis);
      const tilt =
        along.reduce((sum, place, i) => sum + place * values[i], 0) /
        along.reduce((sum, place) => sum + place ** 2, 0);
      ground.data.forEach((_, i) => (ground.data[i] += axis.data[i] * tilt));
    }
  }
  const rest = middle(ring(mapped(means, (mean, i) => mean - ground.data[i])));
  return mapped(ground, (level) => level + rest);
}

function blocks(levels, box) {
  const across = Math.floor((box[2] - box[0]) / BLOCK);
  const down = Math.floor((box[3] - box[1]) / BLOCK);
  const means = grid(across, down);
  const spreads = grid(across, down);
  for (let i = 0; i < across * down; i++) {
    const left = box[0] + BLOCK * (i % across);
    const top = box[1] + BLOCK * Math.floor(i / across);
    const cell = part(levels, [left, top, left + BLOCK, top + BLOCK]).data;
    const mean = Math.floor(cell.reduce((sum, level) => sum + level, 0) / BLOCK ** 2);
    means.data[i] = mean;
    spreads.data[i] = Math.floor(
      cell.reduce((sum, level) => sum + Math.abs(level - mean), 0) / BLOCK ** 2,
    );
  }
  return { means, spreads };
}

/** The box less what `depth` says of its left, top, right and bottom. */
function trimmed(levels, box, depth) {
  const upright = part(levels, box);
  const lying = turned(upright);
  return [
    box[0] + depth(lying),
    box[1] + depth(upright),
    box[2] - depth(upended(lying)),
    box[3] - depth(upended(upright)),
  ];
}

function snapped(levels, box) {
  return trimmed(levels, box, (one) =>
    lastLine(Math.min(BLOCK + 2, one.height) - 1, one, 1, 0.6, (step) => Math.abs(step) >= 2 * STEP),
  );
}

export function strips(levels, box) {
  for (let i = 0; i < 3; i++) {
    const before = box;
    box = trimmed(levels, box, (one) =>
      one.height < 16
        ? 0
        : lastLine(Math.floor((one.height * 2) / 5) - 2, one, 2, 0.9, (step) => step <= -STEP),
    );
    if (box.every((edge, k) => edge === before[k])) break;
  }
  return box;
}

/** Rows before the last of `count` straight lines across which enough of the steps fit; or 0. */
function lastLine(count, one, reach, enough, fits) {
  for (let y = count - 1; y >= 0; y--) {
    const [near, far] = [row(one, y), row(one, y + reach)];
    let sum = 0;
    for (let x = 0; x < one.width; x++) sum += fits(far[x] - near[x]);
    if (sum / one.width >= enough) return y + reach;
  }
  return 0;
}
