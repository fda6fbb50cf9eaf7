// The panels of a sheet of slices: the twin of serve/sheet.py, which says what it does and why.
// A box is [left, top, right, bottom]; the last two are outside. A grid is {width, height, data}.

import { mapped, opened, part, reduced, ring, share } from "./boxes.js";
import { percentile } from "./grey.js";
import { strips } from "./surround.js";

const LONGEST = 768;
const INK = 24;
const QUIET = 0.03;
const LEAST = 0.06;
const ALIKE = 0.55;
const EVEN = 0.25;
const GAP = 0.03;
const ENOUGH = 0.6;
const FULL = 0.12;
const SHAPES = [0.45, 2.2];

/** The boxes of the panels, row by row; none where the picture, uint8 (height, width, 3), is no sheet. */
export function findPanels(rgb, width, height) {
  const { levels, factor } = reduced(rgb, width, height, LONGEST);
  const whole = [0, 0, levels.width, levels.height];
  for (const frame of distinct([whole, strips(levels, whole)])) {
    const inner = part(levels, frame);
    if (inner.data.length < ENOUGH * levels.data.length) continue;
    for (const ground of distinct([commonest(ring(inner)), 0])) {
      const ink = opened(mapped(inner, (level) => (Math.abs(level - ground) > INK ? 1 : 0)));
      const boxes = panelsIn(ink).map((box) => box.map((edge, k) => (edge + frame[k % 2]) * factor));
      if (boxes.length) {
        return boxes.map(([x, y, x2, y2]) => [x, y, Math.min(x2, width), Math.min(y2, height)]);
      }
    }
  }
  return [];
}

/** A picture's panels as slices; none where it is no sheet. */
export function panelsOf({ rgb, width, height, stretched }) {
  const [across, down] = [stretched[0] / width, stretched[1] / height];
  return findPanels(rgb, width, height).map(([left, top, right, bottom], index) => ({
    index,
    rgb: cut(rgb, width, left, top, right, bottom),
    width: right - left,
    height: bottom - top,
    stretched: [Math.round((right - left) * across), Math.round((bottom - top) * down)],
  }));
}

function cut(rgb, width, left, top, right, bottom) {
  const across = 3 * (right - left);
  const inside = new Uint8ClampedArray(across * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = 3 * (y * width + left);
    inside.set(rgb.subarray(from, from + across), (y - top) * across);
  }
  return inside;
}

/** `ink` is what differs from the gutters. */
function panelsIn(ink) {
  const { width, height } = ink;
  const count = (x, y, dx, dy, length) => share(ink, x, y, dx, dy, length, Boolean) * length;
  const rows = bands(Array.from({ length: height }, (_, y) => count(0, y, 1, 0, width) / width));
  if (!rows.length) return [];
  const tall = rows.reduce((sum, [top, bottom]) => sum + bottom - top, 0);
  const busy = Array.from({ length: width }, (_, x) => {
    const counts = rows.map(([top, bottom]) => Math.round(count(x, top, 0, 1, bottom - top)));
    return counts.reduce((sum, one) => sum + one, 0) / tall;
  });
  const columns = bands(busy);
  if (rows.length * columns.length < 2) return [];
  const [across, down] = [cells(columns, width), cells(rows, height)];
  const fits = (x, y) => {
    const shape = (x[1] - x[0]) / (y[1] - y[0]);
    return SHAPES[0] < shape && shape < SHAPES[1];
  };
  if (!across.every((x) => down.every((y) => fits(x, y)))) return [];
  const boxes = down.flatMap((y) => across.map((x) => [x[0], y[0], x[1], y[1]]));
  const full = boxes.map((box) => mean(part(ink, box).data) >= FULL);
  const filled = full.filter(Boolean).length;
  const gaps = !full.slice(0, filled).every(Boolean);
  if (gaps || filled <= full.length - columns.length || filled < 2) return [];
  return boxes.slice(0, filled);
}

/** The rows or columns of panels, of the share of ink along them; none where they are uneven. */
function bands(shares) {
  const size = shares.length;
  const runs = [];
  for (let at = 0; at < size; at++) {
    if (!(shares[at] > QUIET)) continue;
    const start = at;
    while (at < size && shares[at] > QUIET) at++;
    runs.push([start, at]);
  }
  const wholes = [0, GAP].map((gap) => joined(runs, gap * size).filter(([a, b]) => b - a >= LEAST * size));
  const outer = [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ];
  for (const [before, after] of outer) {
    for (const whole of wholes) {
      const found = whole.slice(before, whole.length - after);
      if (found.length && even(found)) return found;
    }
  }
  return [];
}

function joined(runs, gap) {
  const found = [];
  for (const [start, end] of runs) {
    if (found.length && start - found.at(-1)[1] < gap) found.at(-1)[1] = end;
    else found.push([start, end]);
  }
  return found;
}

function even(found) {
  const sizes = found.map(([start, end]) => end - start);
  if (Math.min(...sizes) < ALIKE * percentile(sizes, 50)) return false;
  const pitches = found.slice(1).map(([start, end], k) => (start + end - found[k][0] - found[k][1]) / 2);
  if (!pitches.length) return true;
  const usual = percentile(pitches, 50);
  return pitches.every((pitch) => Math.abs(pitch - usual) <= EVEN * usual);
}

/** The bands grown to the middle of the gutters between them, and as much outside. */
function cells(found, length) {
  if (found.length === 1) return [[0, length]];
  const pairs = found.slice(1).map(([start], k) => [found[k][1], start]);
  const gutter = Math.floor(Math.max(...pairs.map(([end, start]) => start - end)) / 2);
  const edges = [
    Math.max(0, found[0][0] - gutter),
    ...pairs.map(([end, start]) => Math.floor((end + start) / 2)),
    Math.min(length, found.at(-1)[1] + gutter),
  ];
  return edges.slice(1).map((edge, k) => [edges[k], edge]);
}

function commonest(levels) {
  const counts = new Array(256).fill(0);
  for (const level of levels) counts[level]++;
  return counts.indexOf(Math.max(...counts));
}

function distinct(values) {
  const seen = new Map(values.map((one) => [String(one), one]));
  return [...seen.values()];
}

function mean(values) {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}
