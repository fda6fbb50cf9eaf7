// Several files: their cards, and the whole answer of the one that was chosen, or of several side
// by side.

window.cards = (element, trigger, watch, props) => {
  boxes.card = newBox(trigger);
  const status = document.createElement("p"); // it stays, so that screen readers hear it change
  Object.assign(status, { className: "unspoken", role: "status" });
  document.getElementById("files-box").append(status);

  const open = (cards, words) => {
    const turn = turnOf("card");
    boxes.card.cards = cards;
    say("card", pending(words), trigger);
    trigger("click", { ...wanted("files-box"), cards, turn });
    document.getElementById("card").scrollIntoView({ block: "start", behavior: "smooth" });
  };

  const close = () => {
    turnOf("card");
    say("card", ["", ""], trigger);
    const [first, ...others] = boxes.card.cards;
    const from = others.length ? ".compare-cards" : `[data-card="${first}"]`;
    element.querySelector(from)?.focus();
  };

  element.addEventListener("click", ({ target }) => {
    const card = target.closest("[data-card]");
    if (target.closest(".compare-cards")) {
      const chosen = comparedIn(element);
      open(chosen, `Looking at ${chosen.length} scans …`);
    }
    if (!card) return;
    open([Number(card.dataset.card)], looking(card.querySelector(".name").textContent));
  });

  element.addEventListener("input", ({ target }) => chooseAmong(element, target)); // choose.js

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
