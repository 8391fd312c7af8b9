// Keys and copy buttons. Every page works without them.
(() => {
  "use strict";
  const find = (selector, from = document) => from.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const dialog = find("#keys");
  const remember = (value) => { try { localStorage.keys = value; } catch { /* not allowed: forget */ } };
  const remembered = () => { try { return localStorage.keys; } catch { return "on"; } };
  let item = null;
  let waiting = "";

  const step = (by) => {
    const items = all("[data-item]");
    const now = document.activeElement?.closest("[data-item]") ?? item;
    const place = items.indexOf(now);
    item = items[Math.min(Math.max(place + by, 0), items.length - 1)] ?? null;
    if (!item) return;
    find("[data-key=o]", item)?.focus();
    item.scrollIntoView({ block: "nearest" });
  };
  const press = (key) => {
    const now = document.activeElement?.closest("[data-item]") ?? item;
    const scope = now ?? (find("[data-item]") ? null : find("main"));
    if (scope) find(`[data-key=${key}]`, scope)?.click();
  };
  const acts = {
    j: () => step(1),
    k: () => step(-1),
    o: () => press("o"),
    v: () => press("v"),
    "/": () => { const field = find("#q") ?? find("#find"); field.focus(); field.select(); },
    "?": () => dialog.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || remembered() === "off") return;
    if (dialog.open || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const pair = waiting + event.key;
    waiting = event.key === "g" && !waiting ? "g " : "";
    const act = acts[event.key];
    const link = pair.startsWith("g ") && find(`[data-keys="${CSS.escape(pair)}"]`);
    if (link) link.click();
    else if (act && !pair.startsWith("g ")) act();
    else return;
    event.preventDefault();
  });

  const box = find("#keys-on");
  if (box) {
    box.checked = remembered() !== "off";
    box.addEventListener("change", () => remember(box.checked ? "on" : "off"));
  }
  for (const link of all("[data-shows=keys]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); dialog.showModal(); });
  }

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Browsers keep the clipboard from pages that did not come encrypted.
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  for (const source of all("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    if (source.dataset.label) button.setAttribute("aria-label", `${source.dataset.label}: copy address`);
    button.addEventListener("click", async () => {
      await copy(source.dataset.copy || source.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    source.after(button);
  }
})();
