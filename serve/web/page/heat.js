// A Grad-CAM map in colours, as serve/overlay.py draws it.

// matplotlib's inferno, by S. van der Walt and N. Smith (CC0): every 15th of its 256 colours.
// Perceptually uniform, so equal steps of heat look equally large, in grey print too.
const INFERNO =
  "000004 0a0722 1e0c45 380962 510e6c 69166e 801f6c 982766 b0315b " +
  "c63d4d d94d3d e9612b f47918 fa9407 fcb014 f8cd37 f2ea69 fcffa4";
const ANCHORS = INFERNO.split(" ").map((hex) =>
  [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)),
);

/** A CSS background of all colours, cold to hot. */
export const SCALE = `linear-gradient(to right, ${INFERNO.replace(/(\w+)/g, "#$1").replaceAll(" ", ", ")})`;

/**
 * Fill a canvas with a map: coloured by heat, clear where there is none.
 * @param {HTMLCanvasElement} canvas of the size to be filled
 * @param {Float32Array} cam rows of a square map, 0 to 1
 * @param {{x, y, width, height, padding}} crop the part of the canvas that the map is of
 */
export function drawHeat(canvas, cam, crop) {
  const side = Math.sqrt(cam.length);
  const levels = new OffscreenCanvas(side, side);
  const grey = Uint8ClampedArray.from({ length: 4 * cam.length }, (_, i) =>
    i % 4 === 3 ? 255 : 255 * cam[i >> 2],
  );
  levels.getContext("2d").putImageData(new ImageData(grey, side, side), 0, 0);

  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, canvas.width, canvas.height); // black: no heat
  const [left, top, right, bottom] = crop.padding;
  context.save();
  context.beginPath();
  context.rect(crop.x, crop.y, crop.width, crop.height);
  context.clip();
  const [across, down] = [left + crop.width + right, top + crop.height + bottom];
  context.drawImage(levels, crop.x - left, crop.y - top, across, down);
  context.restore();
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < image.data.length; at += 4) {
    const heat = image.data[at];
    image.data.set([...colour(heat / 255), heat], at);
  }
  context.putImageData(image, 0, 0);
}

function colour(heat) {
  const place = heat * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(place), ANCHORS.length - 2);
  return ANCHORS[low].map((from, i) => from + (place - low) * (ANCHORS[low + 1][i] - from));
}
