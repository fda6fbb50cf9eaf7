// The head in a picture: what lies around the scan is cut off, and its proportions come back.
// The twin of serve/crop.py, which says what it does and why.
// A box is [left, top, right, bottom]; the last two are outside. A grid is {width, height, data}.

import {
  components,
  mapped,
  margins,
  opened,
  overlap,
  part,
  reduced,
  ring,
  share,
  sideShares,
  sorted,
  union,
} from "./boxes.js";
import { page, strips } from "./surround.js";

const LONGEST = 256;
const SOLID = 20;
const CUT = 0.45;
const PROPORTIONS = [0.72, 1.28];
const FILLED = 0.5;
const FRAMED = 0.7;
const MARGIN = 15;
const TIGHT = 0.06;
const BARS = 0.08;
const LITTER = 0.04;
const TEXT = 40;
const UNTOUCHED = 0.05;
const LONGEST_CROP = 8;

/**
 * Find the scan in a picture: {x, y, width, height, padding}, or null where there is nothing to
 * remove. `rgb` is uint8 (height, width, 3).
 */
export function findHead(rgb, width, height) {
  const { levels, coloured, factor } = reduced(rgb, width, height, LONGEST);
  const whole = [0, 0, levels.width, levels.height];
  const { box: paper, aslant } = page(levels, whole);
  const frame = strips(levels, paper);
  const found = headIn(levels, coloured, frame);
  if (found === null) return null;
  const { head, background, litter } = found;
  const contrast = mapped(levels, (level) => Math.abs(level - background));
  const framed = differ(whole, frame);
  const loose = (litter || aslant) && Math.max(...margins(frame, head)) > TIGHT;
  const box = loose ? square(contrast, head) : scanIn(contrast, frame, head, framed);
  return differ(whole, box) ? cropOf(box, frame, factor, width, height) : null;
}

/** What of a crop that somebody else has made lies in the picture, null for nothing. */
export function within(crop, width, height) {
  const [left, right] = [Math.max(0, crop.x), Math.min(width, crop.x + crop.width)];
  const [top, bottom] = [Math.max(0, crop.y), Math.min(height, crop.y + crop.height)];
  if (right <= left || bottom <= top) return null;
  const [across, down] = [right - left, bottom - top];
  if (Math.max(across, down) > LONGEST_CROP * Math.min(across, down)) return null;
  let { padding = [0, 0, 0, 0] } = crop;
  const usual = PROPORTIONS[0] <= across / down && across / down <= PROPORTIONS[1];
  if (!usual && !padding.some(Boolean)) {
    const [beside, above] = [Math.max(0, down - across), Math.max(0, across - down)];
    const [first, second] = [Math.floor(beside / 2), Math.floor(above / 2)];
    padding = [first, second, beside - first, above - second];
  }
  return { x: left, y: top, width: across, height: down, padding };
}

/** The scan, uint8 (crop's height and padding, its width and padding, 3). */
export function applyCrop(rgb, width, crop) {
  const [left, top, right, bottom] = crop.padding;
  const across = left + crop.width + right;
  const down = top + crop.height + bottom;
  const cut = new Uint8Array(across * down * 3);
  for (let y = 0; y < crop.height; y++) {
    const from = 3 * ((crop.y + y) * width + crop.x);
    cut.set(rgb.subarray(from, from + 3 * crop.width), 3 * ((top + y) * across + left));
  }
  return { rgb: cut, width: across, height: down };
}

// The head and the frame around it

function headIn(levels, coloured, frame) {
  const cut = part(levels, frame);
  if (Math.min(cut.width, cut.height) < 16) return null;
  const size = cut.data.length;
  const edge = sorted(ring(cut));
  const background = edge[Math.floor(edge.length / 4)];
  const brightest = sorted(cut.data)[Math.floor((size * 99) / 100)];
  const least = Math.min(Math.max(Math.floor((brightest - background) / 8), 8), 24);
  const colours = part(coloured, frame).data;
  const parts = components(
    opened(
      mapped(cut, (level, i) => (Math.abs(level - background) > least && !colours[i] ? 1 : 0)),
    ),
  );
  let best = null;
  let most = 0.005 * size;
  for (const { box, pixels, filled } of parts) {
    const [width, height] = [box[2] - box[0], box[3] - box[1]];
    const long = Math.max(width, height) > 4 * Math.min(width, height);
    const sparse = filled < width * height * 0.4 || pixels < filled * 0.15;
    if (filled > most && !long && !sparse) [best, most] = [box, filled];
  }
  if (best === null) return null;
  for (const { box, pixels } of parts)
    if (pixels > 0.01 * most && overlap(box, best)) best = union(best, box);
  const inner = [0, 0, cut.width, cut.height];
  const litter = parts
    .filter(({ box }) => !overlap(box, best) && Math.min(...margins(inner, box)) < 0.01)
    .reduce((sum, { filled }) => sum + filled, 0);
  const head = best.map((value, i) => value + frame[i % 2]);
  return { head, background, litter: litter > LITTER * size };
}

