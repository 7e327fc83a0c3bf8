"use strict";
// The chart of a connection: limits by source as steps, measured power, answers as ticks; export above zero.
(() => {
  const place = document.getElementById("chart");
  if (!place) return;
  const slider = document.getElementById("moment");
  const momentSaid = document.getElementById("moment-said");
  const DASHES = { override: [], envelope: [], schedule: [10, 4], group: [10, 4, 2, 4], operator: [6, 6], default: [2, 4] };
  const WIDTHS = { override: 4, envelope: 2, schedule: 2, group: 2, operator: 2, default: 2 };
  const UP = { export: 1, import: -1 };
  let plot = null;
  let shown = "";
  let known = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const power = (w) => w === null || w === undefined ? "?" : Math.abs(w) >= 1e6 ? `${+(w / 1e6).toFixed(3)} MW` : Math.abs(w) >= 1e3 ? `${+(w / 1e3).toFixed(3)} kW` : `${Math.round(w)} W`;
  const local = (t) => new Date((t + known.offset) * 1000).toISOString().slice(0, 16).replace("T", " ");

  const hour = (t) => { const text = local(t); return text.endsWith("00:00") ? text.slice(5, 10) : text.slice(11); };

  function aligned() {
    const kinds = [...new Set(known.runs.filter((r) => r.direction in UP).map((r) => `${r.direction} ${r.source}`))].sort();
    const times = new Set([known.from, known.now, known.until]);
    for (const run of known.runs) { times.add(run.start); times.add(run.end - 1); }
    for (const [, start, end] of known.reaches) { times.add(start); times.add(end - 1); }
    for (const [start, length] of known.measured) { times.add(start); times.add(start + length); }
    const xs = [...times].filter((x) => x >= known.from && x <= known.until).sort((a, b) => a - b);
    const at = (kind) => xs.map((x) => {
      const run = known.runs.find((r) => `${r.direction} ${r.source}` === kind && r.start <= x && x < r.end);
      return run ? UP[run.direction] * run.watts : null;
    });
    const buckets = new Map();
    for (const [start, length, value] of known.measured) { buckets.set(start, -value); if (!buckets.has(start + length)) buckets.set(start + length, null); }
    let held = null;
    const measured = xs.map((x) => { if (buckets.has(x)) held = buckets.get(x); return held; });
    const extra = [];
    for (const way of ["export", "import"]) {
      const runs = known.reaches.filter((r) => r[0] === way);
      if (runs.length) extra.push([`${way} reach`, "default", [1, 3], xs.map((x) => { const run = runs.find((r) => r[1] <= x && x < r[2]); return run ? UP[way] * run[3] : null; })]);
      const firm = known.firm[way];
      if (firm !== null) extra.push([`${way} by contract`, "schedule", [8, 3, 2, 3], xs.map(() => UP[way] * firm)]);
    }
    return { kinds, extra, data: [xs, ...kinds.map(at), ...extra.map((one) => one[3]), measured] };
  }

  function draw() {
    const source = document.getElementById("chart-data");
    if (!source || !window.uPlot) return;
    const text = source.dataset.chart + document.documentElement.dataset.theme + place.clientWidth;
    if (text === shown) return;
    shown = text;
    known = JSON.parse(source.dataset.chart);
    place.hidden = document.body.classList.contains("as-table");
    document.getElementById("moment-row").hidden = false;
    const { kinds, extra, data } = aligned();
    if (plot) plot.destroy();
    const axis = { stroke: colour("text"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid") } };
    const steps = uPlot.paths.stepped({ align: 1 });
    plot = new uPlot({
      width: Math.max(280, place.clientWidth), height: 320,
      tzDate: (t) => uPlot.tzDate(new Date((t + known.offset) * 1000), "Etc/UTC"),
      scales: { x: { range: [known.from, known.until] }, y: { range: (_, low, high) => { const most = Math.max(Math.abs(low || 0), Math.abs(high || 0), 1000) * 1.1; return [low < 0 ? -most : -most / 10, high > 0 ? most : most / 10]; } } },
      axes: [{ ...axis, incrs: [60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400], values: (_, found) => found.map(hour) }, { ...axis, size: 74, values: (_, found) => found.map((v) => power(Math.abs(v))) }],
      series: [{ label: "time", value: (_, t) => t === null || t === undefined ? "" : local(t) },
        ...kinds.map((kind) => { const whose = kind.split(" ")[1]; return { label: `${kind} limit`, stroke: colour(whose), dash: DASHES[whose] || [], width: WIDTHS[whose] || 2, paths: steps, points: { show: false }, value: (_, v) => v === null || v === undefined ? "–" : power(Math.abs(v)) }; }),
        ...extra.map(([label, name, dash]) => ({ label, stroke: colour(name), dash, width: 1.5, paths: steps, points: { show: false }, value: (_, v) => v === null || v === undefined ? "–" : power(Math.abs(v)) })),
        { label: "measured", stroke: colour("text"), fill: colour("fill"), width: 1.5, paths: steps, points: { show: false }, value: (_, v) => v === null || v === undefined ? "?" : v < 0 ? `${power(-v)} import` : `${power(v)} export` }],
      hooks: { draw: [marks], setCursor: [(u) => { if (u.cursor.idx !== null && u.cursor.idx !== undefined && u.cursor.left >= 0) point(Math.round(u.posToVal(u.cursor.left, "x")), false); }] },
    }, data, place);
  }

  function marks(u) {
    const { left, top, width, height } = u.bbox;
    const c = u.ctx;
    c.save();
    const at = (t) => Math.round(u.valToPos(t, "x", true));
    const now = at(known.now);
    c.fillStyle = colour("shade");
    if (now < left + width) c.fillRect(now, top, left + width - now, height);
    c.strokeStyle = c.fillStyle = colour("text");
    c.beginPath(); c.moveTo(now, top); c.lineTo(now, top + height); c.stroke();
    c.font = `${12 * devicePixelRatio}px sans-serif`;
    c.textAlign = "left";
    c.fillText("now", now + 4, top + 14 * devicePixelRatio);
    c.fillText("export ↑", left + 6, top + 14 * devicePixelRatio);
    c.fillText("import ↓", left + 6, top + height - 6 * devicePixelRatio);
    c.fillStyle = colour("p2");
    for (const [start, end] of known.breaches) c.fillRect(at(start), top, Math.max(3, at(end) - at(start)), 5 * devicePixelRatio);
    c.fillStyle = colour("text");
    for (const [t] of known.answers) {
      const x = at(t);
      c.beginPath(); c.moveTo(x, top + height); c.lineTo(x - 4, top + height - 9); c.lineTo(x + 4, top + height - 9); c.fill();
    }
    c.restore();
  }

  // Why at a moment: the sentences of the limits that hold there.
  function point(at, moves) {
    const why = document.getElementById("why");
    if (!why || !known) return;
    const found = known.runs.filter((run) => run.start <= at && at < run.end).map((run) => {
      const reach = run.source === "envelope" && known.reaches.find((r) => r[0] === run.direction && r[1] <= at && at < r[2]);
      return `${run.why}${reach ? ` ${reach[4]}` : ""}${run.but}`;
    });
    const beside = known.beside.filter(([start, end]) => start <= at && at < end).map((one) => one[2]);
    why.replaceChildren(...(found.length ? found : [known.nothing]).concat(beside).map((sentence) => {
      const line = document.createElement("p");
      const text = document.createElement("bdi");
      text.textContent = sentence;
      line.append(`${local(at)}: `, text);
      return line;
    }));
    momentSaid.textContent = local(at);
    if (moves && plot) plot.setCursor({ left: plot.valToPos(at, "x"), top: 10 }, false);
    else slider.value = at;
  }

  slider.addEventListener("input", () => point(Number(slider.value), true));
  document.addEventListener("table", () => { document.body.classList.toggle("as-table"); place.hidden = document.body.classList.contains("as-table"); if (place.hidden) document.getElementById("chart-table").scrollIntoView(); else { shown = ""; draw(); } });
  document.addEventListener("theme", () => draw());
  document.addEventListener("htmx:after:swap", () => draw());
  addEventListener("resize", () => draw());
  place.hidden = false;
  draw();
})();
