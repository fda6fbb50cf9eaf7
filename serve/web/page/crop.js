// The head in a picture: what lies around the scan is cut off, and its proportions come back.
// The twin of serve/crop.py, serve/surround.py and serve/boxes.py, which say what it does and why.
// A box is [left, top, right, bottom]; the last two are outside. A grid is {width, height, data}.

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

const BLOCK = 4;
const DARK = 32;
const QUIET = 6;
const UNLIKE = 20;
const STRAIGHT = 0.92;
const EXACT = 0.965;
const ASLANT = 0.75;
const INSIDE = 0.92;
const STEP = 10;

/**
 * Find the scan in a picture: {x, y, width, height, padding}, or null where there is nothing to
 * remove. `rgb` is uint8 (height, width, 3).
 */
export function findHead(rgb, width, height) {
  const { levels, coloured, factor } = reduced(rgb, width, height);
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

// Grids

function grid(width, height, data = new Float64Array(width * height)) {
  return { width, height, data };
}

function mapped(one, change) {
  return grid(one.width, one.height, one.data.map(change));
}

function part(one, [left, top, right, bottom]) {
  const cut = grid(right - left, bottom - top);
  for (let y = 0; y < cut.height; y++)
    for (let x = 0; x < cut.width; x++)
      cut.data[y * cut.width + x] = one.data[(top + y) * one.width + left + x];
  return cut;
}

function turned(one) {
  const other = grid(one.height, one.width);
  for (let y = 0; y < one.height; y++)
    for (let x = 0; x < one.width; x++)
      other.data[x * one.height + y] = one.data[y * one.width + x];
  return other;
}

function upended(one) {
  const other = grid(one.width, one.height);
  for (let y = 0; y < one.height; y++)
    other.data.set(row(one, one.height - 1 - y), y * one.width);
  return other;
}

function row(one, y) {
  return one.data.subarray(y * one.width, (y + 1) * one.width);
}

/** The share of a line of pixels, from x, y on by dx, dy, that fits. */
function share(one, x, y, dx, dy, count, fits) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += fits(one.data[(y + i * dy) * one.width + x + i * dx]);
  return sum / count;
}

/** The shares of a box's four sides that fit: left, top, right, bottom. */
function sideShares(one, [left, top, right, bottom], fits) {
  return [
    share(one, left, top, 0, 1, bottom - top, fits),
    share(one, left, top, 1, 0, right - left, fits),
    share(one, right - 1, top, 0, 1, bottom - top, fits),
    share(one, left, bottom - 1, 1, 0, right - left, fits),
  ];
}

function ring(one) {
  const { width, height } = one;
  const values = [...row(one, 0), ...row(one, height - 1)];
  for (const x of [0, width - 1])
    for (let y = 1; y < height - 1; y++) values.push(one.data[y * width + x]);
  return values;
}

function sorted(values) {
  return Float64Array.from(values).sort();
}

function middle(values) {
  return sorted(values)[Math.floor(values.length / 2)];
}

/** Pillow's `Image.reduce`, then each pixel's brightest channel and whether it is coloured. */
function reduced(rgb, width, height) {
  const factor = Math.min(Math.ceil(Math.max(width, height) / LONGEST), height, width);
  const across = Math.floor(width / factor);
  const down = Math.floor(height / factor);
  const levels = grid(across, down);
  const coloured = grid(across, down);
  const area = factor * factor;
  const multiplier = Math.floor(2 ** 32 / (256 * area));
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const sums = [0, 0, 0];
      for (let v = 0; v < factor; v++) {
        let at = 3 * ((y * factor + v) * width + x * factor);
        for (let u = 0; u < factor; u++)
          for (let channel = 0; channel < 3; channel++) sums[channel] += rgb[at++];
      }
      const means = sums.map((sum) =>
        Math.floor(((sum + Math.floor(area / 2)) * multiplier) / 2 ** 24),
      );
      const most = Math.max(...means);
      levels.data[y * across + x] = most;
      coloured.data[y * across + x] =
        most - Math.min(...means) > Math.max(40, Math.floor(most / 3)) ? 1 : 0;
    }
  }
  return { levels, coloured, factor };
}

/** The connected parts of a mask: [{box, pixels, filled}], by their first run. */
function components(mask) {
  const runs = [];
  for (let y = 0; y < mask.height; y++) {
    const line = row(mask, y);
    for (let x = 0; x < mask.width; x++) {
      if (!line[x]) continue;
      const start = x;
      while (x < mask.width && line[x]) x++;
      runs.push([y, start, x]);
    }
  }
  const parent = runs.map((_, i) => i);
  const root = (run) => {
    while (parent[run] !== run) run = parent[run] = parent[parent[run]];
    return run;
  };
  let above = 0;
  runs.forEach(([y, start, end], here) => {
    while (runs[above][0] < y - 1 || (runs[above][0] === y - 1 && runs[above][2] <= start)) above++;
    for (let other = above; runs[other][0] === y - 1 && runs[other][1] < end; other++)
      parent[root(other)] = root(here);
  });
  const found = new Map();
  runs.forEach(([y, start, end], here) => {
    const key = root(here);
    const lines = found.get(key) ?? found.set(key, new Map()).get(key);
    const line = lines.get(y) ?? lines.set(y, [start, end, 0]).get(y);
    line[1] = end;
    line[2] += end - start;
  });
  return [...found.values()].map((lines) => {
    const rows = [...lines.keys()];
    const spans = [...lines.values()];
    return {
      box: [
        Math.min(...spans.map(([start]) => start)),
        rows[0],
        Math.max(...spans.map(([, end]) => end)),
        rows[rows.length - 1] + 1,
      ],
      pixels: spans.reduce((sum, [, , count]) => sum + count, 0),
      filled: spans.reduce((sum, [start, end]) => sum + end - start, 0),
    };
  });
}

/** The first of the largest. */
function largest(parts) {
  return parts.reduce((best, one) => (one.filled > best.filled ? one : best));
}

function opened(mask) {
  const inverse = (one) => mapped(one, (value) => 1 - value);
  return spread(inverse(spread(inverse(mask))));
}

function spread(mask) {
  const { width, height } = mask;
  const wide = grid(width, height);
  const high = grid(width, height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      wide.data[i] =
        mask.data[i] || (x && mask.data[i - 1]) || (x < width - 1 && mask.data[i + 1]) ? 1 : 0;
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      high.data[i] =
        wide.data[i] ||
        (y && wide.data[i - width]) ||
        (y < height - 1 && wide.data[i + width])
          ? 1
          : 0;
  return high;
}

function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

function union(a, b) {
  return [
    Math.min(a[0], b[0]),
    Math.min(a[1], b[1]),
    Math.max(a[2], b[2]),
    Math.max(a[3], b[3]),
  ];
}

function margins(outer, inner) {
  const width = outer[2] - outer[0];
  const height = outer[3] - outer[1];
  return [
    (inner[0] - outer[0]) / width,
    (inner[1] - outer[1]) / height,
    (outer[2] - inner[2]) / width,
    (outer[3] - inner[3]) / height,
  ];
}

// What lies around the scan

function page(levels, box) {
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

function strips(levels, box) {
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