function scanIn(contrast, frame, head, framed) {
  let own = ownFrame(contrast, frame, head);
  const plain = Math.max(...margins(own, head)) < TIGHT;
  own = squared(own, frame);
  const [width, height] = [frame[2] - frame[0], frame[3] - frame[1]];
  const longest = Math.max(head[2] - head[0], head[3] - head[1]);
  const usual = PROPORTIONS[0] <= width / height && width / height <= PROPORTIONS[1];
  const wide = Math.min(...margins(frame, own)) >= BARS;
  const text = () => ink(contrast, frame) - ink(contrast, own) > TEXT;
  const bars = framed ? text() || (wide && !plain) : wide;
  const least = framed ? FRAMED : FILLED;
  if (usual && longest >= least * Math.max(width, height) && !bars) return frame;
  if (!plain && longest >= FILLED * (own[2] - own[0])) return own;
  const side = Math.min(width, height);
  if (usual || !(FRAMED * side <= longest && longest <= side)) return square(contrast, head);
  return squared(own, frame, side);
}

function ink(contrast, box) {
  return part(contrast, box).data.reduce((sum, level) => sum + (level > SOLID), 0);
}

function squared(box, frame, least = 0) {
  const [width, height] = [box[2] - box[0], box[3] - box[1]];
  const side = Math.max(width, height, least);
  if (Math.min(width, height) > 0.85 * side) return box;
  const [left, right] = moved(box[0], box[2], side, frame[0], frame[2]);
  const [top, bottom] = moved(box[1], box[3], side, frame[1], frame[3]);
  return [left, top, right, bottom];
}

function moved(start, end, side, least, most) {
  const from = Math.floor((start + end - side) / 2);
  const at = Math.max(Math.min(from, most - side), Math.min(least, most - side));
  return [at, at + side];
}

function ownFrame(contrast, frame, head) {
  const [width, height] = [head[2] - head[0], head[3] - head[1]];
  const busy = (level) => level > 0;
  const column = (x) => share(contrast, x, head[1], 0, 1, height, busy) >= 0.1;
  const line = (y) => share(contrast, head[0], y, 1, 0, width, busy) >= 0.1;
  const [left, right] = reach(column, head[0], head[2], contrast.width);
  const [top, bottom] = reach(line, head[1], head[3], contrast.height);
  return [
    Math.max(left, frame[0]),
    Math.max(top, frame[1]),
    Math.min(right, frame[2]),
    Math.min(bottom, frame[3]),
  ];
}

function reach(busy, start, end, length) {
  while (start > 0 && busy(start - 1)) start--;
  while (end < length && busy(end)) end++;
  return [start, end];
}

function square(contrast, head) {
  const cut = sideShares(contrast, head, (level) => level > SOLID).map((one) => one > CUT);
  const [width, height] = [head[2] - head[0], head[3] - head[1]];
  const longest = Math.max(width, height);
  const free = (width > height ? [cut[0], cut[2]] : [cut[1], cut[3]]).filter((one) => !one).length;
  const side = longest + free * Math.floor((longest * MARGIN) / 200);
  const [left, right] = widened(head[0], head[2], side, cut[0], cut[2]);
  const [top, bottom] = widened(head[1], head[3], side, cut[1], cut[3]);
  return [left, top, right, bottom];
}

function widened(start, end, side, cutStart, cutEnd) {
  const more = side - (end - start);
  const before = cutStart === cutEnd ? Math.floor(more / 2) : cutStart ? 0 : more;
  return [start - before, start - before + side];
}

function differ(whole, box) {
  return Math.max(...margins(whole, box).map(Math.abs)) >= UNTOUCHED;
}

function cropOf(box, frame, factor, width, height) {
  const [left, top, right, bottom] = box.map((edge) => edge * factor);
  const x = Math.max(box[0], frame[0]) * factor;
  const y = Math.max(box[1], frame[1]) * factor;
  const end = (edge, length) => (edge === Math.floor(length / factor) ? length : edge * factor);
  const xEnd = end(Math.min(box[2], frame[2]), width);
  const yEnd = end(Math.min(box[3], frame[3]), height);
  const padding = [x - left, y - top, Math.max(right - xEnd, 0), Math.max(bottom - yEnd, 0)];
  return { x, y, width: xEnd - x, height: yEnd - y, padding };
}
