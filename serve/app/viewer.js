// The scan and its maps: class, opacity, zoom, brightness and contrast, slices, and the picture
// that is saved. It needs no server and listens to every .viewer of the page, also to later ones.

const UNTOUCHED = { zoom: 1, x: 0, y: 0, brightness: 0, contrast: 0 };
const MOST_ZOOM = 8;
const STEP = 10; // percent of the picture that an arrow key moves it
const SAVED = "Research and education only, never a diagnosis";

const views = new WeakMap(); // of every viewer, how it is looked at
const series = new WeakMap(); // of every scan that is a series, its slices
let opacity; // of all maps, once the visitor has said it
let layout = "beside"; // how scan and map lie in all viewers

function viewOf(viewer) {
  if (!views.has(viewer)) views.set(viewer, { ...UNTOUCHED });
  return views.get(viewer);
}

function slicesOf(one) {
  const data = one.querySelector(".slices-data");
  if (data && !series.has(one)) series.set(one, JSON.parse(data.textContent));
  return series.get(one);
}

// Shows one class's map and its words; "" shows none, "likeliest" each scan's likeliest tumour.
function showClass(label, element = document.querySelector(".viewer")) {
  for (const part of element.querySelectorAll("[data-class]")) {
    const own = label === "likeliest" && part.matches(".heat");
    part.hidden = own ? !("likeliest" in part.dataset) : part.dataset.class !== label;
  }
}

// Puts scan and map side by side, or one over the other with a line between.
function layOut(viewer) {
  viewer.classList.toggle("over", layout === "over");
  viewer.querySelector(`.layout [value="${layout}"]`).checked = true;
}

function divide(viewer, percent) {
  viewer.style.setProperty("--divide", `${percent}%`);
  const slider = viewer.querySelector(".divider");
  slider.setAttribute("aria-valuetext", `at ${percent} percent of the picture`);
}

// Brings what is new on the page into line with what the visitor has chosen.
function dress(element) {
  for (const viewer of element.querySelectorAll(".viewer")) layOut(viewer);
  if (opacity === undefined) return;
  for (const slider of element.querySelectorAll(".opacity")) slider.value = opacity;
}

function show(viewer) {
  const view = viewOf(viewer);
  const least = 100 * (1 - view.zoom);
  view.x = Math.min(0, Math.max(least, view.x));
  view.y = Math.min(0, Math.max(least, view.y));
  viewer.style.setProperty("--zoom", view.zoom);
  viewer.style.setProperty("--x", `${view.x}%`);
  viewer.style.setProperty("--y", `${view.y}%`);
  viewer.classList.toggle("zoomed", view.zoom > 1);
  const { slope, intercept } = transfer(view);
  for (const part of viewer.querySelectorAll("filter [type=linear]")) {
    part.setAttribute("slope", slope);
    part.setAttribute("intercept", intercept);
  }
  const filter = slope === 1 && intercept === 0 ? "" : `url(#${viewer.querySelector("filter").id})`;
  for (const scan of viewer.querySelectorAll(".scan")) scan.style.filter = filter;
  for (const name of ["brightness", "contrast"]) {
    viewer.querySelector(`input.${name}`).value = view[name];
  }
}

// What radiologists call window and level, as a line from grey levels to grey levels, 0 to 1.
function transfer({ brightness, contrast }) {
  const slope = 4 ** (contrast / 100);
  return { slope, intercept: 0.5 - slope * (0.5 - brightness / 200) };
}

// Brings the scan closer by a factor, around a point of the picture, in percent.
function zoom(viewer, factor, x = 50, y = 50) {
  const view = viewOf(viewer);
  const before = view.zoom;
  view.zoom = Math.min(MOST_ZOOM, Math.max(1, before * factor));
  view.x = x - ((x - view.x) * view.zoom) / before;
  view.y = y - ((y - view.y) * view.zoom) / before;
  show(viewer);
}

function move(viewer, x, y) {
  const view = viewOf(viewer);
  view.x += x;
  view.y += y;
  show(viewer);
}

function change(viewer, values) {
  const view = viewOf(viewer);
  for (const [name, value] of Object.entries(values)) {
    view[name] = Math.min(100, Math.max(-100, value));
  }
  show(viewer);
}

// Slices

function showSlice(one, number) {
  const slices = slicesOf(one);
  const at = Math.min(slices.length - 1, Math.max(0, number));
  const { index, says, scan, caption, heats } = slices[at];
  one.querySelector("figcaption").textContent = caption;
  for (const picture of one.querySelectorAll(".scan")) picture.src = scan;
  for (const heat of one.querySelectorAll(".heat")) {
    heat.src = heats[heat.dataset.class] ?? "";
    heat.classList.toggle("nothing", !heats[heat.dataset.class]);
  }
  const slider = one.querySelector("input.slice");
  const words = `${slider.getAttribute("aria-label")} ${index}: ${says}`;
  slider.value = at;
  slider.setAttribute("aria-valuetext", words);
  one.querySelector(".says").textContent = words;
}

function turnPages(one, by) {
  showSlice(one, Number(one.querySelector("input.slice").value) + by);
}

// What is saved

