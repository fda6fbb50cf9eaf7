// Grey levels of any range -> 8 bits: the twin of serve/formats/grey.py, which says why.
// Levels are {data, width, height, channels}, row by row, of any numeric array.

const BACKGROUND = 0.05;
const BRIGHT = 99.5;
const HEADROOM = 2.5;
const NEAR = 0.1;
const FEW = 1e-3;
const [PALE, DIFFERENT] = [160, 20];

/**
 * The levels as uint8, stretched from their own darkest to their own brightest.
 * @throws {Error} they are not finite, or all the same and not 0
 */
export function to8Bit(levels) {
  if (!levels.data.every(Number.isFinite)) {
    throw new Error("it has pixels that are not finite numbers");
  }
  const [low, high] = greyRange(levels);
  if (low === high && low === 0) return new Uint8ClampedArray(levels.data.length);
  if (low === high) throw new Error("all its pixels have the same grey level");
  return windowed(levels.data, low, high);
}

/** Levels from low to high as uint8 from 0 to 255. */
export function windowed(data, low, high) {
  const scale = 255 / (high - low);
  return Uint8ClampedArray.from(data, (level) => (level - low) * scale); // it rounds and clamps
}

/** The darkest and the brightest level that are not single outliers. */
export function greyRange({ data, width, height, channels }) {
  const darkest = channels === 1 ? Float64Array.from(data) : extreme(data, channels, Math.min);
  const brightest = channels === 1 ? darkest : extreme(data, channels, Math.max);
  let low = -peak(darkest.map((level) => -level), width, height);
  let high = peak(brightest, width, height);
  const reach = NEAR * (high - low);
  low = least(darkest, (level) => level >= low - reach);
  high = -least(brightest.map((level) => -level), (level) => level >= -high - reach);
  const usual = percentile(brightest, BRIGHT);
  if (usual > low) {
    const floor = low + BACKGROUND * (usual - low);
    const scan = brightest.filter((level) => level > floor);
    high = Math.min(high, low + HEADROOM * (percentile(scan, BRIGHT) - low));
  }
  return [low, high];
}

/** Whether the background is bright and the head dark, as on a negative: of uint8 (H, W, 3). */
export function looksInverted(rgb, width, height) {
  const rim = Math.max(1, Math.floor(Math.min(width, height) / 20));
  const border = [];
  const middle = [];
  const quarter = [Math.floor(width / 4), Math.floor(height / 4)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const grey = (rgb[at] + rgb[at + 1] + rgb[at + 2]) / 3;
      // a corner lies on two sides, and counts twice
      for (let i = (y < rim) + (y >= height - rim) + (x < rim) + (x >= width - rim); i > 0; i--) {
        border.push(grey);
      }
      if (x >= quarter[0] && x < width - quarter[0] && y >= quarter[1] && y < height - quarter[1]) {
        middle.push(grey);
      }
    }
  }
  const surround = percentile(Float64Array.from(border), 50);
  return surround > PALE && percentile(Float64Array.from(middle), 50) < surround - DIFFERENT;
}

/** NumPy's percentile, linear between two levels. */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = (share / 100) * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

function extreme(data, channels, choose) {
  return Float64Array.from({ length: data.length / channels }, (_, i) => {
    let found = data[i * channels];
    for (let c = 1; c < channels; c++) found = choose(found, data[i * channels + c]);
    return found;
  });
}

function least(values, fits) {
  let found = Infinity;
  for (const value of values) if (fits(value) && value < found) found = value;
  return found;
}

/** The maximum, were every single pixel no brighter than its neighbours. */
function peak(levels, width, height) {
  const few = Math.max(2, roundHalfToEven(FEW * levels.length));
  const common = Float64Array.from(levels).sort()[Math.max(0, levels.length - few)];
  let highest = common;
  for (let at = 0; at < levels.length; at++) {
    if (levels[at] <= common) continue;
    const settled = Math.min(levels[at], secondOf(levels, width, height, at));
    if (settled > highest) highest = settled;
  }
  return highest;
}

/** The second brightest of the eight neighbours; at an edge the edge repeats itself. */
function secondOf(levels, width, height, at) {
  const [x, y] = [at % width, Math.floor(at / width)];
  const around = [];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      if (!dx && !dy) continue;
      const row = Math.min(height - 1, Math.max(0, y + dy));
      around.push(levels[row * width + Math.min(width - 1, Math.max(0, x + dx))]);
    }
  }
  return around.sort((one, other) => other - one)[1];
}

/** A number to the nearest integer, as NumPy rounds. */
export function roundHalfToEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}
