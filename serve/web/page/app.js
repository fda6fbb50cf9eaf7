// What the page shows and does. worker.js reads the files and runs the model; viewer.js, the app's
// own, is what a scan is looked at with.

import { answer, failure, refusal, seriesAnswer } from "./answers.js";
import { cards } from "./cards.js";
import { reportOf } from "./report.js";
import { byHand, refusedPicture, together, viewer } from "./viewers.js";

const PATIENCE = 5000; // milliseconds that the service worker may take
const STALLED = 30_000; // milliseconds after the download in which threads must have started

const at = (id) => document.getElementById(id);
const words = await (await fetch("words.json")).json();
const waiting = { answer: at("answer").innerHTML, pictures: at("pictures").innerHTML };

let worker;
let model; // {oodThreshold, record}, once it is loaded
let asked = { id: 0, files: [] }; // {id, files, frame, started}: what was chosen last
let results = []; // its answers
let shown = []; // the answers whose pictures are on show
let urls = []; // of its pictures

/** Has sw.js keep the files for later and, on hosts that set no headers, isolate the page: that
 * takes one reload. */
async function isolate() {
  if (!navigator.serviceWorker) return;
  try {
    await navigator.serviceWorker.register("sw.js");
    await inTime(navigator.serviceWorker.ready);
    if (!navigator.serviceWorker.controller) {
      await inTime(
        new Promise((done) => {
          navigator.serviceWorker.addEventListener("controllerchange", done, { once: true });
        }),
      );
    }
    const helped = navigator.serviceWorker.controller;
    if (helped && !crossOriginIsolated && !sessionStorage.getItem("isolated")) {
      sessionStorage.setItem("isolated", "tried");
      location.reload();
      await new Promise(() => {});
    }
  } catch {
    // a browser that keeps nothing, as in private windows: it goes on without
  }
}

function inTime(promise) {
  return Promise.race([promise, new Promise((done) => setTimeout(done, PATIENCE))]);
}

function start(threads = 0) {
  worker?.terminate();
  worker = new Worker(`worker.js?threads=${threads}&bytes=${words.bytes}`, { type: "module" });
  let stalled;
  const alone = () => threads === 1 || !crossOriginIsolated;
  const again = () => start(1);
  worker.onmessage = ({ data }) => {
    if (data.progress !== undefined) {
      at("progress").value = data.progress;
      if (data.progress === 1 && !alone()) stalled ??= setTimeout(again, STALLED);
    } else if (data.metadata) {
      clearTimeout(stalled);
      showReady(data.metadata, data.threads);
    } else if (data.failed) {
      clearTimeout(stalled);
      if (alone()) showError("The model", data.failed);
      else again();
    } else if (data.id === asked.id) showPart(data);
  };
  worker.onerror = () => (alone() ? showError("The model", "it cannot be run in this browser") : again());
}

// Choosing

const box = at("scan-box");
const input = box.querySelector("input");
const crop = box.querySelector("[name=crop]");
const hint = box.querySelector("[role=status]");

input.onchange = () => {
  const chosen = [...input.files];
  input.value = ""; // so that the same file can be chosen again
  if (chosen.length) take(chosen);
};
crop.onchange = () => {
  if (asked.files.length) take(asked.files);
};
document.addEventListener("frame", ({ detail }) => take(asked.files, detail)); // framing.js
document.ondragover = (event) => {
  event.preventDefault();
  box.classList.add("over");
};
document.ondragleave = () => box.classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  box.classList.remove("over");
  take([...(event.dataTransfer?.files ?? [])]);
};
document.onpaste = (event) => {
  if (event.clipboardData?.files.length) take([...event.clipboardData.files]);
};
box.querySelector(".paste").onclick = async () => {
  hint.textContent = "";
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) return take([new File([await item.getType(type)], `pasted.${type.split("/")[1]}`)]);
    }
    hint.textContent = words.hints.empty;
  } catch {
    hint.textContent = words.hints.blocked;
  }
};
at("examples").onclick = async ({ target }) => {
  const name = target.closest("[data-example]")?.dataset.name;
  if (name) take([new File([await (await fetch(`examples/${name}`)).blob()], name)]);
};

function take(files, frame = null) {
  asked = { id: asked.id + 1, files, frame, started: performance.now() };
  results = [];
  hint.textContent = "";
  clear();
  at("answers").replaceChildren();
  if (!files.length) return showError("This", words.hints.nothing);
  if (files.length > words.most) return showError(`${files.length} files`, words.tooMany);
  const what = files.length > 1 ? `${files.length} files` : files[0].name;
  at("status").textContent = model ? `Looking at ${what} …` : `Waiting for the model, then ${what} …`;
  if (model) ask();
}

