// Slices as a file stores them -> the slices that the model reads: the twin of
// serve/formats/planes.py. A plane is {levels: {data, width, height, channels}, window, spacing,
// negative}, an 8-bit one has `eight`.

import { percentile, to8Bit, windowed } from "./grey.js";

export const NO_BRAIN = "without enough brain";
export const SAMPLED = [0.3, 0.4, 0.5, 0.6, 0.7];
const DARK = 0.15;
const LEAST = 0.3;
const COARSE = 64;
const SQUARE = 0.01;
const NARROWEST = 32;

/** {rgb, width, height, stretched: [width, height] of square pixels}. */
export function pixelsOf({ levels, window, spacing = [1, 1], negative = false, eight = false }) {
  const { width, height, channels, data } = levels;
  const grey = window ? windowed(data, ...window) : eight ? data : to8Bit(levels);
  const rgb = new Uint8ClampedArray(3 * width * height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) {
      const level = grey[channels === 1 ? at : at * channels + c];
      rgb[3 * at + c] = negative ? 255 - level : level;
    }
  }
  return { rgb, width, height, stretched: square(width, height, spacing) };
}

/** Which of the planes show enough of a head; of a single one, that one. */
export async function enough(count, planeAt) {
  if (count < 2) return () => true;
  const samples = new Set(SAMPLED.map((share) => Math.floor(share * count)));
  const heads = [];
  for (const index of [...samples].sort((a, b) => a - b)) heads.push(headOf(await planeAt(index)));
  const air = Math.min(...heads.map((head) => percentile(head, 1)));
  const bright = Math.max(...heads.map((head) => percentile(head, 99)));
  const dark = air + DARK * (bright - air);
  const area = (head) => head.filter((level) => level > dark).length / head.length;
  const largest = Math.max(...heads.map(area));
  return (plane) => area(headOf(plane)) > LEAST * largest;
}

/** Its brightness, coarsely: means over boxes, as Pillow's BOX filter takes them. */
function headOf({ levels: { data, width, height, channels }, negative }) {
  const head = new Float64Array(COARSE * COARSE);
  const columns = boxes(width);
  const rows = boxes(height);
  for (let y = 0; y < COARSE; y++) {
    for (let x = 0; x < COARSE; x++) {
      let [sum, count] = [0, 0];
      for (let row = rows[y][0]; row < rows[y][1]; row++) {
        for (let at = columns[x][0]; at < columns[x][1]; at++) {
          for (let c = 0; c < channels; c++) sum += data[(row * width + at) * channels + c];
          count += channels;
        }
      }
      head[y * COARSE + x] = ((negative ? -1 : 1) * sum) / count;
    }
  }
  return head;
}

function boxes(size) {
  const step = size / COARSE;
  return Array.from({ length: COARSE }, (_, i) => {
    const from = Math.min(size - 1, Math.round(i * step));
    return [from, Math.max(from + 1, Math.round((i + 1) * step))];
  });
}

/** Width and height once pixels are square: the finer side keeps its pixels. */
function square(width, height, [down, across]) {
  let ratio = down / across;
  if (!Number.isFinite(ratio) || ratio <= 0 || Math.abs(ratio - 1) < SQUARE) return [width, height];
  ratio = Math.min(NARROWEST, Math.max(1 / NARROWEST, ratio));
  return ratio > 1 ? [width, Math.round(height * ratio)] : [Math.round(width / ratio), height];
}
