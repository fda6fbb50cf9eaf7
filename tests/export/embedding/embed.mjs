// The model with ONNX Runtime alone: npm install && node embed.mjs MODEL IMAGE ...

import { readFile } from "node:fs/promises";
import ort from "onnxruntime-node";
import sharp from "sharp";
import { readMetadata } from "../../../serve/web/page/metadata.js";

const [model, ...paths] = process.argv.slice(2);
const bytes = await readFile(model);
const metadata = readMetadata(bytes);
const labels = JSON.parse(metadata.labels);
const session = await ort.InferenceSession.create(bytes);
for (const path of paths) {
  const { data, info } = await sharp(path)
    .flatten()
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  const image = new ort.Tensor("uint8", data, [1, info.height, info.width, 3]);
  const { probabilities, cam, ood_score } = await session.run({ image });
  const best = probabilities.data.indexOf(Math.max(...probabilities.data));
  const refused = ood_score.data[0] > Number(metadata.ood_threshold);
  const map = Array.from({ length: 14 }, (_, row) => {
    const start = 14 * (14 * best + row);
    return [...cam.data.subarray(start, start + 14)];
  });
  const answer = {
    label: refused ? null : labels[best],
    confidence: probabilities.data[best],
    probabilities: [...probabilities.data],
    ood_score: ood_score.data[0],
    map, // Grad-CAM, 14 x 14, 0 to 1
  };
  console.log(JSON.stringify(answer));
}
