// One frame of a DICOM file: its stored levels, read as they lie or unpacked.

import dicomParser from "dicom-parser";

const COMPRESSED =
  "its pixels are compressed in a way that this page does not read: the app and the command line may";
const DAMAGED = "its compressed pixels are damaged";
const LARGER = "its pixels are compressed as a larger picture than it announces";
const UNCOMPRESSED = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"];
const DEFLATED = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const RLE = "1.2.840.10008.1.2.5";
const BY_BROWSER = ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"];
const BY_CODEC = {
  "1.2.840.10008.1.2.4.57": "losslessJpeg",
  "1.2.840.10008.1.2.4.70": "losslessJpeg",
  "1.2.840.10008.1.2.4.80": "jpegLs",
  "1.2.840.10008.1.2.4.81": "jpegLs",
  "1.2.840.10008.1.2.4.90": "jpeg2000",
  "1.2.840.10008.1.2.4.91": "jpeg2000",
};

/** @throws {Error} files of this transfer syntax are not read here */
export function checkSyntax(syntax) {
  const read = [...UNCOMPRESSED, DEFLATED, RLE, ...BY_BROWSER].includes(syntax) || syntax in BY_CODEC;
  if (!read) throw new Error(COMPRESSED);
}

/** Whether what is unpacked from files of this transfer syntax is RGB, whatever their colours were. */
export function unpacksToRgb(syntax) {
  return BY_BROWSER.includes(syntax) || syntax in BY_CODEC;
}

/** The levels of a frame, row by row, {data, channels}; `shape` is {rows, columns, samples, bits,
 * used: how many of these, signed, planar}. */
export async function frameOf(data, syntax, shape, frame, frames) {
  if (![1, 3].includes(shape.samples) || ![8, 16, 32].includes(shape.bits)) throw new Error(COMPRESSED);
  if (syntax === DEFLATED || UNCOMPRESSED.includes(syntax)) {
    const size = (shape.rows * shape.columns * shape.samples * shape.bits) / 8;
    const start = data.elements.x7fe00010.dataOffset + frame * size;
    if (start + size > data.byteArray.length) throw new Error("the file ends too early");
    const bytes = data.byteArray.subarray(start, start + size);
    return interleaved(levelsOf(bytes, shape, syntax !== BIG_ENDIAN), shape);
  }
  const packed = packedFrame(data, frame, frames);
  if (syntax === RLE) return interleaved(levelsOf(runs(packed, shape), shape, true), { ...shape, planar: true });
  const { width, height, channels } = announced(packed);
  if (width !== shape.columns || height !== shape.rows || channels > 3) throw new Error(LARGER);
  if (BY_BROWSER.includes(syntax)) return byBrowser(packed, shape);
  return byCodec(BY_CODEC[syntax], packed, shape);
}

function packedFrame(data, frame, frames) {
  const element = data.elements.x7fe00010;
  const { basicOffsetTable: table, fragments } = element;
  try {
    if (frames === 1) {
      return dicomParser.readEncapsulatedPixelDataFromFragments(data, element, 0, fragments.length);
    }
    if (table.length) return dicomParser.readEncapsulatedImageFrame(data, element, frame);
    if (frames === fragments.length) {
      return dicomParser.readEncapsulatedPixelDataFromFragments(data, element, frame);
    }
    const made = dicomParser.createJPEGBasicOffsetTable(data, element);
    return dicomParser.readEncapsulatedImageFrame(data, element, frame, made);
  } catch {
    throw new Error(DAMAGED);
  }
}

/** What a JPEG of any kind, or JPEG 2000, says of its size: {width, height, channels}. */
function announced(packed) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = 0; at + 10 < packed.length; at++) {
    if (packed[at] !== 0xff) continue;
    const marker = packed[at + 1];
    if (marker === 0x51 && packed[at - 1] === 0x4f && at + 42 < packed.length) {
      const [width, height, x, y] = [6, 10, 14, 18].map((offset) => view.getUint32(at + offset));
      return { width: width - x, height: height - y, channels: view.getUint16(at + 38) };
    }
    const frame = (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
    if (frame) {
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), channels: packed[at + 9] };
    }
    if (marker !== 0xff && marker !== 0xd8 && marker >= 0xc0 && marker !== 0x4f) {
      at += 1 + view.getUint16(at + 2); // over a segment, to its last byte
    }
  }
  throw new Error(DAMAGED);
}

async function byBrowser(packed, { samples }) {
  let picture;
  try {
    picture = await createImageBitmap(new Blob([packed]), { colorSpaceConversion: "none" });
  } catch {
    throw new Error(COMPRESSED); // of 12 bits, or damaged
  }
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false });
  context.drawImage(picture, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = rgba.filter((_, at) => (samples === 1 ? at % 4 === 0 : at % 4 !== 3));
  return { data: Float64Array.from(data), channels: samples };
}

async function byCodec(name, packed, shape) {
  const codecs = await import("./codecs.js");
  let found;
  try {
    found = await codecs[name](packed);
  } catch {
    throw new Error(DAMAGED);
  }
  const { data, bits, signed, channels } = found;
  const count = shape.rows * shape.columns * channels;
  if (data.length < count || channels !== shape.samples) throw new Error(DAMAGED);
  const negative = shape.signed && !signed;
  const level = negative ? lowest(bits, true) : (one) => one;
  return { data: Float64Array.from(data.subarray(0, count), level), channels };
}

/** A frame that is packed run by run, every byte of its levels by itself; little-endian, planar.
 * https://dicom.nema.org/medical/dicom/current/output/chtml/part05/chapter_G.html */
function runs(packed, { rows, columns, samples, bits }) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const [count, wide] = [rows * columns, bits / 8];
  if (packed.length < 64 || view.getUint32(0, true) !== samples * wide) throw new Error(DAMAGED);
  const bytes = new Uint8Array(count * samples * wide);
  for (let segment = 0; segment < samples * wide; segment++) {
    const place = Math.floor(segment / wide) * count * wide + (wide - 1 - (segment % wide));
    const start = view.getUint32(4 + 4 * segment, true);
    const next = segment + 1 < samples * wide ? view.getUint32(8 + 4 * segment, true) : packed.length;
    let at = start;
    let done = 0;
    const put = (byte) => {
      if (done < count) bytes[place + wide * done++] = byte;
    };
    while (done < count && at < Math.min(next, packed.length)) {
      const head = packed[at++];
      if (head < 128) for (let i = 0; i <= head; i++) put(packed[at++]);
      else if (head > 128) for (let i = 257 - head, byte = packed[at++]; i > 0; i--) put(byte);
    }
    if (done < count) throw new Error(DAMAGED);
  }
  return bytes;
}

function levelsOf(bytes, { bits, used, signed }, little) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = `get${signed ? "Int" : "Uint"}${bits}`;
  const count = (8 * bytes.length) / bits;
  const level = lowest(Math.min(used || bits, bits), signed);
  return Float64Array.from({ length: count }, (_, at) => level(view[read]((at * bits) / 8, little)));
}

/** Reads the lowest bits of an integer; those above may hold anything. */
function lowest(bits, signed) {
  const unused = 32 - bits;
  return signed ? (one) => (one << unused) >> unused : (one) => (one << unused) >>> unused;
}

/** The levels, those of a pixel together. */
function interleaved(levels, { samples, planar }) {
  if (samples === 1 || !planar) return { data: levels, channels: samples };
  const size = levels.length / samples;
  const data = levels.map((_, at) => levels[(at % samples) * size + Math.floor(at / samples)]);
  return { data, channels: samples };
}
