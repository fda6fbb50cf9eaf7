// Several files: their cards, which of them are shown, the maps over them, and the whole answer
// of the one that was chosen.

window.cards = (element, trigger, watch, props) => {
  boxes.card = newBox(trigger);
  const status = document.createElement("p"); // it stays, so that screen readers hear it change
  Object.assign(status, { className: "unspoken", role: "status" });
  document.getElementById("files-box").append(status);

  const close = () => {
    turnOf("card");
    say("card", ["", ""], trigger);
    element.querySelector(`[data-card="${boxes.card.number}"]`)?.focus();
  };

  element.addEventListener("click", ({ target }) => {
    const card = target.closest("[data-card]");
    if (!card) return;
    boxes.card.number = Number(card.dataset.card);
    const turn = turnOf("card");
    say("card", pending(looking(card.querySelector(".name").textContent)), trigger);
    trigger("click", { ...wanted("files-box"), card: boxes.card.number, turn });
    document.getElementById("card").scrollIntoView({ block: "start", behavior: "smooth" });
  });

  element.addEventListener("input", ({ target }) => {
    if (target.name === "filter") {
      for (const item of element.querySelectorAll("[data-kind]")) {
        item.hidden = Boolean(target.value) && item.dataset.kind !== target.value;
      }
    }
    if (target.name === "all-maps") {
      for (const heat of element.querySelectorAll(".cards .heat")) {
        const wanted = target.value === "likeliest" ? "likeliest" in heat.dataset
          : heat.dataset.class === target.value;
        heat.hidden = !wanted;
      }
    }
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