function saveFile(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The scan as it is looked at, with the map that is shown, at the scan's own size.
async function savePicture(viewer) {
  const scan = viewer.querySelector(".scan");
  const heat = viewer.querySelector(".heat:not([hidden]):not(.nothing)");
  const { naturalWidth: width, naturalHeight: height } = scan;
  const foot = Math.max(18, Math.round(width / 28));
  const canvas = Object.assign(document.createElement("canvas"), { width, height: height + foot });
  const context = canvas.getContext("2d");
  context.drawImage(scan, 0, 0);
  const pixels = context.getImageData(0, 0, width, height);
  const { slope, intercept } = transfer(viewOf(viewer));
  for (let at = 0; at < pixels.data.length; at++) {
    if (at % 4 !== 3) pixels.data[at] = slope * pixels.data[at] + 255 * intercept;
  }
  context.putImageData(pixels, 0, 0);
  if (heat) {
    context.globalAlpha = Number(getComputedStyle(heat).opacity);
    context.imageSmoothingQuality = "high";
    context.drawImage(heat, 0, 0, width, height);
    context.globalAlpha = 1;
  }
  context.fillStyle = "#000";
  context.fillRect(0, height, width, foot);
  context.fillStyle = "#fff";
  context.font = `${Math.round(0.55 * foot)}px system-ui, sans-serif`;
  const words = heat ? `${heat.alt}. ${SAVED}` : SAVED;
  context.fillText(words, foot / 3, height + 0.68 * foot, width - foot);
  const stem = viewer.dataset.name.split(/[\\/]/).pop().replace(/\.\w+(\.gz)?$/, "");
  canvas.toBlob((blob) => saveFile(blob, `${stem || "scan"}-overlay.png`), "image/png");
}

// What the visitor does

document.addEventListener("input", ({ target }) => {
  const viewer = target.closest?.(".viewer");
  if (!viewer) return;
  if (target.matches(".shown-class input")) showClass(target.value, viewer);
  if (target.matches(".slice")) showSlice(target.closest(".one"), Number(target.value));
  if (target.matches(".divider")) divide(viewer, target.value);
  if (target.matches(".layout input")) {
    layout = target.value;
    for (const one of document.querySelectorAll(".viewer")) layOut(one);
  }
  if (target.matches(".brightness")) change(viewer, { brightness: Number(target.value) });
  if (target.matches(".contrast")) change(viewer, { contrast: Number(target.value) });
  if (target.matches(".opacity")) {
    opacity = target.value;
    document.documentElement.style.setProperty("--heat-opacity", opacity);
  }
});

document.addEventListener("click", ({ target }) => {
  const viewer = target.closest?.(".viewer");
  const button = target.closest?.("button");
  if (!viewer || !button) return;
  if (button.dataset.zoom) zoom(viewer, Number(button.dataset.zoom));
  if (button.dataset.slice) showSlice(button.closest(".one"), Number(button.dataset.slice));
  if (button.matches(".overlay-png")) savePicture(viewer);
  if (button.matches(".window")) {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", pressed);
    viewer.classList.toggle("windowing", pressed);
  }
  if (button.matches(".reset")) {
    Object.assign(viewOf(viewer), UNTOUCHED);
    show(viewer);
  }
});

document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.(".view") || event.ctrlKey || event.metaKey || event.altKey) return;
  const viewer = event.target.closest(".viewer");
  const one = event.target.closest(".one");
  const pages = slicesOf(one) ? { PageUp: -1, PageDown: 1 }[event.key] : undefined;
  const arrows = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[event.key];
  const arrow = viewOf(viewer).zoom > 1 && arrows[event.key];
  if (pages) turnPages(one, pages);
  else if (factor) zoom(viewer, factor);
  else if (arrow) move(viewer, STEP * arrow[0], STEP * arrow[1]);
  else return;
  event.preventDefault();
});

// With Ctrl, or two fingers on a touchpad, the wheel zooms; over a series it turns the pages.
document.addEventListener(
  "wheel",
  (event) => {
    const picture = event.target.closest?.(".view");
    const one = picture?.closest(".one");
    if (!one || !(event.ctrlKey || slicesOf(one))) return;
    event.preventDefault();
    const closer = Math.exp(-event.deltaY / 200);
    if (event.ctrlKey) zoom(one.closest(".viewer"), closer, ...placeIn(picture, event));
    else turnPages(one, Math.sign(event.deltaY));
  },
  { passive: false },
);

document.addEventListener("dblclick", (event) => {
  const picture = event.target.closest?.(".view");
  if (picture) zoom(picture.closest(".viewer"), 2, ...placeIn(picture, event));
});

function placeIn(picture, { clientX, clientY }) {
  const { left, top, width, height } = picture.getBoundingClientRect();
  return [(100 * (clientX - left)) / width, (100 * (clientY - top)) / height];
}

// One finger or the mouse drags, two fingers pinch.
const fingers = new Map(); // by pointer: {picture, event}

document.addEventListener("pointerdown", (event) => {
  const picture = event.target.closest?.(".view");
  if (!picture || event.button) return;
  fingers.set(event.pointerId, { picture, event });
  picture.setPointerCapture?.(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  const finger = fingers.get(event.pointerId);
  if (!finger) return;
  const { picture, event: before } = finger;
  const viewer = picture.closest(".viewer");
  const other = [...fingers].find(([id, one]) => id !== event.pointerId && one.picture === picture);
  finger.event = event;
  const { width, height } = picture.getBoundingClientRect();
  const [x, y] = [event.clientX - before.clientX, event.clientY - before.clientY];
  if (other) {
    const [, { event: still }] = other;
    zoom(viewer, apart(event, still) / apart(before, still), ...placeIn(picture, still));
  } else if (viewer.classList.contains("windowing")) {
    const { brightness, contrast } = viewOf(viewer);
    const by = 200 / width;
    change(viewer, { brightness: brightness - by * y, contrast: contrast + by * x });
  } else {
    move(viewer, (100 * x) / width, (100 * y) / height);
  }
});

for (const kind of ["pointerup", "pointercancel"]) {
  document.addEventListener(kind, ({ pointerId }) => fingers.delete(pointerId));
}

document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.(".view")) event.preventDefault(); // else the browser drags the picture
});

function apart(one, other) {
  return Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
}
