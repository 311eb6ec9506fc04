"use strict";

// In two steps: a long page is painted before all of it is here, and its pictures must not jump when they are prepared.
document.documentElement.classList.add("interactive");

function prepare(slider) {
  const compare = slider.parentElement;
  const picture = compare.querySelector("img");
  compare.style.setProperty("--ratio", picture.getAttribute("width") / picture.getAttribute("height"));

  const show = () => {
    compare.style.setProperty("--split", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${100 - slider.value} % after`);
  };
  slider.addEventListener("input", show);
  slider.addEventListener("keydown", (event) => {
    if (event.key === "Enter") compare.closest("figure").querySelector("a.edited")?.click();
  });
  show();
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".compare > input").forEach(prepare);
  document.documentElement.classList.add("ready");
});
