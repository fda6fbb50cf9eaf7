// What the page does by itself: sending files, clearing old answers, saving reports.

// What the parts of an answer become before there is one: Gradio fetches it from here.
window.said = [];

// Of every box: how often it was asked, what its answer's parts say now, the files that were sent
// to it, what was asked of the server, and how its component tells it.
const boxes = {};

window.sentTo = (box) => boxes[box].sent;

// The parts of the first tab that do not listen yet. Once all do, `window.showClass` is there.
const deaf = new Set(["scan-box", "examples", "answer", "pictures"]);

function listens(element) {
  deaf.delete(element.closest(".block").id);
  if (!deaf.size) window.showClass = showClass; // viewer.js
}

function newBox(trigger) {
  return { turn: 0, parts: [], sent: [], asked: null, trigger };
}

// What the server is asked of a box: an example, or else what was sent; cut out or not, or what
// the visitor has framed.
function wanted(box) {
  const { frame, ...asked } = boxes[box].asked ?? {};
  return { ...asked, crop: frame ?? document.querySelector(`#${box} [name=crop]`).checked };
}

// The same is asked once more, with the frame that was drawn, if there is one.
function lookAgain(box, frame) {
  const { asked, trigger } = boxes[box];
  if (!asked) return;
  asked.frame = frame;
  const turn = turnOf(box);
  say(box, pending("Looking once more …"), trigger);
  trigger("upload", { ...wanted(box), turn });
}

document.addEventListener("frame", ({ detail }) => lookAgain("scan-box", detail));

// Something new is asked of a box: whatever it answered before goes. Gives the turn's name.
function turnOf(box) {
  boxes[box].turn += 1;
  return `${box} ${boxes[box].turn}`;
}

function say(box, parts, trigger) {
  window.said = parts;
  boxes[box].parts = parts;
  trigger("clear");
}

const MEBIBYTE = 2 ** 20;
const HINTS = {
  blocked: "The browser does not let this page read the clipboard. Press Ctrl+V (⌘V) instead.",
  empty: "There is no picture in the clipboard.",
  nothing: "That was no file. Save the picture first, then drop its file here.",
};

function escaped(text) {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML.replaceAll('"', "&quot;");
}

function isLate(turn) {
  const [box, number] = turn.split(" ");
  return Number(number) !== boxes[box].turn;
}

function looking(name) {
  return `Looking at ${name} …`;
}

function pending(words) {
  return [`<p class="waiting">${escaped(words)}</p>`, ""];
}

function failure(heading, reason) {
  const words = `<h2>${escaped(heading)}</h2><p>${escaped(reason)}</p>`;
  return [`<section class="answer failed" role="alert">${words}</section>`, ""];
}

window.failed = () =>
  failure("There is no answer", "The server could not answer, or too many are waiting: try again.");