function ask() {
  worker.postMessage({ id: asked.id, files: asked.files, crop: asked.frame ?? crop.checked });
}

// Showing what came of it

function showReady(metadata, threads) {
  model = {
    oodThreshold: Number(metadata.ood_threshold.replace("inf", "Infinity")),
    record: JSON.parse(metadata.track_record ?? "{}"),
  };
  at("progress").hidden = true;
  if (asked.files.length) ask();
  else at("status").textContent = "Ready. Choose a scan.";
  at("about").textContent =
    `Model ${metadata.model_version}, ${metadata.precision}, ` +
    `on ${threads} ${threads === 1 ? "thread" : "threads"} of this machine. ` +
    `Checkpoint ${metadata.source_sha256.slice(0, 12)}. ${metadata.license}.`;
  document.body.dataset.ready = "";
}

function showPart(data) {
  if (data.error) return showError(asked.files[0]?.name ?? "This", data.error);
  if (data.answer) {
    results.push(data.answer);
    at("status").textContent = `${data.done} of ${data.all} answered …`;
    return undefined;
  }
  const answered = results.filter((one) => !one.error).length;
  const seconds = (performance.now() - asked.started) / 1000;
  at("status").textContent =
    `${answered} of ${results.length} ${results.length === 1 ? "file" : "files"} answered ` +
    `in ${seconds.toFixed(1)} s.`;
  if (results.length === 1) {
    showWhole(results[0]);
    at("answer").dataset.answer = JSON.stringify(plain(results[0], seconds));
  } else {
    at("answers").innerHTML = cards(words, results, addressOf);
    at("answer").innerHTML = '<p class="waiting">Choose a card for its whole answer.</p>';
    at("answers").scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
  return undefined;
}

/** The whole answer of a picture or series. */
function showWhole(result) {
  clear();
  shown = [result];
  if (result.error) at("answer").innerHTML = failure(result.name, result.error);
  else if (result.slices.length > 1) {
    at("answer").innerHTML = seriesAnswer(words, result);
    at("pictures").innerHTML = viewer(words, result, addressOf);
  } else {
    const scan = { ...result.slices[0], name: result.name, warnings: result.warnings };
    const refused = scan.label === null;
    at("answer").innerHTML = refused
      ? refusal(words, scan, model.oodThreshold)
      : answer(words, model.record, scan);
    const pictures = refused
      ? refusedPicture(scan, addressOf)
      : viewer(words, { ...result, slices: [scan] }, addressOf);
    const only = results.length === 1;
    at("pictures").innerHTML = pictures + (only ? byHand(words, scan, asked.frame) : "");
  }
  dress(at("pictures")); // viewer.js
  at("answer").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

/** Some of the answers side by side. */
function showTogether(numbers) {
  clear();
  shown = numbers.map((one) => results[one]);
  at("answer").innerHTML = words.compared.replace("{}", shown.length);
  at("pictures").innerHTML = together(words, shown, addressOf);
  dress(at("pictures")); // viewer.js
  at("answer").scrollIntoView({ block: "start", behavior: "smooth" });
}

function clear() {
  delete at("answer").dataset.answer;
  at("answer").innerHTML = waiting.answer;
  at("pictures").innerHTML = waiting.pictures;
  shown = [];
  if (!results.length) {
    for (const url of urls) URL.revokeObjectURL(url);
    urls = [];
  }
}

function showError(name, reason) {
  clear();
  at("progress").hidden = true;
  at("status").textContent = "";
  at("answer").innerHTML = failure(name, reason);
}

function addressOf(blob) {
  const url = URL.createObjectURL(blob);
  urls.push(url);
  return url;
}

/** What a program, or a test, reads off the page. */
function plain(result, seconds) {
  if (result.error) return { error: result.error };
  const { label, probabilities, oodScore, crop } = result.slices[0];
  const { tumour, run, suspicious, classes } = result;
  const labels = result.slices.map((one) => one.label);
  return { label, probabilities, oodScore, crop, seconds, tumour, run, suspicious, classes, labels };
}

// Cards and reports

document.addEventListener("click", async ({ target }) => {
  const card = target.closest?.("[data-card]");
  if (card) showWhole(results[Number(card.dataset.card)]);
  if (target.closest?.(".compare-cards")) showTogether(comparedIn(at("answers"))); // choose.js
  const button = target.closest?.("button.report");
  if (!button) return;
  const chosen = button.closest("#answers") ? results : shown;
  const page = await reportOf(words, model, chosen);
  saveFile(new Blob([page], { type: "text/html" }), "report.html"); // viewer.js
});

at("answers").addEventListener("input", ({ target }) => chooseAmong(at("answers"), target));

await isolate();
start();
