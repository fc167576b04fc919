"use strict";
(() => {
  // Okabe and Ito's colours, then the same again with dashes.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"];
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

  // Tables: each header sorts; empty cells stay last.
  const cell = (row, n) => {
    const td = row.cells[n];
    if (td.dataset.v !== undefined) return td.dataset.v === "" ? null : Number(td.dataset.v);
    const text = td.textContent.trim();
    return text === "" ? null : text !== "" && !isNaN(text) ? Number(text) : text.toLowerCase();
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, n) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(h => h.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map(row => [cell(row, n), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows.map(r => r[1]));
    }));
  }
  for (const input of document.querySelectorAll("[data-filters]")) {
    const table = document.getElementById(input.dataset.filters);
    const count = document.getElementById(input.dataset.filters + "-count");
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every(w => text.includes(w));
        shown += !row.hidden;
      }
      count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
    };
    input.addEventListener("input", apply);
    apply();
  }

  for (const button of document.querySelectorAll(".map .fit")) {
    const box = button.closest("figure").querySelector(".scroll");
    const view = box.querySelector("svg").viewBox.baseVal;
    if (view.width > view.height) box.classList.add("broad");
    button.addEventListener("click", () => button.setAttribute("aria-pressed", box.classList.toggle("fitted")));
  }

  // Curves
  const data = {};
  const experiment = card => {
    const model = card.dataset.model;
    if (!data[model]) {
      const found = JSON.parse(document.getElementById(model + "-curves").textContent).experiments;
      data[model] = Object.fromEntries(found.map(e => [e.id, e]));
    }
    return data[model][card.dataset.experiment];
  };
  const label = (e, run) => [run.dose === null ? "" : `${e.dose.target} ${+run.dose.toPrecision(3)} ${e.dose.unit}`, run.under && `under ${run.under}`].filter(Boolean).join(", ") || "model";
  const look = n => ({ stroke: COLOURS[n % COLOURS.length], dash: DASHES[Math.floor(n / COLOURS.length) % DASHES.length], width: 2, points: { show: false }, spanGaps: true });
  const unit = o => `${o.name.length <= 28 ? o.name : o.id}${o.unit && ` (${o.unit})`}`;

  // Several runs on one axis of x: gaps where a run has no point, bridged by straight lines.
  const joined = lines => uPlot.join(lines.map(l => [l.x, l.y]));

  const view = (e, choice) => {
    const [kind, id] = [choice.slice(0, 1), choice.slice(2)];
    if (kind === "m") {
      const d = e.data.find(x => x.id === id);
      return { x: d.kind === "time" ? `time (${d.time})` : `${e.dose.name} (${e.dose.unit})`, y: `${id}, as measured`, dose: d.kind === "dose",
        lines: [{ label: "model", x: d.t, y: d.y }], points: d.points, low: d.kind === "dose" ? d.t : null };
    }
    const o = e.observables.find(x => x.id === id);
    if (kind === "t") return { x: `time (${e.time})`, y: unit(o), lines: e.runs.map(r => ({ label: label(e, r), x: r.t, y: r.y[id] })), points: [] };
    const groups = {};
    for (const r of e.runs) (groups[r.under] ??= []).push([r.dose, r.y[id].at(-1)]);
    return { x: `${e.dose.name} (${e.dose.unit}); values at the end`, y: unit(o), dose: true, points: [], low: e.runs.map(r => r.dose),
      lines: Object.entries(groups).map(([under, pairs]) => { pairs.sort((a, b) => a[0] - b[0]); return { label: under ? `under ${under}` : "model", x: pairs.map(p => p[0]), y: pairs.map(p => p[1]) }; }) };
  };

  const whiskers = points => u => {
    const { ctx } = u;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = "#1b1f24";
    ctx.lineWidth = 1.5 * devicePixelRatio;
    for (const [x, m, error] of points) {
      if (x < u.scales.x.min || x > u.scales.x.max) continue;
      const px = u.valToPos(x, "x", true), [a, b, c] = [m - error, m, m + error].map(v => u.valToPos(v, "y", true)), w = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(px, a); ctx.lineTo(px, c); ctx.moveTo(px - w, a); ctx.lineTo(px + w, a); ctx.moveTo(px - w, c); ctx.lineTo(px + w, c);
      ctx.stroke();
      ctx.beginPath(); ctx.arc(px, b, 3.5 * devicePixelRatio, 0, 7); ctx.fill();
    }
    ctx.restore();
  };

  const draw = card => {
    const box = card.querySelector(".plot"), e = experiment(card), v = view(e, card.querySelector("select").value);
    box.uplot?.destroy();
    const table = joined(v.lines);
    const series = [{ label: v.x }, ...v.lines.map((l, n) => ({ label: l.label, ...look(n), value: (u, y) => y == null ? "" : `${+y.toPrecision(4)}` }))];
    if (v.points.length) {
      const extra = uPlot.join([table, [v.points.map(p => p[0]).filter((x, i, all) => all.indexOf(x) === i).sort((a, b) => a - b)]]);
      table.splice(0, table.length, ...extra);
    }
    const positive = (v.low || []).filter(x => x > 0);
    const reach = v.points.flatMap(([, m, error]) => [m - error, m + error]);
    box.uplot = new uPlot({
      width: Math.max(280, Math.min(box.clientWidth, 1000)), height: 300,
      series: series.map(s => ({ ...s })), cursor: { drag: { x: true, y: false } }, legend: { live: v.lines.length <= 8 },
      scales: { x: { time: false, ...(v.dose ? { distr: 4, asinh: Math.min(...positive) } : {}) },
        y: { range: (u, low, high) => { const lo = Math.min(low ?? 0, ...reach), hi = Math.max(high ?? 1, ...reach); return hi > lo ? uPlot.rangeNum(lo, hi, .08, true) : [lo - (Math.abs(lo) || 1) * .1, hi + (Math.abs(hi) || 1) * .1]; } } },
      axes: [{ label: v.x, ...(v.dose ? { splits: () => [0, ...[...Array(24).keys()].map(n => 10 ** (n - 12)).filter(x => x >= Math.min(...positive) / 1.01 && x <= Math.max(...positive) * 1.01)], values: (u, s) => s.map(x => x === 0 ? "0" : x >= .01 && x < 1e4 ? `${+x.toPrecision(1)}` : x.toExponential(0)) } : {}) },
        { label: v.y, size: 70, values: (u, s) => s.map(x => `${+x.toPrecision(6)}`) }],
      hooks: v.points.length ? { draw: [whiskers(v.points)] } : {},
    }, table, box);
    box.setAttribute("aria-label", `${card.querySelector("h4").textContent}: ${v.y} over ${v.x}`);
    box.querySelectorAll(".u-legend .u-series").forEach((row, n) => {
      const name = row.querySelector("th");
      if (n === 0 || !name) return;
      name.tabIndex = 0;
      name.setAttribute("role", "button");
      const say = () => name.setAttribute("aria-pressed", !row.classList.contains("u-off"));
      name.addEventListener("keydown", k => { if (k.key === "Enter" || k.key === " ") { k.preventDefault(); name.click(); } });
      name.addEventListener("click", () => setTimeout(say));
      say();
    });
  };

  const cards = [...document.querySelectorAll(".experiment")];
  const seen = new IntersectionObserver(entries => entries.forEach(x => { if (x.isIntersecting && !x.target.drawn) { x.target.drawn = true; draw(x.target); } }), { rootMargin: "400px" });
  for (const card of cards) {
    seen.observe(card);
    card.querySelector("select").addEventListener("change", () => { card.drawn = true; draw(card); });
  }
  let wait;
  addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(() => cards.filter(c => c.drawn).forEach(draw), 200); });

  // A link from an expectation shows the curve that it comes from.
  const choose = (card, value) => { const select = card.querySelector("select"); if ([...select.options].some(o => o.value === value)) { select.value = value; card.drawn = true; draw(card); } };
  for (const link of document.querySelectorAll("a[data-observable], a[data-measured]"))
    link.addEventListener("click", () => choose(document.getElementById(link.hash.slice(1)), link.dataset.measured ? `m:${link.dataset.measured}` : `t:${link.dataset.observable}`));

  // On paper everything is open and drawn.
  addEventListener("beforeprint", () => { document.querySelectorAll("details").forEach(d => { d.open = true; }); cards.filter(c => !c.drawn).forEach(c => { c.drawn = true; draw(c); }); });
})();
