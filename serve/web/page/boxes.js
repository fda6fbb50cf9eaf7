// Boxes and grids of grey levels: the twin of serve/boxes.py.
// A box is [left, top, right, bottom]; the last two are outside. A grid is {width, height, data}.

export function grid(width, height, data = new Float64Array(width * height)) {
  return { width, height, data };
}

export function mapped(one, change) {
  return grid(one.width, one.height, one.data.map(change));
}

export function part(one, [left, top, right, bottom]) {
  const cut = grid(right - left, bottom - top);
  for (let y = 0; y < cut.height; y++)
    for (let x = 0; x < cut.width; x++)
      cut.data[y * cut.width + x] = one.data[(top + y) * one.width + left + x];
  return cut;
}

export function turned(one) {
  const other = grid(one.height, one.width);
  for (let y = 0; y < one.height; y++)
    for (let x = 0; x < one.width; x++)
      other.data[x * one.height + y] = one.data[y * one.width + x];
  return other;
}

export function upended(one) {
  const other = grid(one.width, one.height);
  for (let y = 0; y < one.height; y++)
    other.data.set(row(one, one.height - 1 - y), y * one.width);
  return other;
}

export function row(one, y) {
  return one.data.subarray(y * one.width, (y + 1) * one.width);
}

/** The share of a line of pixels, from x, y on by dx, dy, that fits. */
export function share(one, x, y, dx, dy, count, fits) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += fits(one.data[(y + i * dy) * one.width + x + i * dx]);
  return sum / count;
}

/** The shares of a box's four sides that fit: left, top, right, bottom. */
export function sideShares(one, [left, top, right, bottom], fits) {
  return [
    share(one, left, top, 0, 1, bottom - top, fits),
    share(one, left, top, 1, 0, right - left, fits),
    share(one, right - 1, top, 0, 1, bottom - top, fits),
    share(one, left, bottom - 1, 1, 0, right - left, fits),
  ];
}

export function ring(one) {
  const { width, height } = one;
  const values = [...row(one, 0), ...row(one, height - 1)];
  for (const x of [0, width - 1])
    for (let y = 1; y < height - 1; y++) values.push(one.data[y * width + x]);
  return values;
}

export function sorted(values) {
  return Float64Array.from(values).sort();
}

export function middle(values) {
  return sorted(values)[Math.floor(values.length / 2)];
}

/** Pillow's `Image.reduce`, then each pixel's brightest channel and whether it is coloured. */
export function reduced(rgb, width, height, longest) {
  const factor = Math.min(Math.ceil(Math.max(width, height) / longest), height, width);
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
export function components(mask) {
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
export function largest(parts) {
  return parts.reduce((best, one) => (one.filled > best.filled ? one : best));
}

export function opened(mask) {
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

export function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

export function union(a, b) {
  return [
    Math.min(a[0], b[0]),
    Math.min(a[1], b[1]),
    Math.max(a[2], b[2]),
    Math.max(a[3], b[3]),
  ];
}

export function margins(outer, inner) {
  const width = outer[2] - outer[0];
  const height = outer[3] - outer[1];
  return [
    (inner[0] - outer[0]) / width,
    (inner[1] - outer[1]) / height,
    (outer[2] - inner[2]) / width,
    (outer[3] - inner[3]) / height,
  ];
}
