
// A flame graph's search and zoom. What it works on is the picture itself: each box is a <g> with its
// exact amount, a <title> whose first line is its name, a <rect> and a <text>. Boxes come after those
// that they stand on, from left to right.
"use strict";
window.addEventListener("load", () => {
  const svg = document.documentElement;
  const nameMargin = Number(svg.dataset.nameMargin);
  const found = document.getElementById("found");
  const tolerance = 0.02; // positions are rounded to a hundredth

  const boxes = Array.from(document.querySelectorAll("#boxes g"), (group) => {
    const rect = group.querySelector("rect");
    return {
      group,
      rect,
      text: group.querySelector("text"),
      name: group.querySelector("title").textContent.split("\n")[0],
      amount: Number(group.dataset.amount),
      x: Number(rect.getAttribute("x")),
      y: Number(rect.getAttribute("y")),
      width: Number(rect.getAttribute("width")),
    };
  });
  const root = boxes[0];

  // Says how wide a text is, without laying out the page.
  const ruler = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas").getContext("2d");
  const style = getComputedStyle(root.text);
  ruler.font = `${style.fontSize} ${style.fontFamily}`;
  const segmenter = window.Intl && Intl.Segmenter ? new Intl.Segmenter() : null;

  // What is seen as one character each, with its accents.
  function charactersOf(name) {
    const isPlain = /^[ -~]*$/.test(name);
    return isPlain || !segmenter ? Array.from(name) : Array.from(segmenter.segment(name), (s) => s.segment);
  }

  function fitted(name, width) {
    const room = width - 2 * nameMargin;
    const fits = (text) => ruler.measureText(text).width <= room;
    if (fits(name)) return name;
    if (!fits("x..")) return "";
    const characters = charactersOf(name);
    const beginning = (count) => characters.slice(0, count).join("") + "..";
    let shown = 0; // characters that fit
    for (let tooMany = characters.length; tooMany - shown > 1; ) {
      const middle = Math.floor((shown + tooMany) / 2);
      if (fits(beginning(middle))) shown = middle;
      else tooMany = middle;
    }
    return shown === 0 ? "" : beginning(shown);
  }

  function place(box, x, width) {
    box.rect.setAttribute("x", x);
    box.rect.setAttribute("width", width);
    box.text.setAttribute("x", x + nameMargin);
    box.text.textContent = fitted(box.name, width);
  }

  function zoom(to) {
    if (to.width === 0) return;
    const scale = root.width / to.width;
    const end = to.x + to.width;
    for (const box of boxes) {
      const isInside = box.x >= to.x - tolerance && box.x + box.width <= end + tolerance;
      const isAround = box.y < to.y && box.x <= to.x + tolerance && box.x + box.width >= end - tolerance;
      const isShown = isAround || (isInside && box.y >= to.y);
      box.group.classList.toggle("away", !isShown);
      box.group.classList.toggle("around", isAround);
      if (isAround) place(box, root.x, root.width);
      else if (isShown) place(box, root.x + (box.x - to.x) * scale, box.width * scale);
    }
    document.getElementById("reset").style.visibility = to === root ? "hidden" : "visible";
  }

  function search() {
    const wanted = window.prompt("Functions whose names match this regular expression:", "");
    if (wanted === null) return;
    let expression;
    try {
      expression = new RegExp(wanted, "i");
    } catch (error) {
      found.textContent = error.message;
      return;
    }
    let amount = 0;
    let end = -1; // of the last box that counts: what stands on it is in its amount
    for (const box of boxes) {
      const isMatch = wanted !== "" && box !== root && expression.test(box.name);
      box.group.classList.toggle("found", isMatch);
      if (!isMatch || box.x < end - tolerance) continue;
      amount += box.amount;
      end = box.x + box.width;
    }
    const percent = ((100 * amount) / Math.max(root.amount, 1)).toFixed(1);
    found.textContent = wanted === "" ? " " : `${wanted}: ${percent}% of all`;
  }

  for (const box of boxes) box.group.addEventListener("click", () => zoom(box));
  document.getElementById("reset").addEventListener("click", () => zoom(root));
  const button = document.getElementById("search");
  button.style.visibility = "visible";
  button.addEventListener("click", search);
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape") zoom(root);
    if (event.key !== "f" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    search();
  });
});
