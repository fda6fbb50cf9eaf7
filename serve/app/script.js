// What the page does by itself, without asking the server.

// Shows one class's map and its words.
window.showClass = (label) => {
  for (const part of document.querySelectorAll("#viewer [data-class]")) {
    part.hidden = part.dataset.class !== label;
  }
};

// Of the map over the scan, 0 to 1.
window.setOpacity = (opacity) => {
  document.documentElement.style.setProperty("--heat-opacity", opacity);
};

// Arrow keys go from class to class, as in any group of radio buttons: Gradio gives each of them
// a group of its own.
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
document.addEventListener("keydown", (event) => {
  const classes = [...document.querySelectorAll("#shown-class input")];
  const from = classes.indexOf(event.target);
  if (from < 0 || !(event.key in STEPS)) return;
  event.preventDefault();
  const next = classes.at((from + STEPS[event.key]) % classes.length);
  next.focus();
  next.click();
});

// Ctrl+V anywhere on the page is a drop into the box.
document.addEventListener("paste", (event) => {
  const files = event.clipboardData?.files;
  const input = document.querySelector("#scan-box input[type=file]");
  if (!input || !files?.length) return;
  const carrier = new DataTransfer();
  carrier.items.add(files[0]);
  input.files = carrier.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
