"use strict";
const themes = JSON.parse(document.getElementById("themes").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const config = { responsive: true, displayModeBar: false };
const plots = [...document.querySelectorAll(".plot")];

function draw(theme, width) {
  for (const plot of plots) {
    const figure = JSON.parse(plot.nextElementSibling.textContent);
    Plotly.react(plot, figure.data, { ...figure.layout, template: themes[theme], width }, config);
  }
}
const onScreen = () => draw(dark.matches ? "dark" : "light");

onScreen();
dark.addEventListener("change", onScreen);
window.addEventListener("beforeprint", () => draw("light", 700));
window.addEventListener("afterprint", onScreen);
