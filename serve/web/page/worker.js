// Reads files and runs the model beside the page, so that the page stays alive meanwhile.
// Posts {progress}, then {metadata, threads}; after that, for every {id, files, crop} that it is sent
// (crop: true, false, or what is to be cut out, {x, y, width, height}),
// {id, done, all, answer} for each series as it comes, and {id, finished}; or {id, error}.

import * as ort from "./ort.wasm.bundle.min.mjs";
import {
  SAMPLED,
  looksTurned,
  mayBeTurned,
  panelsOf,
  readFiles,
  slicesOf,
  turnedViews,
  viewOf,
} from "./decode.js";
import { drawHeat } from "./heat.js";
import { readMetadata } from "./metadata.js";
import { isUnsure } from "./record.js";
import { summary } from "./series.js";
import { inShort, unfamiliar } from "./unfamiliar.js";

const [SCAN, SLICE] = [800, 512]; // pixels, the longer side of what is shown
const [HEAT, SMALL_HEAT] = [320, 112]; // and of the map over it
const HEALTHY = "notumor";
const FRAME = "#2dd4bf";
const INVERTED = "It looks inverted: the background is bright.";
const TURNED = "Turned by 90 degrees? On its side it is far more like a scan.";

// Threads need a page that is isolated from other sites (server.py's headers, or sw.js), and fail
// in some browsers: app.js then starts this anew with one.
const asked = Number(new URL(self.location).searchParams.get("threads"));
ort.env.wasm.numThreads = self.crossOriginIsolated
  ? asked || Math.min(navigator.hardwareConcurrency, 8)
  : 1;

let model; // {session, labels, oodThreshold, oodWarning, record}
let turn = 0; // what was asked last
const loading = load();
loading.catch((error) => postMessage({ failed: error.message }));

onmessage = async ({ data: { id, files, crop } }) => {
  turn = id;
  try {
    await loading;
    const found = await readFiles(files);
    if (!found.length) throw new Error("it holds no picture that is read here");
    for (const [number, series] of found.entries()) {
      const answer = await answerOf(series, id, crop);
      if (turn !== id) return; // something else was asked meanwhile
      postMessage({ id, done: number + 1, all: found.length, answer });
    }
    postMessage({ id, finished: true });
  } catch (error) {
    if (turn === id) postMessage({ id, error: error.message });
  }
};

async function load() {
  const total = Number(new URL(self.location).searchParams.get("bytes"));
  let done = 0;
  const count = (bytes) => {
    done += bytes;
    postMessage({ progress: Math.min(1, done / total) });
  };
  const [wasm, bytes] = await Promise.all([
    inflated("ort-wasm-simd-threaded.wasm.gz", count),
    inflated("model.onnx.gz", count),
  ]);
  ort.env.wasm.wasmBinary = wasm.buffer;
  const metadata = readMetadata(bytes);
  const session = await ort.InferenceSession.create(bytes);
  const labels = JSON.parse(metadata.labels);
  const size = Number(metadata.input_size);
  await session.run({ image: new ort.Tensor("uint8", new Uint8Array(size * size * 3), [1, size, size, 3]) });
  model = {
    session,
    labels,
    size,
    oodThreshold: Number(metadata.ood_threshold.replace("inf", "Infinity")),
    oodWarning: Number(metadata.ood_warning ?? Infinity),
    record: JSON.parse(metadata.track_record ?? "{}"),
  };
  postMessage({ metadata, threads: ort.env.wasm.numThreads });
}

