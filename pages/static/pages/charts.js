// Tells the numbers of a chart's column: the one under the pointer or finger, or where the arrow keys have gone.
// The words are the column's own <title>, which browsers show by themselves where there are no scripts.
"use strict";

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);

const columnsOf = (chart) => [...chart.querySelectorAll(".hits > rect")];

function show(chart, wanted) {
  const columns = columnsOf(chart);
  const index = Math.max(0, Math.min(wanted, columns.length - 1));
  hide(columns[index]);
  columns[index].classList.add("on");
  const words = columns[index].textContent;
  if (tip.textContent !== words) tip.textContent = words;
  tip.hidden = false;
  const { left, right, top } = columns[index].getBoundingClientRect();
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  const beside = right + 8 > room ? left - tip.offsetWidth - 8 : right + 8;
  tip.style.left = `${Math.max(8, Math.min(beside, room)) + scrollX}px`;
  tip.style.top = `${top + 8 + scrollY}px`;
}

function hide(but) {
  for (const column of document.querySelectorAll(".hits > .on")) if (column !== but) column.classList.remove("on");
  if (!but) tip.hidden = true;
}

document.addEventListener("pointermove", ({ target, clientX }) => {
  const chart = target.closest?.(".chart > svg");
  if (!chart) {
    if (!tip.hidden && !document.activeElement.matches(".chart > svg")) hide();
    return;
  }
  const { left, width } = chart.querySelector(".hits").getBoundingClientRect();
  show(chart, Math.floor(((clientX - left) / width) * columnsOf(chart).length));
});

document.addEventListener("focusin", ({ target }) => {
  if (target.matches(".chart > svg") && target.matches(":focus-visible")) show(target, Infinity);
});

document.addEventListener("focusout", () => hide());

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (steps === undefined || !event.target.matches?.(".chart > svg")) return;
  event.preventDefault();
  show(event.target, columnsOf(event.target).findIndex((column) => column.matches(".on")) + steps);
});
