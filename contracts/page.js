"use strict";
const form = document.querySelector("form");
const rows = [...document.querySelectorAll("tr[data-law], article[data-law]")];
function apply() {
  const data = new FormData(form);
  const words = data.get("text").toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = new Set(data.getAll("verdict"));
  const target = data.get("target");
  let shown = 0;
  for (const row of rows) {
    const said = JSON.parse(row.dataset.words);
    const mine = target ? said.filter((one) => one[0] === target) : said;
    const keep = mine.some((one) => verdicts.has(one[1]))
      && (!data.get("level") || row.dataset.level === data.get("level"))
      && (!data.get("side") || row.dataset.side === data.get("side"))
      && words.every((word) => row.dataset.text.includes(word));
    row.hidden = !keep;
    if (keep && row.tagName === "TR") shown += 1;
  }
  for (const cell of document.querySelectorAll("[data-column]")) {
    cell.hidden = Boolean(target) && cell.dataset.column !== target;
  }
  for (const table of document.querySelectorAll("section.side")) {
    table.hidden = !table.querySelector("tbody tr:not([hidden])");
  }
  document.querySelector("#shown").textContent = `${shown} laws`;
}
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(apply));
const measure = () => document.documentElement.style.setProperty("--bar", `${form.offsetHeight}px`);
addEventListener("resize", measure);
measure();
apply();
