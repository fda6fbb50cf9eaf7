// What the page shows and does. The model runs in worker.js.

import { SCALE, drawHeat } from "./heat.js";
import { binOf, isUnsure, meaning } from "./record.js";

const PLAIN_WORDS = {
  glioma: "Glioma",
  meningioma: "Meningioma",
  notumor: "No tumour",
  pituitary: "Pituitary tumour",
};
const FRAMED = " The model has seen what is within the frame.";
const LONGEST_SIDE = 640; // of the drawn scan, in pixels; the model gets the whole picture

const at = (id) => document.getElementById(id);
const worker = new Worker("worker.js", { type: "module" });

let model; // {labels, oodThreshold, bins}, once it is loaded
let asked = { id: 0 }; // the picture that was chosen last: {id, name, started, shrink}
let maps = []; // Grad-CAM of each class, for that picture
let seen; // the part of the drawn scan that they are of

worker.onmessage = ({ data }) => {
  if (data.progress !== undefined) showProgress(data.progress);
  else if (data.metadata) showReady(data.metadata, data.threads);
  else if (data.id !== undefined && data.id !== asked.id) return;
  else if (data.error) showError(data.error);
  else showAnswer(data);
};
worker.onerror = () => showError("The model cannot be run in this browser.");

// Choosing a picture

at("file").onchange = ({ target }) => {
  if (target.files.length) classify(target.files[0], target.files[0].name);
  target.value = ""; // so that the same file can be chosen again
};
for (const button of at("examples").children) {
  button.onclick = () => classify(button.querySelector("img"), `example: ${button.textContent}`);
}
document.ondragover = (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
};
document.ondragleave = () => at("drop").classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) classify(file, file.name);
};

async function classify(source, name) {
  const mine = { id: asked.id + 1, name, started: performance.now() };
  asked = mine;
  clearAnswer();
  let bitmap;
  try {
    bitmap = await createImageBitmap(source, { colorSpaceConversion: "none" });
  } catch {
    if (mine === asked) showError(`${name}: not a picture that this browser can read.`);
    return;
  }
  if (mine !== asked) return;
  drawScan(bitmap, name);
  at("scan-card").scrollIntoView({ behavior: "smooth", block: "nearest" });
  at("status").textContent = model ? "Looking at the scan …" : "Waiting for the model …";
  worker.postMessage({ id: mine.id, bitmap }, [bitmap]);
}

function drawScan(bitmap, name) {
  const shrink = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  asked.shrink = shrink;
  for (const canvas of [at("scan"), at("heat")]) {
    canvas.width = Math.max(1, Math.round(bitmap.width * shrink));
    canvas.height = Math.max(1, Math.round(bitmap.height * shrink));
  }
  const context = at("scan").getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, at("scan").width, at("scan").height);
  at("picture").setAttribute("aria-label", `Your scan, ${name}`);
  at("picture").hidden = false;
  at("invitation").hidden = true;
}

// Showing what came of it

function showProgress(share) {
  if (share !== null) at("progress").value = share;
}

function showReady(metadata, threads) {
  model = {
    labels: JSON.parse(metadata.labels),
    oodThreshold: Number(metadata.ood_threshold.replace("inf", "Infinity")),
    bins: JSON.parse(metadata.track_record ?? "{}").patients ?? [],
  };
  at("progress").hidden = true;
  at("status").textContent = asked.id ? "Looking at the scan …" : "Ready. Choose a scan.";
  const patients = JSON.parse(metadata.metrics).patient?.accuracy;
  at("about").textContent =
    (patients ? `On patients never seen in training, this recipe gets ${percent(patients)} right. ` : "") +
    `Model ${metadata.model_version}, ${metadata.precision}, ` +
    `on ${threads} ${threads === 1 ? "thread" : "threads"} of this machine. ` +
    `Checkpoint ${metadata.source_sha256.slice(0, 12)}. ${metadata.license}.`;
  document.body.dataset.ready = "";
}

function clearAnswer() {
  delete at("answer").dataset.answer;
  at("answer").className = "";
  for (const id of ["verdict", "note", "score"]) at(id).textContent = "";
  at("details").hidden = true;
}

