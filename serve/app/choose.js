// The cards of several files: which are shown, the map over all of them, and which are compared.
// The page that needs no server has it, too.

// Does what the visitor has chosen at an input among the cards within `element`.
function chooseAmong(element, { name, value }) {
  if (name === "filter") {
    for (const item of element.querySelectorAll("[data-kind]")) {
      item.hidden = Boolean(value) && item.dataset.kind !== value;
    }
  }
  if (name === "all-maps") showClass(value, element.querySelector(".cards")); // viewer.js
  if (name === "compare") countCompared(element);
}

// The numbers of the cards that are to be compared.
function comparedIn(element) {
  return [...element.querySelectorAll("[name=compare]:checked")].map(({ value }) => Number(value));
}

// Only so many can be compared: fewer cannot be asked for, and more cannot be chosen.
function countCompared(element) {
  const bar = element.querySelector(".comparing");
  const [fewest, most] = [Number(bar.dataset.fewest), Number(bar.dataset.most)];
  const chosen = comparedIn(element).length;
  bar.querySelector("button").disabled = chosen < fewest;
  bar.querySelector("[role=status]").textContent =
    `${chosen} of ${most} chosen${chosen < fewest ? `: choose at least ${fewest}` : ""}.`;
  for (const box of element.querySelectorAll("[name=compare]")) {
    box.disabled = !box.checked && chosen >= most;
  }
}