// A box takes files that are dropped anywhere, pasted anywhere, or chosen, while it is on show.
window.dropBox = (element, trigger, upload) => {
  const input = element.querySelector("input[type=file]");
  const status = element.querySelector("[role=status]");
  const { bytes, most } = input.dataset;
  const box = element.closest(".block").id;
  boxes[box] = newBox(trigger);

  const problem = (files) => {
    if (!files.length) return HINTS.nothing;
    if (!input.multiple && files.length > 1) {
      return `These are ${files.length} files. The tab “Several files” takes them together.`;
    }
    if (input.multiple && files.length > most) {
      return `${files.length} files are too many: at most ${most} at once. ` +
        "The command line takes any number: brain-tumor-vgg16 --csv answers.csv FOLDER";
    }
    const large = files.find((file) => file.size > bytes);
    return large && `${large.name}: ${(large.size / MEBIBYTE).toFixed(1)} MB exceed the maximum ` +
      `allowed size of ${bytes / MEBIBYTE} MB.`;
  };

  const tell = (parts) => say(box, parts, trigger);

  const take = async (list) => {
    const turn = turnOf(box);
    const files = [...list];
    boxes[box].asked = null;
    const wrong = problem(files);
    status.textContent = "";
    if (wrong) return tell(failure("This could not be taken", wrong));
    const sent = [];
    tell(pending(input.multiple ? `Sending ${files.length} files …` : looking(files[0].name)));
    try {
      for (const file of files) {
        const { path } = await upload(file);
        if (isLate(turn)) return; // something else was chosen meanwhile
        sent.push({ path, orig_name: file.name, meta: { _type: "gradio.FileData" } });
        if (sent.length % 5 === 0) tell(pending(`${sent.length} of ${files.length} files sent …`));
      }
    } catch (error) {
      if (!isLate(turn)) tell(failure("This could not be sent", reason(error)));
      return;
    }
    Object.assign(boxes[box], { sent, asked: {} });
    trigger("upload", { ...wanted(box), turn });
  };

  const reason = (error) => {
    const words = String(error.message ?? error);
    try {
      return JSON.parse(words).detail;
    } catch {
      return words;
    }
  };

  const listen = (kind, act) =>
    document.addEventListener(kind, (event) => {
      if (element.checkVisibility()) act(event);
    });

  input.addEventListener("change", () => {
    const chosen = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    if (chosen.length) take(chosen);
  });
  element.querySelector("[name=crop]").addEventListener("change", () => lookAgain(box));
  listen("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  listen("dragleave", () => element.classList.remove("over"));
  listen("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    take(event.dataTransfer?.files ?? []);
  });
  listen("paste", (event) => {
    const files = event.clipboardData?.files;
    if (files?.length) take(files);
  });
  element.querySelector(".paste").addEventListener("click", async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const kind = item.types.find((type) => type.startsWith("image/"));
        if (!kind) continue;
        const name = `pasted.${kind.split("/")[1]}`;
        return take([new File([await item.getType(kind)], name, { type: kind })]);
      }
      status.textContent = HINTS.empty;
    } catch {
      status.textContent = HINTS.blocked;
    }
  });
  listens(element);
};

window.examples = (element, trigger) => {
  element.addEventListener("click", (event) => {
    const example = event.target.closest("button[data-example]")?.dataset;
    if (!example) return;
    const turn = turnOf("scan-box");
    say("scan-box", pending(looking(example.name)), trigger);
    const asked = { example: Number(example.example) };
    boxes["scan-box"].asked = asked;
    trigger("click", { ...wanted("scan-box"), turn });
  });
  listens(element);
};

// An answer, or its pictures. One that comes late gives way to what is said already; on a phone
// an answer scrolls into view; a screen reader reads it out.
window.result = (element, watch, props) => {
  const part = Number(Boolean(element.closest("#pictures, #card-pictures")));
  if (!part) element.setAttribute("aria-live", "polite");
  watch("value", () => {
    const turn = element.querySelector("[data-turn]")?.dataset.turn;
    if (turn) {
      const { parts } = boxes[turn.split(" ")[0]];
      if (isLate(turn)) props.value = parts[part];
      else parts[part] = props.value;
    }
    dress(element); // viewer.js
    if (!part && element.childElementCount) {
      element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
  });
  if (["answer", "pictures"].includes(element.closest(".block").id)) listens(element);
};

// What may be wider than the screen scrolls inside itself, by keyboard too.
window.about = (element) => {
  const panel = element.closest("[role=tabpanel]");
  const reach = () => {
    for (const wide of panel.querySelectorAll(".card table, .card pre")) wide.tabIndex = 0;
  };
  new MutationObserver(reach).observe(panel, { childList: true, subtree: true });
  reach();
};

// Reports

const SAVING = "Making the report …";

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("button.report");
  if (!button) return;
  const box = button.closest("#pictures") ? "scan-box" : "files-box";
  const opened = button.closest("#card") ? { cards: boxes.card.cards } : {};
  button.dataset.words ??= button.textContent;
  button.textContent = SAVING;
  boxes[box].trigger("submit", { ...wanted(box), ...opened });
});

function reportsAreDone(words) {
  for (const button of document.querySelectorAll("button.report[data-words]")) {
    if (button.textContent === SAVING) button.textContent = words ?? button.dataset.words;
  }
}

window.saveReport = (page) => {
  saveFile(new Blob([page], { type: "text/html" }), "report.html"); // viewer.js
  reportsAreDone();
};

window.noReport = () => reportsAreDone("There is no report: please send the files again");
