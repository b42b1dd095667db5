"use strict";
const REFRESH_SECONDS = 15;
const main = document.getElementById("content");
const live = document.getElementById("live");
let asked = 0;

async function show(slider) {
  const [tokens, words] = [slider.dataset.tokens, slider.dataset.words].map((d) => d.split(",")[slider.value]);
  slider.setAttribute("aria-valuetext", `${words} tokens`);
  slider.parentElement.querySelector("output").textContent = words;
  const mine = ++asked;
  const answer = await fetch(`${location.pathname}/grids?tokens=${tokens}`);
  const text = answer.ok ? await answer.text() : "";
  if (mine === asked && answer.ok) document.getElementById("maps").innerHTML = text;
}

main.addEventListener("input", (event) => {
  if (event.target.id === "checkpoint") show(event.target);
});

async function refresh() {
  const chosen = document.getElementById("checkpoint");
  if (document.hidden || (chosen && chosen.value !== chosen.max)) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("content");
    live.textContent = "";
    if (next.innerHTML === main.innerHTML || main.contains(document.activeElement)) return;
    main.innerHTML = next.innerHTML;
  } catch {
    live.textContent = "The exporter does not answer: this page is out of date.";
  }
}

setInterval(refresh, REFRESH_SECONDS * 1000);
