// What pages do beyond what HTML can: times in the reader's zone, countdowns, copying, and a field that takes a pasted code.
// Everything works without it.
(() => {
  "use strict";

  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  function times(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent;
      time.textContent = shown.format(at);
      time.dataset.local = "";
    }
  }

  function countdowns(root) {
    for (const element of root.querySelectorAll("[data-countdown]:not([data-until])")) {
      element.dataset.until = String(Date.now() + Number(element.dataset.countdown) * 1000);
      tick(element);
    }
  }

  function tick(element) {
    const left = Math.max(0, Math.round((Number(element.dataset.until) - Date.now()) / 1000));
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    element.textContent = left > 0 ? clock : element.dataset.over ?? clock;
  }

  setInterval(() => document.querySelectorAll("[data-until]").forEach(tick), 1000);

  function start(root) {
    times(root);
    countdowns(root);
    // Browsers copy nothing at an address without TLS, unless it is this machine's own.
    for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
    root.querySelector("input.otp[aria-invalid]")?.select();
    // On a narrow screen the list of pages is a strip, of which this page's name is to be seen.
    const side = root.querySelector(".side"), here = side?.querySelector("[aria-current]");
    if (here) side.scrollLeft = here.offsetLeft - (side.clientWidth - here.offsetWidth) / 2;
    for (const field of root.querySelectorAll("input[data-zone-offset]")) field.value = String(-new Date().getTimezoneOffset());
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1600);
  });

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLInputElement) || !field.classList.contains("otp")) return;
    const tidy = field.value.replace(/[\s\-\u2010-\u2015]/g, "");
    if (tidy !== field.value) field.value = tidy;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select")) return;
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // A page that htmx put in place begins at its first wrong field, where typing begins, or at its top, for those who don't see it.
  document.addEventListener("htmx:after:swap", () => {
    start(document);
    const field = document.querySelector("[aria-invalid=true]") ?? document.querySelector("[autofocus]");
    (field ?? document.querySelector("main"))?.focus({ preventScroll: field === null });
  });

  start(document);
})();
