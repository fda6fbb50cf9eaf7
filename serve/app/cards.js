// Several files: their cards, which of them are shown, the maps over them, and the whole answer
// of the one that was chosen, or of several side by side.

window.cards = (element, trigger, watch, props) => {
  boxes.card = newBox(trigger);
  const status = document.createElement("p"); // it stays, so that screen readers hear it change
  Object.assign(status, { className: "unspoken", role: "status" });
  document.getElementById("files-box").append(status);

  const open = (cards, words) => {
    const turn = turnOf("card");
    say("card", pending(words), trigger);
    trigger("click", { ...wanted("files-box"), cards, turn });
    document.getElementById("card").scrollIntoView({ block: "start", behavior: "smooth" });
  };

  const compared = () => [...element.querySelectorAll("[name=compare]:checked")];

  // Two to four cards can be compared: so many are chosen, and no more.
  const count = () => {
    const bar = element.querySelector(".comparing");
    const { fewest, most } = bar.dataset;
    const chosen = compared().length;
    bar.querySelector("button").disabled = chosen < fewest;
    bar.querySelector("[role=status]").textContent =
      `${chosen} of ${most} chosen${chosen < fewest ? `: choose at least ${fewest}` : ""}.`;
    for (const box of element.querySelectorAll("[name=compare]")) {
      box.disabled = !box.checked && chosen >= most;
    }
  };

  const close = () => {
    turnOf("card");
    say("card", ["", ""], trigger);
    const from = boxes.card.number === undefined
      ? ".compare-cards"
      : `[data-card="${boxes.card.number}"]`;
    element.querySelector(from)?.focus();
  };

  element.addEventListener("click", ({ target }) => {
    const card = target.closest("[data-card]");
    if (target.closest(".compare-cards")) {
      const chosen = compared().map(({ value }) => Number(value));
      boxes.card.number = undefined;
      open(chosen, `Looking at ${chosen.length} scans …`);
    }
    if (!card) return;
    boxes.card.number = Number(card.dataset.card);
    open([boxes.card.number], looking(card.querySelector(".name").textContent));
  });

  element.addEventListener("input", ({ target }) => {
    if (target.name === "filter") {
      for (const item of element.querySelectorAll("[data-kind]")) {
        item.hidden = Boolean(target.value) && item.dataset.kind !== target.value;
      }
    }
    if (target.name === "all-maps") {
      showClass(target.value, element.querySelector(".cards")); // viewer.js
    }
    if (target.name === "compare") count();
  });

  document.addEventListener("keydown", (event) => {
    const open = document.getElementById("card");
    if (event.key === "Escape" && open?.contains(document.activeElement)) close();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("button.close-card")) close();
  });

  watch("value", () => {
    const turn = element.querySelector("[data-turn]")?.dataset.turn;
    if (turn) {
      const { parts } = boxes["files-box"];
      if (isLate(turn)) props.value = parts[0];
      else parts[0] = props.value;
    }
    status.textContent = element.querySelector("[data-says]")?.dataset.says ?? "";
    if (boxes.card.parts.some(Boolean)) {
      turnOf("card");
      say("card", ["", ""], trigger);
    }
  });
};
