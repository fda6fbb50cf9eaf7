// A visitor's files -> series of slices, known by their content, as serve/formats/scans.py does it.

import { filesIn, isArchive } from "./archive.js";
import { inOrder, isDicom, readDicom } from "./dicom.js";
import { readNifti } from "./nifti.js";
import { NO_BRAIN, enough, pixelsOf } from "./planes.js";
import { readPicture } from "./raster.js";

const MOST_BYTES = 256 * 2 ** 20;
const GZIP = [0x1f, 0x8b];
const LOOKS_LIKE_ONE =
  /\.(jpe?g?|jfif|mpo|png|bmp|tiff?|webp|gif|jp2|j2k|jpx|avif|hei[cf]|dcm|nii(\.gz)?|zip)$/i;

/**
 * The series of the files, in their order, those of DICOM last: {name, kind, count, planeAt,
 * warnings, localizers}, or {name, error}.
 */
export async function readFiles(files) {
  const found = [];
  const dicom = new Map(); // by series: {name, slices}
  const read = async (name, load, packed) => {
    try {
      const content = await load();
      if (isArchive(content)) {
        if (packed) throw new Error("an archive within an archive is not opened");
        for (const one of await filesIn(name, content)) await read(one.name, one.read, true);
      } else if (isDicom(content)) gather(dicom, name, readDicom(content));
      else found.push({ name, ...(await readOther(name, content)) });
    } catch (error) {
      // in an archive there may be letters and programs as well
      if (!packed || LOOKS_LIKE_ONE.test(name)) found.push({ name, error: error.message });
    }
  };
  for (const file of files) await read(file.name, () => contentOf(file), false);
  for (const { names, slices } of dicom.values()) {
    const chosen = inOrder(slices.filter((one) => !one.localizer));
    const name = names.length > 1 ? `${names[0]} and ${names.length - 1} more` : names[0];
    const kind = chosen.length > 1 ? "DICOM series" : "picture";
    const planeAt = (index) => chosen[index].plane();
    const localizers = slices.length - chosen.length;
    found.push({ name, kind, count: chosen.length, planeAt, warnings: [], localizers });
  }
  return found;
}

/** The slices of a series, one by one: {index, rgb, width, height, stretched}. */
export async function* slicesOf({ count, planeAt, localizers }, skipped, errors) {
  if (localizers) skipped.localizer = localizers;
  const shows = await enough(count, planeAt);
  for (let index = 0; index < count; index++) {
    try {
      const plane = await planeAt(index);
      if (shows(plane)) yield { index, ...pixelsOf(plane) };
      else skipped[NO_BRAIN] = (skipped[NO_BRAIN] ?? 0) + 1;
    } catch (error) {
      errors.push(error.message);
    }
  }
}

function contentOf(file) {
  if (file.size > MOST_BYTES) throw new Error("it is over 256 MB");
  return file.arrayBuffer();
}

function gather(dicom, name, slices) {
  const series = slices[0].series || name;
  if (!dicom.has(series)) dicom.set(series, { names: [], slices: [] });
  dicom.get(series).names.push(name);
  dicom.get(series).slices.push(...slices);
}

async function readOther(name, content) {
  const head = new Uint8Array(content, 0, Math.min(2, content.byteLength));
  if (/\.nii(\.gz)?$/i.test(name) || GZIP.every((byte, at) => head[at] === byte)) {
    const volume = readNifti(content);
    if (volume) return { kind: "NIfTI volume", ...volume };
  }
  const picture = await readPicture(content);
  return { kind: picture.count > 1 ? "stack" : "picture", ...picture };
}
