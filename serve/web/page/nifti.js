// NIfTI volumes, cut into slices as serve/formats/nifti.py cuts them.

import * as nifti from "nifti-reader-js";
import { cut, finest, spaceOf } from "./space.js";

const TYPES = {
  2: Uint8Array,
  4: Int16Array,
  8: Int32Array,
  16: Float32Array,
  64: Float64Array,
  256: Int8Array,
  512: Uint16Array,
  768: Uint32Array,
};

/** {count, planeAt, warnings} of a file's bytes, or null where it is no NIfTI. */
export function readNifti(content) {
  const buffer = nifti.isCompressed(content) ? nifti.decompress(content) : content;
  if (!nifti.isNIFTI(buffer)) return null;
  const header = nifti.readHeader(buffer);
  const [dimensions, ...sizes] = header.dims;
  const shape = [0, 1, 2].map((axis) => (axis < dimensions ? sizes[axis] : 1));
  const volumes = sizes.slice(3, dimensions).reduce((product, size) => product * size, 1);
  const Type = TYPES[header.datatypeCode];
  if (!Type) throw new Error("voxels of this type are not grey levels");
  const voxels = shape[0] * shape[1] * shape[2];
  const bytes = nifti.readImage(header, buffer).slice(0, voxels * Type.BYTES_PER_ELEMENT);
  if (bytes.byteLength < voxels * Type.BYTES_PER_ELEMENT) throw new Error("the file ends too early");
  if (!header.littleEndian) swap(new Uint8Array(bytes), Type.BYTES_PER_ELEMENT);
  const levels = new Type(bytes);
  const slope = header.scl_slope || 1;
  const intercept = header.scl_slope ? header.scl_inter : 0;
  const affine = affineOf(header);
  const space = spaceOf(shape, affine, finest(shape, affine));
  const level = (at) => {
    const value = levels[at] * slope + intercept;
    return Number.isFinite(value) ? value : 0;
  };
  return {
    count: shape[space.axes[0]],
    planeAt: (index) => ({
      levels: { ...cut(space, level, index), channels: 1 },
      spacing: space.spacing,
    }),
    warnings: volumes > 1 ? [`It holds ${volumes} volumes; the first was read.`] : [],
  };
}

function affineOf(header) {
  if (header.sform_code > 0 || header.qform_code > 0) return header.affine;
  const [, x, y, z] = header.pixDims;
  return [
    [-x, 0, 0, 0],
    [0, y, 0, 0],
    [0, 0, z, 0],
    [0, 0, 0, 1],
  ];
}

function swap(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
