// The frame that a visitor draws around the scan. What is chosen is a "frame" event of the
// document: {x, y, width, height} in the picture's pixels, or null to take the frame away.

const LEAST = 2; // percent of the picture, a side of the frame

const EDGES = ["left", "top", "right", "bottom"];
let drawing; // {canvas, pointer, x, y}: where a pointer went down

function edgesOf(framing) {
  return EDGES.map((edge) => Number(framing.querySelector(`[name=${edge}]`).value));
}

function setEdges(framing, edges) {
  for (const [at, edge] of EDGES.entries()) {
    const slider = framing.querySelector(`[name=${edge}]`);
    slider.value = edges[at];
    slider.setAttribute("aria-valuetext", `${slider.value} percent`);
  }
  const [left, top, right, bottom] = edgesOf(framing);
  const inset = `${top}% ${100 - right}% ${100 - bottom}% ${left}%`;
  framing.querySelector(".frame").style.inset = inset;
}

// An edge that meets the one across pushes it on.
function push(framing, moved) {
  const edges = edgesOf(framing);
  const at = EDGES.indexOf(moved);
  const across = (at + 2) % 4;
  edges[at] = at < 2 ? Math.min(edges[at], 100 - LEAST) : Math.max(edges[at], LEAST);
  if (at < 2) edges[across] = Math.max(edges[across], edges[at] + LEAST);
  else edges[across] = Math.min(edges[across], edges[at] - LEAST);
  setEdges(framing, edges);
}

function drawTo(event) {
  const [x, y] = placeIn(drawing.canvas, event) // viewer.js
    .map((place) => Math.min(100, Math.max(0, place)));
  const sides = [Math.abs(x - drawing.x), Math.abs(y - drawing.y)];
  if (Math.min(...sides) < LEAST) return;
  const edges = [Math.min(x, drawing.x), Math.min(y, drawing.y)];
  edges.push(Math.max(x, drawing.x), Math.max(y, drawing.y));
  setEdges(drawing.canvas.closest(".framing"), edges);
}

// The answer comes anew, and the framing with it: what follows in reading order is the answer.
function choose(framing, detail) {
  const answer = document.getElementById("answer");
  answer.tabIndex = -1;
  answer.focus({ preventScroll: true });
  framing.dispatchEvent(new CustomEvent("frame", { bubbles: true, detail }));
}

function frameOf(framing) {
  const { width, height } = framing.dataset;
  const [left, top, right, bottom] = edgesOf(framing).map(
    (percent, at) => Math.round((percent / 100) * (at % 2 ? height : width)),
  );
  return { x: left, y: top, width: right - left, height: bottom - top };
}

document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.matches?.(".framing[open]")) return;
    target.querySelector("img").src = target.parentElement.querySelector("img").src;
    setEdges(target, edgesOf(target));
  },
  true,
);

document.addEventListener("input", ({ target }) => {
  const framing = target.closest?.(".framing");
  if (framing) push(framing, target.name);
});

document.addEventListener("click", ({ target }) => {
  const framing = target.closest?.(".framing");
  if (target.matches?.(".frame-it")) choose(framing, frameOf(framing));
  if (target.matches?.(".unframe")) choose(framing, null);
});

document.addEventListener("pointerdown", (event) => {
  const canvas = event.target.closest?.(".framing .canvas");
  if (!canvas || event.button || drawing) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  const [x, y] = placeIn(canvas, event);
  drawing = { canvas, pointer: event.pointerId, x, y };
});

document.addEventListener("pointermove", (event) => {
  if (drawing?.pointer === event.pointerId) drawTo(event);
});

for (const kind of ["pointerup", "pointercancel"]) {
  document.addEventListener(kind, ({ pointerId }) => {
    if (drawing?.pointer === pointerId) drawing = undefined;
  });
}