function showError(message) {
  clearAnswer();
  at("progress").hidden = true;
  at("status").textContent = "";
  at("answer").className = "failed";
  at("verdict").textContent = message;
}

/** A part of the picture, on the drawn scan; a frame shows it. Without one it is all of it. */
function seenPart(crop) {
  const { width, height } = at("scan");
  if (!crop) return { x: 0, y: 0, width, height, padding: [0, 0, 0, 0] };
  const scaled = (length) => length * asked.shrink;
  const part = { padding: crop.padding.map(scaled) };
  for (const side of ["x", "y", "width", "height"]) part[side] = scaled(crop[side]);
  const context = at("scan").getContext("2d");
  Object.assign(context, { strokeStyle: "#2dd4bf", lineWidth: 2 });
  context.strokeRect(part.x + 1, part.y + 1, part.width - 2, part.height - 2);
  return part;
}

function showAnswer({ probabilities, cam, oodScore, crop }) {
  seen = seenPart(crop);
  const refused = oodScore > model.oodThreshold;
  const best = probabilities.indexOf(Math.max(...probabilities));
  const seconds = (performance.now() - asked.started) / 1000;
  at("status").textContent = `${asked.name}, answered in ${seconds.toFixed(1)} s`;
  at("score").textContent =
    `Unlikeness to the training scans: ${oodScore.toFixed(2)} ` +
    `(refused above ${model.oodThreshold.toFixed(2)})`;
  if (refused) {
    at("answer").className = "refused";
    at("verdict").textContent = "This does not look like a brain MRI.";
    at("note").textContent = `So no class is given.${crop ? FRAMED : ""}`;
  } else {
    const bin = binOf(model.bins, probabilities[best]);
    at("verdict").textContent = isUnsure(bin) ? unsure(probabilities) : plain(model.labels[best]);
    at("note").textContent =
      `${percent(probabilities[best])} confidence, calibrated. ${meaning(bin)}` +
      (crop ? FRAMED : "");
    showDetails(probabilities, cam, best);
  }
  at("answer").dataset.answer = JSON.stringify({
    label: refused ? null : model.labels[best],
    probabilities: [...probabilities],
    oodScore,
    crop,
    seconds,
  });
}

/** The two likeliest classes, where no single one can be named. */
function unsure(probabilities) {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const [first, second] = order.map((i) => plain(model.labels[i]).toLowerCase());
  return `Unsure: ${first} or ${second}`;
}

function showDetails(probabilities, cam, best) {
  const size = cam.length / model.labels.length;
  maps = model.labels.map((_, i) => cam.subarray(i * size, (i + 1) * size));
  at("bars").replaceChildren(
    ...model.labels.map((label, i) => bar(plain(label), probabilities[i], i === best)),
  );
  at("classes").replaceChildren(...model.labels.map((label, i) => choice(label, i, i === best)));
  at("details").hidden = false;
  showMap(best);
}

function bar(name, probability, best) {
  const item = document.createElement("li");
  const [label, track, value] = ["span", "div", "span"].map((tag) =>
    item.appendChild(document.createElement(tag)),
  );
  label.textContent = name;
  value.textContent = percent(probability);
  track.appendChild(document.createElement("div")).style.width = `${100 * probability}%`;
  item.classList.toggle("best", best);
  return item;
}

function choice(label, index, checked) {
  const element = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "class", value: label, checked });
  input.onchange = () => showMap(index);
  element.append(input, plain(label));
  return element;
}

function showMap(index) {
  drawHeat(at("heat"), maps[index], seen);
  const what = maps[index].some((heat) => heat > 0) ? "evidence" : "no evidence";
  at("picture").setAttribute(
    "aria-label",
    `Your scan, ${asked.name}, with its ${what} for ${plain(model.labels[index])}`,
  );
}

at("opacity").oninput = () => {
  at("heat").style.opacity = at("opacity").value / 100;
};
at("opacity").oninput();
at("scale").style.background = SCALE;

function plain(label) {
  return PLAIN_WORDS[label] ?? label;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}\u00a0%`;
}
