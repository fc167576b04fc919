"use strict";
(() => {
  // Okabe and Ito's colours; strokes differ too, so that a curve under another one is seen.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"];
  const DASHES = [[], [8, 4], [2, 3]], BORDERS = ["solid", "dashed", "dotted"];

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
    const size = view.width * 4 / 3;
    box.style.setProperty("--natural", `${size}px`);
    // What would be too small to read starts in its own size.
    if (box.clientWidth && box.clientWidth < .55 * size) button.setAttribute("aria-pressed", box.classList.toggle("fitted"));
    button.addEventListener("click", () => button.setAttribute("aria-pressed", box.classList.toggle("fitted")));
  }

  // Curves
  const data = {}, judged = {};
  const experiment = card => {
    const model = card.dataset.model;
    if (!data[model]) {
      const all = JSON.parse(document.getElementById(model + "-curves").textContent), found = all.experiments;
      data[model] = Object.fromEntries(found.map(e => [e.id, e]));
      judged[model] = all.expectations;
    }
    return data[model][card.dataset.experiment];
  };
  const label = (e, run) => [run.dose === null ? "" : `${e.dose.target} ${+run.dose.toPrecision(3)} ${e.dose.unit}`, run.under && `under ${run.under}`].filter(Boolean).join(", ") || "model";
  const look = n => ({ stroke: COLOURS[n % COLOURS.length], dash: DASHES[n % DASHES.length], width: 2, points: { show: false }, spanGaps: true });
  // A label has the length of its axis.
  const unit = (o, longest = 36) => { const of = o.unit && ` (${o.unit})`; return (o.name + of).length <= longest ? o.name + of : o.id + of; };
  const axis = e => unit({ ...e.dose, id: e.dose.target }, 60);

  // Several runs on one axis of x: gaps where a run has no point, bridged by straight lines.
  const joined = lines => uPlot.join(lines.map(l => [l.x, l.y]));

  const view = (e, choice) => {
    const [kind, id] = [choice.slice(0, 1), choice.slice(2)];
    if (kind === "m") {
      const d = e.data.find(x => x.id === id);
      return { x: d.kind === "time" ? `time (${d.time})` : axis(e), y: `${id}, as measured`, dose: d.kind === "dose",
        lines: [{ label: "model", x: d.t, y: d.y }], points: d.points, low: d.kind === "dose" ? d.t : null };
    }
    const o = e.observables.find(x => x.id === id);
    if (kind === "t") return { x: `time (${e.time})`, y: unit(o), lines: e.runs.map(r => ({ label: label(e, r), x: r.t, y: r.y[id] })), points: [] };
    const groups = {};
    for (const r of e.runs) (groups[r.under] ??= []).push([r.dose, r.y[id].at(-1)]);
    return { x: `${axis(e)}; values at the end`, y: unit(o), dose: true, points: [], low: e.runs.map(r => r.dose),
      lines: Object.entries(groups).map(([under, pairs]) => { pairs.sort((a, b) => a[0] - b[0]); return { label: under ? `under ${under}` : "model", x: pairs.map(p => p[0]), y: pairs.map(p => p[1]) }; }) };
  };

  // What expectations read of the picture shown: on a run over time, or over doses.
  const marked = (card, e, choice) => {
    const [kind, id] = [choice.slice(0, 1), choice.slice(2)], wanted = card.querySelector("select.interval")?.value;
    const end = Math.max(...e.runs.map(r => r.t.at(-1)));
    const groups = [...new Set(e.runs.map(r => r.under))];
    return e.marks.filter(m => m.observable === id && (wanted === "*" || m.id === wanted)).flatMap(m => {
      if (kind === "t") return m.axis === "dose" ? [] : [{ ...m, line: m.run }];
      if (kind !== "d") return [];
      if (m.axis === "dose") return [{ ...m, line: groups.indexOf(m.under) }];
      const dose = e.runs[m.run].dose;
      return m.axis === "y" && m.span[0] === end ? [{ ...m, line: groups.indexOf(m.under), span: [dose, dose], point: [dose, m.point[1]] }] : [];
    });
  };

  const intervals = (marks, verdicts, one) => u => {
    const { ctx, bbox: b } = u, px = devicePixelRatio, edge = 9 * px, taken = [];
    const clip = (v, lo, hi) => Math.min(Math.max(v, lo), hi);
    const arrow = (x, y, dx, dy) => { ctx.beginPath(); ctx.moveTo(x + dx * edge, y + dy * edge); ctx.lineTo(x - dy * edge / 2, y + dx * edge / 2); ctx.lineTo(x + dy * edge / 2, y - dx * edge / 2); ctx.closePath(); ctx.fill(); };
    ctx.save();
    for (const m of marks) {
      ctx.strokeStyle = "#1b1f24"; ctx.fillStyle = "rgba(27, 31, 36, .09)"; ctx.lineWidth = 1.3 * px; ctx.setLineDash([]);
      let shift = 0;
      if (m.axis === "y") {
        const [top, low] = [m.upper === null ? b.top : clip(u.valToPos(m.upper, "y", true), b.top, b.top + b.height), m.lower === null ? b.top + b.height : clip(u.valToPos(m.lower, "y", true), b.top, b.top + b.height)];
        // Several bands over a whole run would hide each other: then each is a bracket where it is read.
        const span = one || !m.point ? m.span : [m.point[0], m.point[0]];
        let [left, right] = span.map(x => clip(u.valToPos(x, "x", true), b.left, b.left + b.width));
        if (right - left < edge) {
          const step = left > b.left + b.width / 2 ? -edge * 1.6 : edge * 1.6, at = left;
          while (taken.some(([x, y0, y1]) => Math.abs(x - left - shift) < edge * 1.5 && y0 < low + edge && y1 > top - edge) && Math.abs(shift) < b.width / 3) shift += step;
          [left, right] = [at + shift - edge / 2, at + shift + edge / 2];
          taken.push([at + shift, top, low]);
        }
        ctx.fillRect(left, top, right - left, low - top);
        ctx.beginPath();
        const outside = v => v !== null && (v > u.scales.y.max || v < u.scales.y.min);
        for (const [bound, y] of [[m.upper, top], [m.lower, low]]) if (bound !== null && !outside(bound)) { ctx.moveTo(left, y); ctx.lineTo(right, y); }
        if (span[0] === span[1]) { ctx.moveTo((left + right) / 2, top); ctx.lineTo((left + right) / 2, low); }
        ctx.stroke();
        ctx.fillStyle = "#1b1f24";
        // An arrow where the interval is open or goes on beyond the picture.
        if (m.upper === null || outside(m.upper)) arrow((left + right) / 2, top + edge, 0, -1);
        if (m.lower === null || outside(m.lower)) arrow((left + right) / 2, low - edge, 0, 1);
      } else {
        const [left, right] = [m.lower === null ? b.left : clip(u.valToPos(m.lower, "x", true), b.left, b.left + b.width), m.upper === null ? b.left + b.width : clip(u.valToPos(m.upper, "x", true), b.left, b.left + b.width)];
        ctx.fillRect(left, b.top, right - left, b.height);
        ctx.setLineDash([4 * px, 3 * px]);
        ctx.beginPath();
        for (const [bound, x] of [[m.lower, left], [m.upper, right]]) if (bound !== null) { ctx.moveTo(x, b.top); ctx.lineTo(x, b.top + b.height); }
        ctx.stroke();
      }
      if (!m.point) continue;
      const [x, y] = [u.valToPos(m.point[0], "x", true) + shift, u.valToPos(m.point[1], "y", true)], r = 5 * px, verdict = verdicts[m.id].verdict;
      if (x < b.left - 1 || x > b.left + b.width + 1 || y < b.top - 1 || y > b.top + b.height + 1) continue;
      ctx.setLineDash([]);
      ctx.fillStyle = COLOURS[m.line % COLOURS.length]; ctx.strokeStyle = "#fff"; ctx.lineWidth = 1.5 * px;
      ctx.beginPath();
      if (verdict === "holds") ctx.arc(x, y, r, 0, 7);
      else if (verdict === "known failure") { ctx.moveTo(x, y - r * 1.3); ctx.lineTo(x + r * 1.3, y); ctx.lineTo(x, y + r * 1.3); ctx.lineTo(x - r * 1.3, y); ctx.closePath(); }
      else { ctx.strokeStyle = ctx.fillStyle; ctx.lineWidth = 3 * px; ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x - r, y + r); ctx.lineTo(x + r, y - r); }
      ctx.fill(); ctx.stroke();
    }
    ctx.restore();
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
    const box = card.querySelector(".plot"), e = experiment(card), choice = card.querySelector("select").value, v = view(e, choice);
    const marks = marked(card, e, choice), verdicts = judged[card.dataset.model], one = new Set(marks.map(m => m.id)).size === 1;
    box.uplot?.destroy();
    const table = joined(v.lines);
    const series = [{ label: v.x }, ...v.lines.map((l, n) => ({ label: l.label, ...look(n), alpha: one && marks.every(m => m.line !== n) ? .35 : 1, value: (u, y) => y == null ? "" : `${+y.toPrecision(4)}` }))];
    if (v.points.length) {
      const extra = uPlot.join([table, [v.points.map(p => p[0]).filter((x, i, all) => all.indexOf(x) === i).sort((a, b) => a - b)]]);
      table.splice(0, table.length, ...extra);
    }
    const positive = (v.low || []).filter(x => x > 0);
    const levels = v.lines.flatMap(l => l.y), [least, most] = [Math.min(...levels), Math.max(...levels)], far = ((most - least) || Math.abs(most) || 1) * (one ? 3 : 1);
    // Of intervals far from the curves the nearer bound is shown if they are alone, else an arrow.
    const bounds = marks.filter(m => m.axis === "y").flatMap(m => [m.lower, m.upper].filter(x => x !== null && (x > least - far && x < most + far || one && (x === m.lower ? x > m.point[1] : x < m.point[1]))));
    const reach = [...v.points.flatMap(([, m, error]) => [m - error, m + error]), ...bounds];
    box.uplot = new uPlot({
      width: Math.max(280, Math.min(box.clientWidth, 1000)), height: 300,
      series: series.map(s => ({ ...s })), cursor: { drag: { x: true, y: false } }, legend: { live: v.lines.length <= 8, markers: { dash: (u, n) => BORDERS[(n - 1) % BORDERS.length] } },
      scales: { x: { time: false, ...(v.dose ? { distr: 4, asinh: Math.min(...positive) } : {}) },
        y: { range: (u, low, high) => { const lo = Math.min(low ?? 0, ...reach), hi = Math.max(high ?? 1, ...reach); return hi > lo ? uPlot.rangeNum(lo, hi, .08, true) : [lo - (Math.abs(lo) || 1) * .1, hi + (Math.abs(hi) || 1) * .1]; } } },
      axes: [{ label: v.x, ...(v.dose ? { splits: () => [0, ...[...Array(24).keys()].map(n => 10 ** (n - 12)).filter(x => x >= Math.min(...positive) / 1.01 && x <= Math.max(...positive) * 1.01)], values: (u, s) => s.map(x => x === 0 ? "0" : x >= .001 && x < 1e4 ? `${+x.toPrecision(1)}` : x.toExponential(0)) } : {}) },
        { label: v.y, size: 70, values: (u, s) => s.map(x => `${+x.toPrecision(6)}`) }],
      hooks: { draw: [...(v.points.length ? [whiskers(v.points)] : []), ...(marks.length ? [intervals(marks, verdicts, one)] : [])] },
    }, table, box);
    box.setAttribute("aria-label", `${card.querySelector("h4").textContent}: ${v.y} over ${v.x}`);
    const read = card.querySelector(".read");
    read.replaceChildren(...[...new Set(marks.map(m => m.id))].flatMap(id => {
      const link = document.createElement("a");
      link.href = `#${card.dataset.model}-x-${id}`; link.textContent = id;
      return ["; ", link, ` ${verdicts[id].text} (${verdicts[id].verdict})`];
    }).slice(1));
    read.prepend(marks.length ? "Read here: " : "");
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
    const [shown, interval] = card.querySelectorAll("select");
    shown.addEventListener("change", () => {
      if (interval && !marked(card, experiment(card), shown.value).length && interval.value) interval.value = "*";
      card.drawn = true; draw(card);
    });
    interval?.addEventListener("change", () => {
      const e = experiment(card), m = e.marks.find(x => x.id === interval.value);
      if (m && !marked(card, e, shown.value).length) shown.value = `${m.axis === "dose" ? "d" : "t"}:${m.observable}`;
      card.drawn = true; draw(card);
    });
  }
  let wait;
  addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(() => cards.filter(c => c.drawn).forEach(draw), 200); });

  // What is drawn on the way moves the place that a link leads to: go there again whenever it has moved.
  let going = 0;
  const arrive = () => {
    const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const top = () => place.getBoundingClientRect().top + scrollY;
    clearInterval(going);
    if (!place) return;
    let left = 20, last = top();
    going = setInterval(() => {
      if (top() !== last) { last = top(); place.scrollIntoView(); }
      if (!--left) clearInterval(going);
    }, 150);
  };
  addEventListener("hashchange", arrive);
  addEventListener("load", arrive);

  // A link from an expectation shows the curve that it comes from.
  const has = (select, value) => select && [...select.options].some(o => o.value === value);
  const choose = (card, value, expectation) => {
    const [shown, interval] = card.querySelectorAll("select");
    if (!has(shown, value)) return;
    shown.value = value;
    if (interval) interval.value = has(interval, expectation) ? expectation : "*";
    const m = experiment(card).marks.find(x => x.id === expectation && x.observable === value.slice(2));
    if (m?.axis === "dose") shown.value = `d:${m.observable}`;
    card.drawn = true; draw(card);
  };
  for (const link of document.querySelectorAll("a[data-observable], a[data-measured]"))
    link.addEventListener("click", () => choose(document.getElementById(link.hash.slice(1)), link.dataset.measured ? `m:${link.dataset.measured}` : `t:${link.dataset.observable}`, link.dataset.expectation));

  // On paper everything is open and drawn.
  addEventListener("beforeprint", () => { document.querySelectorAll("details").forEach(d => { d.open = true; }); cards.filter(c => !c.drawn).forEach(c => { c.drawn = true; draw(c); }); });
})();
