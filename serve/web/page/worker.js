// Runs the model beside the page, so that the page stays alive meanwhile.
// Posts {progress}, then {metadata, threads}; after that, for every {id, bitmap} that it is sent,
// {id, probabilities, cam, oodScore, crop} or {id, error}.

import * as ort from "./ort.wasm.bundle.min.mjs";
import { applyCrop, findHead } from "./crop.js";
import { readMetadata } from "./metadata.js";

// Threads need a page that is isolated from other sites (server.py's headers).
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 8) : 1;

const loading = load();
loading.catch((error) => postMessage({ error: `The model cannot be loaded: ${error.message}` }));

onmessage = async ({ data: { id, bitmap } }) => {
  const session = await loading;
  try {
    postMessage({ id, ...(await classify(session, pixelsOf(bitmap))) });
  } catch (error) {
    postMessage({ id, error: `This picture cannot be classified: ${error.message}` });
  } finally {
    bitmap.close();
  }
};

async function load() {
  const bytes = await download("model.onnx");
  const metadata = readMetadata(bytes);
  const session = await ort.InferenceSession.create(bytes);
  postMessage({ metadata, threads: ort.env.wasm.numThreads });
  return session;
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get("Content-Length"));
  const chunks = [];
  let done = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { value } = await reader.read();
    if (!value) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    done += value.length;
    postMessage({ progress: total ? done / total : null });
  }
}

/** RGB pixels, uint8 (height, width, 3). Transparent pixels become black. */
function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  return { rgb, width, height };
}

async function classify(session, picture) {
  const crop = findHead(picture.rgb, picture.width, picture.height);
  const { rgb, width, height } = crop ? applyCrop(picture.rgb, picture.width, crop) : picture;
  const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
  const { probabilities, cam, ood_score } = await session.run({ image });
  return { probabilities: probabilities.data, cam: cam.data, oodScore: ood_score.data[0], crop };
}
