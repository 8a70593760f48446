/* The λ explorer: turns each .lambda-explorer into a chart that can be scrubbed along λ.

   The sweeps lie in it as JSON; amnl/study/explorer.py says what they hold. Only λ that were measured can be reached.
   Needs d3 and Plot. Without scripts, the tables in it and the picture below it stand in. */
"use strict";

(() => {
  const SYMBOLS = { FD001: "circle", FD002: "square", FD003: "triangle", FD004: "diamond", mean: "cross" };
  const SHAPES = {
    circle: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle,
    diamond: d3.symbolDiamond, cross: d3.symbolCross,
  };
  const SEED_COLUMNS = { FD001: -18, FD002: -13, FD003: -8, FD004: 8, mean: 13 }; // pixels from the line
  const HEIGHT = 440;
  const MARGINS = { marginTop: 40, marginBottom: 28, marginLeft: 42, marginRight: 64 };
  const LABEL_GAP = 14; // pixels between two labels, one above the other

  const colour = (name) => `var(--curve-${name})`;
  const ink = (name) => `var(--ink-${name})`; // the same colour, strong enough for words

  /** An element with attributes and children; `true` and `false` switch an attribute on and off. */
  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  function swatch(name) {
    const svg = d3.create("svg").attr("viewBox", "-7 -7 14 14").attr("class", "swatch").attr("aria-hidden", "true");
    svg.append("path").attr("d", d3.symbol(SHAPES[SYMBOLS[name]], 70)()).attr("fill", colour(name));
    return svg.node();
  }

  /** A group of radio buttons; `chosen` is told the value of the one that is switched on. */
  function choices(title, group, values, chosen) {
    const fieldset = make("fieldset", {}, make("legend", {}, title));
    values.forEach((value, k) => {
      const button = make("input", { type: "radio", name: group, value, checked: k === 0 });
      button.addEventListener("change", () => chosen(value));
      fieldset.append(make("label", {}, button, value));
    });
    return fieldset;
  }

  /** From the lowest to the highest value of some sweeps, seeds included, and a little room. */
  function yDomain(sweeps) {
    const curves = sweeps.flatMap((sweep) => Object.values(sweep.curves));
    const values = curves.flatMap(({ rmse, low, high, seeds }) => [...rmse, ...low, ...high, ...seeds.flat()]);
    const [bottom, top] = d3.extent(values);
    const room = (top - bottom) / 25;
    return [bottom - room, top + room];
  }

  /** Move values apart until neighbours are `gap` from each other; crowded ones share the way. */
  function spread(values, gap) {
    const moved = [...values];
    const neighbours = d3.pairs(d3.sort(d3.range(values.length), (k) => values[k]));
    for (let round = 0; round < 50; round++) {
      for (const [lower, upper] of neighbours) {
        const lacking = Math.max(0, gap - (moved[upper] - moved[lower]));
        moved[lower] -= lacking / 2;
        moved[upper] += lacking / 2;
      }
    }
    return moved;
  }

  function start(root, id) {
    const sweeps = JSON.parse(root.querySelector("script").textContent);
    const source = sweeps.find((sweep) => sweep.unit === null);
    const ours = sweeps.filter((sweep) => sweep.unit !== null);
    const names = Object.keys(sweeps[0].curves);

    // What the reader has chosen.
    const shown = new Set(names);
    let isSource = source !== undefined;
    let unit = ours[0]?.unit;
    let lam = 0.5;

    const sweep = () => (isSource ? source : ours.find((one) => one.unit === unit));
    const domain = () => (isSource ? sourceDomain : ourDomain);
    const visible = () => names.filter((name) => shown.has(name));

    const xDomain = d3.extent(sweeps.flatMap((one) => one.lambdas));
    const sourceDomain = yDomain(source ? [source] : []);
    const ourDomain = yDomain(ours); // one axis for all units

    // ------------------------------------------------------------------------------- elements

    const TABLES = ["the source’s table", "our runs"];
    const there = TABLES.filter((_, k) => (k === 0 ? source : ours.length));
    const tables = choices("Numbers", `${id}-table`, there, (value) => {
      isSource = value === TABLES[0];
      changeSweep();
    });
    const units = choices("RUL error counted in", `${id}-unit`, ours.map((one) => one.unit), (value) => {
      unit = value;
      changeSweep();
    });
    const reason = make("span", { class: "reason" }, "the source states no unit");
    units.append(reason);

    const curves = make("fieldset", {}, make("legend", {}, "Curves"));
    for (const name of names) {
      const box = make("input", { type: "checkbox", checked: true, value: name });
      box.addEventListener("change", () => {
        if (box.checked) shown.add(name);
        else shown.delete(name);
        drawAll();
      });
      curves.append(make("label", {}, box, swatch(name), name));
    }

    const back = make("div");
    const front = make("div", { class: "front" });
    const chart = make("div", { class: "chart" }, back, front);
    const slider = make("input", { type: "range", id: `${id}-lambda`, step: 0.05 });
    const sliderLabel = make("label", { for: slider.id }, "λ, the weight of the RUL loss");
    const readout = make("table", { class: "readout" });
    const spoken = make("output", { class: "spoken", for: slider.id });
    root.prepend(
      make("div", { class: "live" },
        make("div", { class: "controls" }, tables, units, curves), chart, slider, sliderLabel, readout, spoken),
    );
    root.querySelector("details").open = false;

    // ---------------------------------------------------------------------------------- state

    function changeSweep() {
      units.disabled = isSource;
      reason.hidden = !isSource;
      slider.min = sweep().lambdas[0];
      slider.max = sweep().lambdas.at(-1);
      lam = nearest(lam);
      drawAll();
    }

    function nearest(value) {
      return d3.least(sweep().lambdas, (one) => Math.abs(one - value));
    }

    /** Go to the measured λ nearest to a value. */
    function moveTo(value) {
      const before = lam;
      lam = nearest(value);
      slider.value = lam;
      if (lam !== before) drawLine();
    }

    /** Go at least one λ towards a value: a key's step may be shorter than the way to the next. */
    function stepTo(value) {
      const grid = sweep().lambdas;
      const next = grid[grid.indexOf(lam) + Math.sign(value - lam)] ?? lam;
      moveTo(nearest(value) === lam ? next : value);
    }

    // -------------------------------------------------------------------------------- drawing

    let x; // the scale of the drawn chart, from λ to pixels

    /** Two charts of one frame lie on each other; only the one in front follows the line. */
    function plot(options) {
      const drawn = Plot.plot({
        ...MARGINS, width: chart.clientWidth, height: HEIGHT, style: { fontSize: "13px" },
        x: { domain: xDomain, axis: null }, y: { domain: domain(), axis: null }, ...options,
      });
      // Plot labels its groups ("dot", "line"), which tells nobody anything.
      for (const group of drawn.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
      return drawn;
    }

    function drawAll() {
      if (chart.clientWidth === 0) return; // not laid out yet, or printed without it
      drawCurves();
      drawLine();
    }

    function drawCurves() {
      const { title, lambdas, curves: all, digits } = sweep();
      const pixel = (domain()[1] - domain()[0]) / (HEIGHT - MARGINS.marginTop - MARGINS.marginBottom);
      const points = visible().flatMap((name) => {
        const { rmse, low, high } = all[name];
        return lambdas.map((one, i) => ({ name, lam: one, rmse: rmse[i], low: low[i], high: high[i] }));
      });
      const minima = points.filter((p) => p.rmse === d3.min(all[p.name].rmse));
      const labelled = d3.groups(minima, (p) => p.lam).flatMap(([, group]) => {
        const ys = spread(group.map((p) => p.rmse), LABEL_GAP * pixel);
        return group.map((p, k) => ({ ...p, y: ys[k], atEnd: p.lam === lambdas.at(-1) }));
      });
      const ends = points.filter((p) => p.lam === lambdas.at(-1));
      const endYs = spread(ends.map((p) => p.rmse), LABEL_GAP * pixel);

      const place = { x: "lam", y: "rmse", z: "name" };
      const fill = (p) => colour(p.name);
      const inked = (p) => ink(p.name);
      const halo = { stroke: "var(--chart-ground)", strokeWidth: 4 };
      const isMean = (p) => p.name === "mean";
      const minimumText = { x: "lam", y: "y", text: (p) => p.rmse.toFixed(digits), fill: inked, fontWeight: "bold", ...halo };
      const drawn = plot({
        ariaLabel: `${title}: RMSE on the test engines against λ. The table below holds the values.`,
        x: { domain: xDomain, ticks: 10, label: null, tickSize: 0 },
        y: { domain: domain(), grid: true, tickSize: 0, label: "RMSE on the test engines (cycles)", labelArrow: "none" },
        marks: [
          Plot.areaY(points, { ...place, y: undefined, y1: "low", y2: "high", fill, fillOpacity: 0.15 }),
          Plot.line(points, { ...place, stroke: fill, strokeWidth: 2, filter: (p) => !isMean(p) }),
          Plot.line(points, { ...place, stroke: fill, strokeWidth: 2, filter: isMean, strokeDasharray: "6 3" }),
          Plot.dot(points, { ...place, fill, symbol: (p) => SYMBOLS[p.name], r: 3.2 }),
          Plot.dot(minima, { ...place, className: "minima", stroke: fill, strokeWidth: 2, r: 9 }),
          Plot.text(labelled, { ...minimumText, filter: (p) => !p.atEnd, textAnchor: "start", dx: 13 }),
          Plot.text(labelled, { ...minimumText, filter: (p) => p.atEnd, textAnchor: "end", dx: -13 }),
          Plot.text(ends, { x: "lam", y: endYs, text: "name", fill: inked, textAnchor: "start", dx: 20, ...halo }),
        ],
      });
      drawn.setAttribute("role", "img");
      back.replaceChildren(drawn);

      // The middle of the slider's thumb is where the line is.
      x = drawn.scale("x");
      const [left, right] = d3.extent(lambdas).map(x.apply);
      slider.style.marginLeft = `calc(${left}px - var(--thumb) / 2)`;
      slider.style.width = `calc(${right - left}px + var(--thumb))`;
    }

    function drawLine() {
      const { lambdas, curves: all } = sweep();
      const at = lambdas.indexOf(lam);
      const here = visible().map((name) => ({ name, rmse: all[name].rmse[at] }));
      const seedsOf = (name) => (all[name].seeds[at] ?? []).map((rmse) => ({ name, rmse }));
      const fill = (p) => colour(p.name);
      const drawn = plot({
        marks: [
          Plot.ruleX([lam], { strokeWidth: 1.5 }),
          Plot.text([`λ = ${lam}`], { x: [lam], frameAnchor: "top", dy: -16, fontSize: 15, fontWeight: "bold" }),
          // Each curve's seeds in a column of their own, beside the line.
          ...visible().map((name) =>
            Plot.dot(seedsOf(name), { x: () => lam, y: "rmse", dx: SEED_COLUMNS[name], r: 2.2, fill }),
          ),
          Plot.dot(here, {
            x: () => lam, y: "rmse", symbol: (p) => SYMBOLS[p.name], r: 5.5, fill,
            stroke: "var(--chart-ground)", strokeWidth: 1.5,
          }),
        ],
      });
      drawn.setAttribute("aria-hidden", "true");
      front.replaceChildren(drawn);
      slider.value = lam;
      slider.setAttribute("aria-valuetext", String(lam));
      tell();
    }

    /** The readout: what each visible curve is at this λ, and at which λ it is lowest. */
    function tell() {
      const { lambdas, curves: all, digits } = sweep();
      const at = lambdas.indexOf(lam);
      const seeded = `${all[names[0]].seeds[at]?.length} seeds`;
      const head = isSource ? ["curve", "RMSE", "lowest"] : ["curve", "mean", "95 % interval", seeded, "lowest"];
      const rows = visible().map((name) => {
        const { rmse, low, high, seeds } = all[name];
        const lowest = lambdas.filter((_, k) => rmse[k] === d3.min(rmse));
        const show = (value) => value.toFixed(digits);
        const spans = isSource ? [] : [[low[at], high[at]], d3.extent(seeds[at])];
        return [
          name, show(rmse[at]), ...spans.map((span) => span.map(show).join(" – ")),
          `${show(d3.min(rmse))} at ${lowest.join(", ")}`,
        ];
      });
      const line = ([name, ...cells]) =>
        make("tr", {}, make("th", { scope: "row" }, swatch(name), name), ...cells.map((cell) => make("td", {}, cell)));
      readout.replaceChildren(
        make("caption", {}, `RMSE on the test engines (cycles) at λ = ${lam}`),
        make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
        make("tbody", {}, ...rows.map(line)),
      );
      const said = rows.map(([name, value]) => `${name} ${value}`).join(", ");
      spoken.textContent = `λ = ${lam}: ${said || "no curve is switched on"}`;
    }

    // --------------------------------------------------------------------- pointers and keys

    let held = false; // the slider, by a pointer
    slider.addEventListener("pointerdown", () => (held = true));
    for (const end of ["pointerup", "pointercancel"]) slider.addEventListener(end, () => (held = false));
    slider.addEventListener("input", () => (held ? moveTo : stepTo)(slider.valueAsNumber));

    const follow = (event) => moveTo(x.invert(event.clientX - chart.getBoundingClientRect().left));
    chart.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      chart.setPointerCapture(event.pointerId);
      follow(event);
    });
    chart.addEventListener("pointermove", (event) => {
      if (chart.hasPointerCapture(event.pointerId)) follow(event);
    });
    // The arrow keys go on from where the pointer let go.
    chart.addEventListener("pointerup", () => slider.focus({ preventScroll: true }));

    changeSweep();
    new ResizeObserver(drawAll).observe(chart);
  }

  document.querySelectorAll(".lambda-explorer").forEach((root, k) => {
    if (JSON.parse(root.querySelector("script").textContent).length) start(root, `explorer-${k}`);
  });
})();
