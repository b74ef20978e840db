// What makes pages nicer, and none of them needs: times in the reader's zone, one answer a form,
// only the fields of what was chosen, and news.
"use strict";

const zone = (at) => {
  const minutes = -at.getTimezoneOffset(), two = (n) => String(Math.abs(n)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
};
const local = (at) => new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);

function showTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = at.toISOString().replace("T", " ").replace(".000Z", " UTC");
    time.textContent = format.format(at);
  }
}

function readMoments(root) {
  for (const input of root.querySelectorAll("input[type=datetime-local]")) {
    const hidden = input.parentElement.querySelector("input[type=hidden]");
    const note = input.parentElement.querySelector(".zone");
    if (!hidden) continue;
    if (input.value && !hidden.value) input.value = local(new Date(input.value + "Z"));
    const tell = () => {
      hidden.value = zone(input.value ? new Date(input.value) : new Date());
      if (note) note.textContent = `in your time, UTC${hidden.value}`;
    };
    input.addEventListener("input", tell);
    tell();
  }
}

function foldAlternatives(root) {
  for (const either of root.querySelectorAll("fieldset.either")) {
    const fold = () => {
      for (const one of either.querySelectorAll(":scope > .alternative")) {
        const inside = one.querySelector(":scope > .inside");
        if (inside) inside.hidden = !one.querySelector("input[type=radio]").checked;
      }
    };
    either.addEventListener("change", fold);
    fold();
  }
}

function sendOnce(root) {
  for (const form of root.querySelectorAll("form[method=post]"))
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes"; // the button stays able, or what it says would not be sent
      setTimeout(() => form.querySelectorAll("button").forEach((b) => (b.disabled = true)), 0);
    });
}

function prepare(root) {
  showTimes(root);
  readMoments(root);
  foldAlternatives(root);
  sendOnce(root);
}

async function freshen(part) {
  if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"))
    return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh) return;
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const focused = document.activeElement && part.contains(document.activeElement)
    ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll("details").forEach((each, place) => (each.open = open[place] || each.open));
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  part.classList.remove("fresh");
  void part.offsetWidth; // so that the animation begins anew
  part.classList.add("fresh");
  prepare(part);
  document.getElementById("news").textContent = "The page has news.";
}

function follow(url, tell) {
  let seen = null;
  const stream = new EventSource(url);
  const hear = (event) => {
    if (seen !== null && seen !== event.data) tell();
    seen = event.data;
  };
  stream.addEventListener("seen", hear);
  stream.addEventListener("changed", hear);
}

document.addEventListener("DOMContentLoaded", () => {
  prepare(document);
  document.querySelector("[data-focus]")?.focus();
  for (const part of document.querySelectorAll("[data-live]"))
    follow(part.dataset.live, () => freshen(part));
  for (const gone of document.querySelectorAll("[data-gone]"))
    follow(gone.dataset.gone, () => (gone.hidden = false));
});
// Back in the history, a form can be sent again: the server says if that is too late.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
