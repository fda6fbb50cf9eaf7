// What the network sees of a slice: the twin of serve/view.py and serve/turned.py, which say why.
// A picture is {rgb, width, height}, uint8 (height, width, 3).

import { applyCrop, findHead, within } from "./crop.js";
import { looksInverted } from "./grey.js";

const [SUSPECT, MUCH] = [0.9, 0.9];
const [SIDE, SHIFT, UPRIGHT] = [56, 3, 0.05];

/**
 * {rgb, width, height, crop, inverted}; `crop` is the part that was cut out, null for all.
 * `cropped` says whether one is to be looked for, or is the one that somebody has framed.
 */
export function viewOf(picture, cropped) {
  const { rgb, width } = picture;
  const framed = typeof cropped === "object";
  const { inverted, crop } = framed ? given(picture, cropped) : scanIn(picture, cropped);
  return { ...(crop ? applyCrop(rgb, width, crop) : picture), crop, inverted };
}

/**
 * Whether a scan looks inverted, and what is cut out, of an inverted one as of the scan itself.
 * A scan on a bright page, or in a viewer with bright bars, does not look so.
 */
function scanIn({ rgb, width, height }, cropped) {
  const head = (levels) => (cropped ? findHead(levels, width, height) : null);
  if (!looksInverted(rgb, width, height)) return { inverted: false, crop: head(rgb) };
  const negative = head(rgb.map((level) => 255 - level));
  if (!negative) return { inverted: true, crop: null };
  const crop = head(rgb);
  let inverted = invertedInside(rgb, width, negative);
  if (crop && negative.width === width && negative.height === height) {
    inverted = inverted && invertedInside(rgb, width, crop);
  }
  return { inverted, crop: inverted ? negative : crop };
}

function given({ rgb, width, height }, frame) {
  const crop = within(frame, width, height);
  const size = `${width}x${height}`;
  if (!crop) throw new Error(`the crop is a strip, or lies outside the picture of ${size} pixels`);
  const all = crop.width === width && crop.height === height && !crop.padding.some(Boolean);
  return { inverted: invertedInside(rgb, width, crop), crop: all ? null : crop };
}

function invertedInside(rgb, width, crop) {
  const inside = applyCrop(rgb, width, { ...crop, padding: [0, 0, 0, 0] });
  return looksInverted(inside.rgb, inside.width, inside.height);
}

/** Whether a picture with this score is worth a look at its turned views. */
export function mayBeTurned(picture, score) {
  return score > SUSPECT && !standsUpright(picture);
}

/** Whether a picture is far more like a scan once it is turned, by the scores of its views. */
export function looksTurned(score, turned, threshold) {
  return Math.min(...turned) <= Math.min(threshold, MUCH * score);
}

function standsUpright(picture) {
  const { levels, side } = shrunk(picture);
  const across = symmetry(side, (y, x) => levels[y * side + x]);
  return across - symmetry(side, (y, x) => levels[x * side + y]) > UPRIGHT;
}

/** The mean of each cell, less the mean of all. */
function shrunk({ rgb, width, height }) {
  const side = Math.min(SIDE, width, height);
  const [sums, counts] = [new Float64Array(side * side), new Float64Array(side * side)];
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * side) / height) * side;
    for (let x = 0; x < width; x++) {
      const [cell, from] = [row + Math.floor((x * side) / width), 3 * (y * width + x)];
      sums[cell] += rgb[from] + rgb[from + 1] + rgb[from + 2];
      counts[cell] += 1;
    }
  }
  const levels = sums.map((sum, cell) => sum / counts[cell]);
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  return { levels: levels.map((level) => level - mean), side };
}

/** The highest correlation with the mirror image, over a few axes; `at` gives (y, x). */
function symmetry(side, at) {
  let [power, most] = [0, -Infinity];
  for (let shift = -SHIFT; shift <= SHIFT; shift++) {
    let sum = 0;
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        sum += at(y, x) * at(y, (((side - 1 - x + shift) % side) + side) % side);
        if (shift === 0) power += at(y, x) ** 2;
      }
    }
    most = Math.max(most, sum);
  }
  return power ? most / power : 0;
}

/** A picture turned by 90 degrees to the left and to the right. */
export function turnedViews({ rgb, width, height }) {
  return [true, false].map((left) => {
    const turned = new Uint8Array(rgb.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const to = left ? (width - 1 - x) * height + y : x * height + height - 1 - y;
        for (let c = 0; c < 3; c++) turned[3 * to + c] = rgb[3 * (y * width + x) + c];
      }
    }
    return { rgb: turned, width: height, height: width };
  });
}
