"use strict";

const root = document.documentElement;
root.classList.add("js");

const theme = document.getElementById("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
}

function nameTheme() {
  theme.textContent = isDark() ? "Light colors" : "Dark colors";
}

theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
systemDark.addEventListener("change", nameTheme);
nameTheme();

for (const slider of document.querySelectorAll(".frame input[type=range]")) {
  const show = () => {
    slider.parentElement.style.setProperty("--split", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `photo ${slider.value} %, prediction ${100 - slider.value} %`);
  };
  slider.addEventListener("input", show);
  // Browsers restore the position of the slider when the page is loaded again.
  show();
}

function compare(a, b, descending) {
  // Rows without a value come last in both orders.
  if (a === "" || b === "") return (a === "") - (b === "");
  const [x, y] = [Number(a), Number(b)];
  const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
  return descending ? -order : order;
}

function sort(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const descending = header.ariaSort === "ascending";
  for (const other of header.parentElement.cells) {
    if (other.hasAttribute("aria-sort")) other.ariaSort = "none";
  }
  header.ariaSort = descending ? "descending" : "ascending";
  const body = table.tBodies[0];
  const value = (row) => row.cells[column].dataset.value ?? "";
  body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b), descending)));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}
