"use strict";
// Table: headings sort, the field filters.
const body = document.querySelector("#medians tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("#medians th")];
const filter = document.getElementById("filter");

function number(text) { // Python's spelling of what is no finite number
  return text === "nan" ? NaN : text === "inf" ? Infinity : Number(text);
}

function compare(a, b) {
  const [x, y] = [number(a), number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x < y ? -1 : x > y ? 1 : 0;
  if (a === "nan" || b === "nan") return (a === "nan") - (b === "nan");
  return a.localeCompare(b, "en", { numeric: true });
}

heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(other => other.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  rows.sort((a, b) => (up ? 1 : -1) * compare(a.cells[column].dataset.value, b.cells[column].dataset.value));
  body.append(...rows);
}));

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    shown += !row.hidden;
  }
  document.getElementById("count").textContent = ` ${shown} of ${rows.length} rows`;
}
filter.addEventListener("input", show);
show();

// Figures: in the colors of the page, also after these change.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 700px)");

function layout(figure) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line, shade] = ["--ink", "--line", "--shade"].map(name => style.getPropertyValue(name).trim());
  const own = figure.layout;
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  const menus = (own.updatemenus || []).map(menu => ({ ...menu, bgcolor: shade, bordercolor: line, font: { color: ink } }));
  return {
    height: 460, ...own, updatemenus: menus,
    xaxis: { ...axis, ...own.xaxis }, yaxis: { ...axis, ...own.yaxis },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: narrow.matches ? 11 : 13 },
    margin: { l: 50, r: 20, t: 60, b: 50 }, hovermode: "closest",
    showlegend: figure.data.length > 1,
    legend: narrow.matches ? { orientation: "h", y: -0.25, font: { size: 10 } } : {},
  };
}

function draw() {
  FIGURES.forEach((figure, i) => {
    const place = document.getElementById(`figure-${i}`);
    Plotly.react(place, figure.data, layout(figure), { responsive: true, displaylogo: false });
  });
}
dark.addEventListener("change", draw);
narrow.addEventListener("change", draw);
draw();
