// DICOM slices by dicom-parser, rescaled, windowed and turned upright as serve/formats/dicom_pixels.py
// does it. Only the fields named here are read: none says who the patient is.

import dicomParser from "dicom-parser";
import { checkSyntax, frameOf, unpacksToRgb } from "./frames.js";
import { roundHalfToEven } from "./grey.js";
import { cut, directionOf, spaceOf } from "./space.js";

const EXPLICIT = "1.2.840.10008.1.2.1";
const OTHER_COLOURS =
  "its colours are stored in a way that this page does not read: the app and the command line may";
const NO_TABLE = "a table of its levels or colours is missing";
const LOCALIZER = "LOCALIZER";
const SHARED_AND_OWN = ["x52009229", "x52009230"]; // functional groups
const PALETTE = "PALETTE COLOR";
const PALETTE_TABLES = [
  ["x00281101", "x00281201"], // descriptor and data: red, green, blue
  ["x00281102", "x00281202"],
  ["x00281103", "x00281203"],
];

export function isDicom(content) {
  if (content.byteLength < 132) return false;
  return String.fromCharCode(...new Uint8Array(content, 128, 4)) === "DICM";
}

/** The slices of one file: [{series, order, height, planeAt, localizer}]. */
export function readDicom(content) {
  let data;
  try {
    data = dicomParser.parseDicom(new Uint8Array(content));
  } catch {
    throw new Error("it is damaged, or not the DICOM that it claims to be");
  }
  const syntax = data.string("x00020010") ?? EXPLICIT;
  checkSyntax(syntax);
  const [rows, columns] = [data.uint16("x00280010"), data.uint16("x00280011")];
  if (!rows || !columns || !data.elements.x7fe00010) throw new Error("a DICOM file without a picture");
  const frames = Math.max(1, data.intString("x00280008") || 1);
  return Array.from({ length: frames }, (_, frame) => {
    const fields = fieldsOf(data, frame);
    const affine = affineOf(fields);
    return {
      series: data.string("x0020000e") ?? "",
      order: data.intString("x00200013") ?? 0,
      frame,
      height: heightOf(affine),
      localizer: (data.string("x00080008") ?? "").split("\\").includes(LOCALIZER),
      plane: async () =>
        upright(await planeOf(fields, syntax, rows, columns, frame, frames), affine, spacingOf(fields)),
    };
  });
}

/** The fields that hold for one frame, side by side: those of multi-frame files lie in functional
 * groups, shared ones and the frame's own. */
function fieldsOf(data, frame) {
  const [shared, own] = SHARED_AND_OWN.map((tag) => data.elements[tag]?.items ?? []);
  const macros = [shared[0], own[frame]].flatMap((group) => Object.values(group?.dataSet.elements ?? {}));
  const grouped = macros.map((macro) => macro.items?.[0]?.dataSet.elements);
  const elements = Object.assign({}, data.elements, ...grouped);
  return new dicomParser.DataSet(data.byteArrayParser, data.byteArray, elements);
}

/** Files' slices in the order of their position; localizers are left out. */
export function inOrder(slices) {
  const known = slices.every((one) => one.height !== null);
  return slices.toSorted((one, other) =>
    known && one.height !== other.height
      ? one.height - other.height
      : one.order - other.order || one.frame - other.frame,
  );
}

async function planeOf(data, syntax, rows, columns, frame, frames) {
  const samples = data.uint16("x00280002") || 1;
  const photometric = data.string("x00280004") ?? "MONOCHROME2";
  const grey = photometric.startsWith("MONOCHROME") || photometric === PALETTE;
  const readable = samples === 1 ? grey : photometric === "RGB";
  if (!readable && (samples === 1 || !unpacksToRgb(syntax))) throw new Error(OTHER_COLOURS);
  const shape = {
    rows,
    columns,
    samples,
    bits: data.uint16("x00280100"),
    used: data.uint16("x00280101"),
    signed: Boolean(data.uint16("x00280103")),
    planar: Boolean(data.uint16("x00280006")),
  };
  const { data: stored, channels } = await frameOf(data, syntax, shape, frame, frames);
  const size = { width: columns, height: rows, channels };
  if (channels === 3) return { levels: { data: stored, ...size }, eight: shape.bits === 8 };
  if (photometric === PALETTE) {
    return { levels: { data: coloured(data, stored), ...size, channels: 3 }, eight: true };
  }
  const rescaledLevels = rescaled(data, stored);
  const { levels, window } = windowed(data, rescaledLevels, rescaledLevels === stored);
  return {
    levels: { data: levels, ...size },
    window,
    negative: (photometric === "MONOCHROME1") !== (data.string("x20500020") === "INVERSE"),
  };
}

/** The colours of a palette, RGB of 8 bits. */
function coloured(data, stored) {
  const rgb = new Uint8ClampedArray(3 * stored.length);
  for (const [channel, [descriptor, entries]] of PALETTE_TABLES.entries()) {
    const table = tableOf(data, descriptor, entries, data.uint16("x00280103"));
    const shift = table.bits > 8 ? 8 : 0;
    stored.forEach((level, at) => (rgb[3 * at + channel] = lookedUp(table, level) >> shift));
  }
  return rgb;
}