/** A file that build.py has compressed, unless the host has taken that off already. */
async function inflated(url, count) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const chunks = [];
  for await (const chunk of chunksOf(response.body)) {
    chunks.push(chunk);
    count(chunk.length);
  }
  const whole = new Blob(chunks);
  const [first, second] = new Uint8Array(await whole.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return new Uint8Array(await whole.arrayBuffer());
  const body = whole.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

async function* chunksOf(stream) {
  const reader = stream.getReader(); // Safari does not iterate streams
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

async function answerOf(series, id, crop) {
  if (series.error) return series;
  const [skipped, errors, slices, sideways] = [{}, [], [], []];
  const { kind, count, parts } = await unfolded(series, skipped, errors, crop);
  const several = count > 1;
  const sampled = several ? SAMPLED.map((share) => Math.floor(share * count)) : [0];
  for await (const part of parts) {
    if (turn !== id) return null;
    const { view, ...slice } = await drawn(part, several, crop);
    slices.push({ ...slice, ...(await classified(view, slice, several)) });
    if (sampled.includes(part.index)) sideways.push(await isTurned(view, slices.at(-1).oodScore));
  }
  if (!slices.length) {
    const error = errors[0] ?? `nothing to classify: ${Object.keys(skipped).join(", ")}`;
    return { name: series.name, error };
  }
  const { name } = series;
  const warnings = several ? summaryWarnings(slices) : slices[0].warnings;
  if (2 * sideways.filter(Boolean).length > sideways.length) warnings.push(TURNED);
  return { name, kind, slices, skipped, errors, warnings: [...series.warnings, ...warnings], ...summary(slices) };
}

/** The slices of a series, or the panels of a picture that is a sheet: {kind, count, parts}. */
async function unfolded(series, skipped, errors, crop) {
  const { kind, count } = series;
  const parts = slicesOf(series, skipped, errors);
  if (count > 1 || crop !== true) return { kind, count, parts };
  const { value: picture } = await parts.next();
  const panels = picture ? panelsOf(picture) : [];
  if (!panels.length) return { kind, count, parts: picture ? [picture] : [] };
  return { kind: "sheet", count: panels.length, parts: panels };
}

function summaryWarnings(slices) {
  const counts = new Map();
  for (const one of slices.flatMap((slice) => slice.warnings.map(inShort))) {
    counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `${text} (${count} of ${slices.length} slices)`);
}

/** A slice with its picture for the page, the part of it that is seen, and that for the model. */
async function drawn({ index, rgb, width, height, stretched }, several, crop) {
  const whole = canvasOf(rgb, width, height);
  const square = stretched[0] === width && stretched[1] === height;
  const view = viewOf(square ? { rgb, width, height } : resized(whole, stretched), crop);
  const [across, down] = fitted(stretched, several ? SLICE : SCAN);
  const picture = new OffscreenCanvas(across, down);
  const context = picture.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, across, down);
  const seen = view.crop && scaled(view.crop, across / stretched[0], down / stretched[1]);
  if (seen) {
    const thick = Math.max(1, Math.round(Math.max(across, down) / 300));
    Object.assign(context, { strokeStyle: FRAME, lineWidth: thick });
    context.strokeRect(
      seen.x + thick / 2,
      seen.y + thick / 2,
      seen.width - thick,
      seen.height - thick,
    );
  }
  const scan = await picture.convertToBlob({ type: "image/webp", quality: 0.9 });
  const warnings = view.inverted ? [INVERTED] : [];
  return { index, warnings, scan, pixels: stretched, size: [across, down], seen, view };
}

function canvasOf(rgb, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < rgb.length; to += 4) {
    for (let c = 0; c < 3; c++) rgba[to + c] = rgb[from++];
  }
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}

/** A canvas's pixels in another size, uint8 RGB. */
function resized(canvas, [width, height]) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false });
  context.drawImage(canvas, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { rgb: data.filter((_, at) => at % 4 !== 3), width, height };
}

/** A part of a picture in a smaller or larger copy. */
function scaled(crop, across, down) {
  const [left, top, right, bottom] = crop.padding;
  return {
    x: crop.x * across,
    y: crop.y * down,
    width: crop.width * across,
    height: crop.height * down,
    padding: [left * across, top * down, right * across, bottom * down],
  };
}

async function classified(view, { size, seen, warnings }, several) {
  const { probabilities, cam, ood_score: score } = await run(view);
  const oodScore = score.data[0];
  const answer = await said(probabilities.data, cam.data, oodScore, size, seen, several);
  if (isUnlike(oodScore)) warnings.push(unfamiliar(answer.confidence, model.record));
  return { warnings, crop: view.crop, ...answer };
}

/** Whether a slice with this score lies on its side; up to two more pictures are asked about. */
async function isTurned(view, oodScore) {
  if (!mayBeTurned(view, oodScore)) return false;
  const scores = [];
  for (const one of turnedViews(view)) scores.push((await run(one)).ood_score.data[0]);
  return looksTurned(oodScore, scores, model.oodThreshold);
}

function run({ rgb, width, height }) {
  const image = new ort.Tensor("uint8", Uint8Array.from(rgb), [1, height, width, 3]);
  return model.session.run({ image });
}

function isUnlike(oodScore) {
  return oodScore <= model.oodThreshold && oodScore > model.oodWarning;
}

async function said(row, cam, oodScore, size, seen, several) {
  if (oodScore > model.oodThreshold) {
    const none = { label: null, confidence: null, probabilities: null, tumour: null };
    return { ...none, unsure: false, oodScore, heats: {}, maps: {} };
  }
  const best = row.indexOf(Math.max(...row));
  const cells = cam.length / model.labels.length;
  const [heats, maps] = [{}, {}];
  for (const [at, label] of model.labels.entries()) {
    maps[label] = cam.slice(at * cells, (at + 1) * cells);
    const canvas = new OffscreenCanvas(...fitted(size, several ? SMALL_HEAT : HEAT));
    const { width, height } = canvas;
    const part = seen
      ? scaled(seen, width / size[0], height / size[1])
      : { x: 0, y: 0, width, height, padding: [0, 0, 0, 0] };
    drawHeat(canvas, maps[label], part);
    heats[label] = await canvas.convertToBlob({ type: "image/png" });
  }
  const probabilities = Object.fromEntries(model.labels.map((label, at) => [label, row[at]]));
  return {
    label: model.labels[best],
    confidence: row[best],
    probabilities,
    tumour: 1 - probabilities[HEALTHY],
    unsure: isUnsure(model.record, row[best], isUnlike(oodScore)),
    oodScore,
    heats,
    maps,
  };
}

function fitted([width, height], longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}
