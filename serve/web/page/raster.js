// Pictures and stacks of pages -> planes: what the browser decodes itself, and what it does not:
// TIFF, and PNG of 16 bits, of which it would keep 8.

import { decode as decodePng } from "fast-png";
import UTIF from "utif2";

const [PNG, TIFF] = [
  [0x89, 0x50, 0x4e, 0x47],
  [0x49, 0x49, 0x2a, 0x00],
];
const BIG_TIFF = [0x4d, 0x4d, 0x00, 0x2a];
const ANIMATED = { GIF8: "image/gif", RIFF: "image/webp" };
const LARGE = 2 ** 22; // pixels, to which larger pictures are brought down
const MOST = 89_478_485; // pixels

/** {count, planeAt, warnings} of a picture's bytes; planes may come later. */
export async function readPicture(content) {
  const head = [...new Uint8Array(content, 0, Math.min(26, content.byteLength))];
  if (!head.length) throw new Error("the file is empty");
  if (starts(head, TIFF) || starts(head, BIG_TIFF)) return readTiff(content);
  if (starts(head, PNG) && head[24] === 16) return single(deepPng(content));
  const frames = await animation(content, head);
  if (frames) return frames;
  return single(bitmapPlane(await bitmapOf(new Blob([content]))));
}

function single(plane) {
  return { count: 1, planeAt: () => plane, warnings: [] };
}

async function bitmapOf(blob) {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("not a picture that this browser can read");
  }
}

/** The pages of what moves, where the browser gives them one by one. */
async function animation(content, head) {
  const type = ANIMATED[String.fromCharCode(...head.slice(0, 4))];
  if (!type || !self.ImageDecoder) return null;
  const decoder = new ImageDecoder({ data: content.slice(0), type });
  try {
    await decoder.tracks.ready;
    await decoder.completed;
    const { frameCount } = decoder.tracks.selectedTrack;
    if (frameCount < 2) return null;
    const planes = [];
    for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
      planes.push(bitmapPlane((await decoder.decode({ frameIndex })).image));
    }
    return { count: frameCount, planeAt: (index) => planes[index], warnings: [] };
  } catch {
    return null; // it is decoded as one picture, or not at all
  } finally {
    decoder.close();
  }
}

/** A bitmap's or a video frame's colours; what is transparent becomes black. */
function bitmapPlane(bitmap) {
  const width = bitmap.displayWidth ?? bitmap.width;
  const height = bitmap.displayHeight ?? bitmap.height;
  checkSize(width, height);
  const shrink = Math.min(1, Math.sqrt(LARGE / (width * height)));
  const [across, down] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
  const context = new OffscreenCanvas(across, down).getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, across, down);
  bitmap.close();
  const { data } = context.getImageData(0, 0, across, down);
  return eightBits(data, across, down);
}

function eightBits(rgba, width, height) {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    for (let c = 0; c < 3; c++) data[to++] = (rgba[from + c] * rgba[from + 3]) / 255;
  }
  return { levels: { data, width, height, channels: 3 }, eight: true };
}

function deepPng(content) {
  const { data, width, height, channels } = decodePng(content);
  checkSize(width, height);
  const colours = channels > 2 ? 3 : 1;
  if (colours === channels) return { levels: { data, width, height, channels } };
  const opaque = new Float64Array(width * height * colours);
  for (let at = 0; at < width * height; at++) {
    const alpha = data[at * channels + colours] / 65535;
    for (let c = 0; c < colours; c++) opaque[at * colours + c] = data[at * channels + c] * alpha;
  }
  return { levels: { data: opaque, width, height, channels: colours } };
}

function readTiff(content) {
  const pages = UTIF.decode(content).filter((page) => !((page.t254?.[0] ?? 0) & 1) && page.t256);
  if (!pages.length) throw new Error("a TIFF file without a picture");
  const planeAt = (index) => {
    const page = pages[index];
    checkSize(page.t256[0], page.t257[0]);
    UTIF.decodeImage(content, page);
    return tiffPlane(page);
  };
  return { count: pages.length, planeAt, warnings: [] };
}

function tiffPlane(page) {
  const { width, height } = page;
  const bits = page.t258?.[0] ?? 1;
  const [samples, photometric] = [page.t277?.[0] ?? 1, page.t262?.[0] ?? 1];
  if (samples === 1 && bits > 8 && photometric < 2) {
    const data = deepLevels(page, bits, width * height);
    return { levels: { data, width, height, channels: 1 }, negative: photometric === 0 };
  }
  return eightBits(UTIF.toRGBA8(page), width, height);
}

/** The levels of a grey page of more than 8 bits, of which UTIF gives the bytes. */
function deepLevels({ data, isLE, t339 }, bits, count) {
  const kind = ["", "Uint", "Int", "Float"][t339?.[0] ?? 1];
  const little = bits === 16 || isLE; // UTIF turns 16 bits round itself
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read = view[`get${kind}${bits}`]?.bind(view);
  if (!read) throw new Error(`a TIFF of ${bits} bits of this kind is not read here`);
  return Float64Array.from({ length: count }, (_, at) => read((at * bits) / 8, little));
}

function checkSize(width, height) {
  if (width * height > MOST) {
    throw new Error(`${width}x${height} is over the limit of ${MOST.toLocaleString("en")} pixels`);
  }
}

function starts(head, bytes) {
  return bytes.every((byte, at) => head[at] === byte);
}
