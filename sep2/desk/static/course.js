"use strict";
// The course of a feeder: its worst loading and voltages over the time of a run; a click goes to that moment.
(() => {
  const place = document.getElementById("course");
  if (!place) return;
  let plots = [];
  let shown = "";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function draw() {
    const source = document.getElementById("course-data");
    if (!source || !window.uPlot) return;
    const text = source.dataset.course + document.documentElement.dataset.theme + place.clientWidth;
    if (text === shown) return;
    shown = text;
    const known = JSON.parse(source.dataset.course);
    place.hidden = document.body.classList.contains("as-table");
    plots.forEach((plot) => plot.destroy());
    const xs = known.steps.map((one) => one[0]);
    const percent = (k) => known.steps.map((one) => one[k] === null ? null : 100 * one[k]);
    const flat = (value) => xs.map(() => 100 * value);
    const local = (t) => new Date((t + known.offset) * 1000).toISOString().slice(0, 16).replace("T", " ");
    const axis = { stroke: colour("text"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid") } };
    const steps = uPlot.paths.stepped({ align: 1 });
    const said = (_, v) => v === null || v === undefined ? "?" : `${v.toFixed(1)} %`;
    const line = (label, name, dash) => ({ label, stroke: colour(name), dash, width: 2, paths: steps, points: { show: false }, value: said });
    const one = (data, series, range) => {
      const plot = new uPlot({
        width: Math.max(280, place.clientWidth), height: 170,
        cursor: { sync: { key: "course" } },
        scales: { y: { range } },
        tzDate: (t) => uPlot.tzDate(new Date((t + known.offset) * 1000), "Etc/UTC"),
        axes: [{ ...axis, values: (_, found) => found.map((t) => local(t).slice(11)) }, { ...axis, size: 60, values: (_, found) => found.map((v) => `${v} %`) }],
        series: [{ label: "time", value: (_, t) => t === null || t === undefined ? "" : local(t) }, ...series],
        hooks: { draw: [(u) => marks(u, known)] },
      }, data, place);
      plot.over.addEventListener("click", () => {
        const at = Math.round(plot.posToVal(plot.cursor.left, "x"));
        location.assign(source.dataset.base + at);
      });
      return plot;
    };
    plots = [one([xs, percent(1), flat(1)], [line("highest loading", "text", []), line("rating", "p2", [8, 4])], (_, __, high) => [0, Math.max(110, (high || 0) * 1.05)])];
    if (known.limits) {
      const [low, high] = known.limits;
      plots.push(one([xs, percent(2), percent(3), flat(low), flat(high)], [line("lowest voltage", "text", [3, 3]), line("highest voltage", "text", []), line("lower limit", "p2", [8, 4]), line("upper limit", "p2", [8, 4])], (_, least, most) => [Math.min(least || 100, 100 * low) - 1, Math.max(most || 100, 100 * high) + 1]));
    }
  }

  function marks(u, known) {
    const { left, top, width, height } = u.bbox;
    const c = u.ctx;
    c.save();
    c.font = `${12 * devicePixelRatio}px sans-serif`;
    c.strokeStyle = c.fillStyle = colour("text");
    for (const [t, name] of [[known.now, "now"], [known.at + known.step / 2, "shown"]]) {
      const x = Math.round(u.valToPos(t, "x", true));
      if (x < left || x > left + width) continue;
      c.setLineDash(name === "now" ? [] : [4, 4]);
      c.beginPath(); c.moveTo(x, top); c.lineTo(x, top + height); c.stroke();
      c.fillText(name, x + 4, top + (name === "now" ? 14 : 28) * devicePixelRatio);
    }
    c.restore();
  }

  document.addEventListener("table", () => { document.body.classList.toggle("as-table"); place.hidden = document.body.classList.contains("as-table"); if (place.hidden) { const found = document.getElementById("course-table"); found.open = true; found.scrollIntoView(); } else { shown = ""; draw(); } });
  document.addEventListener("theme", () => draw());
  document.addEventListener("htmx:after:swap", () => draw());
  addEventListener("resize", () => draw());
  place.hidden = false;
  draw();
})();