function rescaled(data, stored) {
  const slope = numbers(data, "x00281053")[0];
  const intercept = numbers(data, "x00281052")[0] ?? 0;
  const signed = data.uint16("x00280103") ? "int16" : "uint16";
  const padding = data.elements.x00280120 && data[signed]("x00280120");
  let levels = stored;
  if (padding !== undefined && levels.includes(padding)) {
    const least = levels.reduce((a, b) => (b !== padding && b < a ? b : a), Infinity);
    if (least < Infinity) levels = levels.map((one) => (one === padding ? least : one));
  }
  const table = firstTable(data, "x00283000");
  if (table) return levels.map((one) => lookedUp(table, one));
  if (!slope || (slope === 1 && !intercept)) return levels;
  return levels.map((one) => one * slope + intercept);
}

/** The first table of a sequence of lookup tables, if there is one. */
function firstTable(data, sequence) {
  const item = data.elements[sequence]?.items?.[0]?.dataSet;
  return item && tableOf(item, "x00283002", "x00283006", data.uint16("x00280103"));
}

/** A lookup table: {entries, bits, first: the level of its first entry}; `signed`: whether the file's
 * levels are. */
function tableOf(data, descriptor, entries, signed) {
  const [described, held] = [data.elements[descriptor], data.elements[entries]];
  if (!(described?.length >= 6) || !held?.length) throw new Error(NO_TABLE);
  const count = data.uint16(descriptor, 0) || 2 ** 16;
  const vr = described.vr ?? (signed ? "SS" : "US");
  const wide = held.vr === "US" || held.length >= 2 * count;
  const length = Math.min(count, wide ? Math.floor(held.length / 2) : held.length);
  return {
    entries: Array.from({ length }, (_, at) =>
      wide ? data.uint16(entries, at) : data.byteArray[held.dataOffset + at],
    ),
    bits: data.uint16(descriptor, 2),
    first: data[vr === "SS" ? "int16" : "uint16"](descriptor, 1),
  };
}

/** What a table has for a level; beyond its ends the entry at that end. */
function lookedUp({ entries, first }, level) {
  const at = roundHalfToEven(level) - first;
  return entries[Math.max(0, Math.min(entries.length - 1, at))];
}

/** The levels, and which of them are black and white where the file says so. */
function windowed(data, levels, asStored) {
  const table = firstTable(data, "x00283010");
  if (table) {
    return { levels: levels.map((one) => lookedUp(table, one)), window: [0, 2 ** table.bits - 1] };
  }
  const [centre] = numbers(data, "x00281050");
  const [width] = numbers(data, "x00281051");
  const curve = (data.string("x00281056") ?? "LINEAR").toUpperCase();
  if (centre !== undefined && width > 0) {
    if (curve === "SIGMOID") {
      const bent = levels.map((one) => 1 / (1 + Math.exp((-4 * (one - centre)) / width)));
      return { levels: bent, window: [0, 1] };
    }
    if (curve === "LINEAR_EXACT") return { levels, window: [centre - width / 2, centre + width / 2] };
    const half = (width - 1) / 2;
    if (half > 0) return { levels, window: [centre - 0.5 - half, centre - 0.5 + half] };
  }
  const bits = data.uint16("x00280101") || 16;
  if (bits <= 8 && asStored && levels.every((one) => one >= 0)) return { levels, window: [0, 2 ** bits - 1] };
  return { levels, window: undefined };
}

/** From column, row and slice to millimetres right, anterior and superior. */
function affineOf(data) {
  const turn = numbers(data, "x00200037");
  if (turn.length !== 6) return null;
  const [row, down] = [turn.slice(0, 3), turn.slice(3)];
  const normal = [
    row[1] * down[2] - row[2] * down[1],
    row[2] * down[0] - row[0] * down[2],
    row[0] * down[1] - row[1] * down[0],
  ];
  if (!(Math.hypot(...normal) > 0.5)) return null;
  const [rows, columns] = spacingOf(data);
  const position = numbers(data, "x00200032");
  const flip = [-1, -1, 1];
  return [0, 1, 2].map((axis) => [
    flip[axis] * row[axis] * columns,
    flip[axis] * down[axis] * rows,
    flip[axis] * normal[axis],
    flip[axis] * (position.length === 3 ? position[axis] : NaN),
  ]);
}

/** How far along the slices' normal it lies, from right, back or below; null where it is unknown. */
function heightOf(affine) {
  if (!affine) return null;
  const normal = affine.slice(0, 3).map((row) => row[2]);
  const forwards = normal[directionOf(affine, 2)] >= 0 ? 1 : -1;
  const height = normal.reduce((sum, one, axis) => sum + one * affine[axis][3], 0);
  return Number.isFinite(height) ? (forwards * Math.round(100 * height)) / 100 : null;
}

function upright(plane, affine, spacing) {
  if (!affine) return { ...plane, spacing };
  const { data: levels, width, height, channels } = plane.levels;
  const space = spaceOf([width, height, 1], affine, directionOf(affine, 2));
  const turned = cut(space, (at) => at, 0);
  const level = (_, at) => levels[turned.data[Math.floor(at / channels)] * channels + (at % channels)];
  const data = Float64Array.from({ length: levels.length }, level);
  return { ...plane, levels: { ...turned, data, channels }, spacing: space.spacing };
}

function spacingOf(data) {
  for (const tag of ["x00280030", "x00181164", "x00182010", "x00280034"]) {
    const found = numbers(data, tag);
    if (found.length === 2 && Math.min(...found) > 0) return found;
  }
  return [1, 1];
}

function numbers(data, tag) {
  const values = (data.string(tag) ?? "").split("\\").map(Number.parseFloat);
  return values.every(Number.isFinite) ? values : [];
}
