// How far a task is, as it goes on. The page works without this: reload it.
(() => {
  "use strict";
  const task = document.getElementById("task");
  if (!task || !task.dataset.events) return;
  const words = { waiting: "Waits for its turn", running: "Under way" };
  const state = document.getElementById("state");
  const stage = document.getElementById("stage");
  const bar = document.getElementById("progress");
  const events = new EventSource(task.dataset.events);
  events.addEventListener("task", (event) => {
    const now = JSON.parse(event.data);
    if (!now.going) { events.close(); location.reload(); return; }
    if (state.textContent !== words[now.state]) state.textContent = words[now.state];
    const told = now.stage ? `: ${now.stage}` : "";
    if (stage.textContent !== told) stage.textContent = told;
    if (now.total) { bar.max = now.total; bar.value = now.done; } else { bar.removeAttribute("value"); }
  });
})();
