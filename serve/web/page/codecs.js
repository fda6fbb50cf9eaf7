// The compressions of DICOM that no browser knows, by packages: build.py makes a file of its own of
// it, which is loaded when a scan needs it. Each gives {data, bits, signed, channels}.

import charls from "@cornerstonejs/codec-charls/decodewasmjs";
import charlsWasm from "@cornerstonejs/codec-charls/decodewasm";
import openjpeg from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import openjpegWasm from "@cornerstonejs/codec-openjpeg/decodewasm";
import { Decoder } from "jpeg-lossless-decoder-js";

const quiet = { print: () => {}, printErr: () => {} };
const modules = new Map();

function moduleOf(factory, wasmBinary) {
  if (!modules.has(factory)) modules.set(factory, factory({ ...quiet, wasmBinary }));
  return modules.get(factory);
}

export async function jpeg2000(packed) {
  const { J2KDecoder } = await moduleOf(openjpeg, openjpegWasm);
  return decoded(new J2KDecoder(), packed);
}

export async function jpegLs(packed) {
  const { JpegLSDecoder } = await moduleOf(charls, charlsWasm);
  return decoded(new JpegLSDecoder(), packed);
}

export function losslessJpeg(packed) {
  const decoder = new Decoder();
  const data = decoder.decode(lengthened(packed).buffer);
  const { precision, numComp } = decoder.frame;
  return { data, bits: precision, signed: false, channels: numComp };
}

/** With zeros before its end: the decoder loses the last level where it meets the end at once. */
function lengthened(packed) {
  const end = packed.lastIndexOf(0xd9) - 1;
  const longer = new Uint8Array(packed.length + 8);
  longer.set(packed.subarray(0, end));
  longer.set(packed.subarray(end), end + 8);
  return longer;
}

function decoded(decoder, packed) {
  try {
    decoder.getEncodedBuffer(packed.length).set(packed);
    decoder.decode();
    const { bitsPerSample, isSigned, componentCount } = decoder.getFrameInfo();
    const bytes = decoder.getDecodedBuffer().slice(); // it lies in the decoder's own memory
    const kind = bitsPerSample > 8 ? (isSigned ? Int16Array : Uint16Array) : isSigned ? Int8Array : Uint8Array;
    const data = new kind(bytes.buffer, 0, Math.floor(bytes.length / kind.BYTES_PER_ELEMENT));
    return { data, bits: bitsPerSample, signed: Boolean(isSigned), channels: componentCount };
  } finally {
    decoder.delete();
  }
}
