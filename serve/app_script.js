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
