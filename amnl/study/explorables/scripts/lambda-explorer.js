/* The λ explorer: asks where the error is lowest, then moves the source's curves to what our runs found.

   amnl/study/explorables/lambda_explorer.py says what its numbers are. Only λ that were measured can be reached. */
"use strict";

(() => {
  const SYMBOLS = { FD001: "circle", FD002: "square", FD003: "triangle", FD004: "diamond", mean: "cross" };
  const SHAPES = {
    circle: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle,
    diamond: d3.symbolDiamond, cross: d3.symbolCross,
  };
  const SEED_COLUMNS = { FD001: -18, FD002: -13, FD003: -8, FD004: 8, mean: 13 }; // pixels from the line
  const TOP = 50, WINS = 36, LABEL_GAP = 14, MOVE = 800, LOOK = 900; // pixels, pixels, pixels, milliseconds, milliseconds
  const SIZES = [1, 3, 5, 10]; // seeds in a draw
  const MANY = 100;

  // ------------------------------------------------------------------------------------------ the core

  const nearest = (lams, value) => d3.least(lams, (lam) => Math.abs(lam - value));

  /** RUL's share of the pull on the trunk; `ratio` is its pull over health's at 0.5 in cycles. */
  const share = (lam, unit, ratio) => {
    const rul = (lam * ratio) / unit ** 2;
    return rul / (rul + (1 - lam)); // never above 1
  };

  const rmse = (pred, truth) => Math.sqrt(d3.mean(truth, (value, k) => (pred[k] - value) ** 2));

  /** Numbers in [0, 1), the same for the same start (mulberry32). */
  const chance = (start) => () => {
    start = (start + 0x6d2b79f5) | 0;
    let t = Math.imul(start ^ (start >>> 15), start | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  /** `k` of `n` seeds, any of them more than once. */
  const pick = (random, k, n) => d3.range(k).map(() => Math.floor(random() * n));

  /** The mean over the picked seeds at each λ, from the seeds at each λ. */
  const means = (seeds, picked) => seeds.map((each) => d3.mean(picked, (seed) => each[seed]));

  /** A view as the end of an address, and back. Nothing but what differs from the first view is in it. */
  const toAddress = (view) => {
    const parts = [`numbers=${view.numbers}`, `lambda=${view.lam}`];
    if (view.curves) parts.push(`curves=${view.curves.join(",")}`);
    if (view.closer) parts.push("closer=1");
    if (view.size !== SIZES[1]) parts.push(`seeds=${view.size}`);
    if (view.open.length) parts.push(`open=${view.open.join(",")}`);
    return `#${parts.join("&")}`;
  };
  const fromAddress = (hash) => {
    const given = new URLSearchParams(hash.slice(1));
    if (!given.has("numbers")) return null;
    return {
      numbers: given.get("numbers"),
      lam: Number(given.get("lambda") ?? 0.5) || 0.5,
      curves: given.get("curves")?.split(",") ?? null,
      closer: given.has("closer"),
      open: given.get("open")?.split(",") ?? [],
      size: SIZES.includes(Number(given.get("seeds"))) ? Number(given.get("seeds")) : SIZES[1],
    };
  };

  /** Move values apart until neighbours are `gap` from each other; crowded ones share the way. */
  const spread = (values, gap) => {
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
  };

  amnl.cores["lambda-explorer"] = { nearest, share, rmse, chance, pick, means, toAddress, fromAddress, spread };

  // ------------------------------------------------------------------------------------- small pieces

  const colour = (name) => `var(--curve-${name})`;
  const ink = (name) => `var(--ink-${name})`; // the same colour, strong enough for words
  const shape = (name, area) => d3.symbol(SHAPES[SYMBOLS[name]], area)();
  const percent = (part) => `${(100 * part).toFixed(1)} %`;

  function swatch(name) {
    const svg = d3.create("svg").attr("viewBox", "-7 -7 14 14").attr("class", "swatch").attr("aria-hidden", "true");
    svg.append("path").attr("d", shape(name, 70)).attr("fill", colour(name));
    return svg.node();
  }

  /** From the lowest to the highest value of some sweeps, seeds included, and a little room. */
  function domainOf(sweeps) {
    const curves = sweeps.flatMap((sweep) => Object.values(sweep.curves));
    const values = curves.flatMap(({ rmse, low, high, seeds }) => [...rmse, ...low, ...high, ...seeds.flat()]);
    const [bottom, top] = d3.extent(values);
    const room = (top - bottom) / 25 || 1;
    return [bottom - room, top + room];
  }

  /** What not every reader needs first: shut until it is asked for. */
  function fold(summary, opened, ...parts) {
    const element = amnl.make("details", {}, amnl.make("summary", {}, summary), ...parts);
    element.addEventListener("toggle", opened);
    return element;
  }

  /** A panel: its title, a drawing of such a height, and what it says where there is nothing to draw. */
  function panel(kind, height) {
    const title = amnl.make("p", { class: "title" });
    const svg = d3.create("svg").attr("height", height).attr("width", "100%").attr("aria-hidden", "true");
    const note = amnl.make("p", { class: "note" });
    return { element: amnl.make("div", { class: `panel ${kind}` }, title, svg.node(), note), title, svg, note };
  }

  // ------------------------------------------------------------------------------------------ a start

  function start(stage, { sweeps, pull, truth }) {
    const names = Object.keys(sweeps[0].curves);
    const subsets = names.filter((name) => name !== "mean");
    const source = sweeps.find((one) => one.unit === null);
    const ours = sweeps.filter((one) => one.unit !== null);
    const grid = d3.sort(new Set(sweeps.flatMap((one) => one.lambdas)));
    const whole = domainOf(sweeps);
    const inBook = stage.closest(".bd-article") !== null; // elsewhere the address is not ours to write

    // What the reader has chosen.
    let sweep = source ?? ours[0];
    let lam = nearest(sweep.lambdas, 0.5);
    let shown = new Set(names);
    let closer = false;
    let size = SIZES[1];
    let asking = source !== undefined && ours.length > 0;
    let guess = null;
    let begun = false; // nothing is said before somebody does something

    const visible = () => names.filter((name) => shown.has(name));
    const at = () => sweep.lambdas.indexOf(lam);
    const half = () => sweep.lambdas.indexOf(nearest(sweep.lambdas, 0.5));

    // --------------------------------------------------------------------------------- elements

    const position = ({ unit, title }) => (unit === null ? title : unit === 1 ? "1 cycle" : `${unit} cycles`);
    const positions = new Map(sweeps.map((one) => [position(one), one]));
    const numbers = amnl.choices(
      "Whose numbers", [...positions.keys()], (chosen) => change(positions.get(chosen)), position(sweep),
    );
    numbers.element.classList.add("switch");
    const first = numbers.element.querySelectorAll("label")[sweeps.indexOf(ours[0])];
    first?.before(amnl.make("span", { class: "ours" }, "ours, error in units of"));
    const curves = amnl.make("fieldset", { class: "choices curves" }, amnl.make("legend", {}, "Curves:"));
    const boxes = new Map();
    for (const name of names) {
      const box = amnl.make("input", { type: "checkbox", checked: true, value: name });
      box.addEventListener("change", () => {
        if (box.checked) shown.add(name);
        else shown.delete(name);
        redraw();
      });
      boxes.set(name, box);
      curves.append(amnl.make("label", {}, box, swatch(name), name));
    }
    const zoom = amnl.button("Zoom in", () => look(!closer));
    zoom.title = "Fit the vertical axis to these numbers, or to all of them";

    const answer = amnl.make("p", { class: "answer" });
    const guessing = amnl.button("", () => guessed());
    const skipping = amnl.button("Show without a guess", () => reveal());
    const ask = amnl.make("div", { class: "ask" }, guessing, skipping);

    const svg = d3.create("svg").attr("class", "chart").attr("role", "img");
    const chart = svg.node();
    const slider = amnl.make("input", {
      type: "range", step: 0.05, min: grid[0], max: grid.at(-1), "aria-label": "λ, the weight of the RUL loss",
    });

    const sizes = amnl.choices("Seeds in a draw:", SIZES.map(String), (value) => {
      size = Number(value);
      forget();
      redraw();
    }, String(size));
    const one = amnl.button("Draw once", () => drawSeeds(1));
    const many = amnl.button(`Draw ${MANY}`, () => drawSeeds(MANY));
    const clear = amnl.button("Clear", () => {
      forget();
      redraw();
    });
    const won = amnl.make("p", { class: "won" });
    const luck = amnl.make("div", { class: "controls luck" }, sizes.element, one, many, clear);
    const unfolded = () => {
      if (!folds.draws.open) forget();
      redraw();
      if (begun) keep();
    };

    const panels = { pull: panel("pull", 92), health: panel("health", 92), engines: panel("engines", 92) };
    const readout = amnl.make("table", { class: "readout" });
    const folds = {
      draws: fold("Draw seeds: which weight wins?", unfolded, luck, won),
      tasks: fold("Pull, health state and single engines at this λ", unfolded,
        amnl.make("div", { class: "panels" }, ...Object.values(panels).map(({ element }) => element))),
      table: fold("The numbers at this λ", unfolded, amnl.make("div", { class: "scrolls" }, readout)),
    };
    stage.append(
      amnl.make("div", { class: "controls" }, numbers.element, curves, zoom),
      amnl.make("div", { class: "said" }, answer, ask),
      chart, slider, ...Object.values(folds),
    );
    const speak = amnl.speaker(stage);

    // The drawing's marks are made once, and from then on they move.
    const axis = svg.append("g").attr("class", "axis");
    const wins = svg.append("g").attr("class", "wins");
    const back = svg.append("g").attr("class", "back");
    const drawn = svg.append("g").attr("class", "drawn-seeds");
    const front = svg.append("g").attr("class", "front");
    const yTitle = svg.append("text").attr("class", "y-title").attr("y", 11).attr("x", 0);
    const flag = svg.append("g").attr("class", "guess");
    flag.append("line");
    flag.append("text").text("your guess");
    const halo = (text) => text.attr("stroke", "var(--ground)").attr("stroke-width", 4).attr("paint-order", "stroke");
    const marks = new Map(names.map((name) => {
      const group = back.append("g").attr("class", `curve ${name}`);
      const made = {
        group,
        band: group.append("path").attr("class", "band").attr("fill", colour(name)).attr("opacity", 0.15),
        line: group.append("path").attr("class", "line").attr("fill", "none").attr("stroke", colour(name))
          .attr("stroke-width", 2).attr("stroke-dasharray", name === "mean" ? "6 3" : null),
        dots: group.selectAll(".mark").data(grid).join("path").attr("class", "mark")
          .attr("d", shape(name, 32)).attr("fill", colour(name)),
        rings: group.selectAll(".minima").data(grid).join("circle").attr("class", "minima").attr("r", 9)
          .attr("fill", "none").attr("stroke", colour(name)).attr("stroke-width", 2),
        end: group.append("text").attr("class", "end").attr("fill", ink(name)).attr("dy", "0.35em").text(name).call(halo),
        least: group.append("text").attr("class", "least").attr("dy", "0.35em").call(halo),
        redrawn: drawn.append("path").attr("class", "redrawn").attr("fill", "none").attr("stroke", colour(name))
          .attr("stroke-width", 2),
        winner: drawn.append("circle").attr("class", "winner").attr("r", 8).attr("fill", "none")
          .attr("stroke", colour(name)).attr("stroke-width", 3),
        seeds: front.append("g").selectAll("circle")
          .data(d3.range(d3.max(ours, (run) => run.curves[name]?.seeds[0]?.length) ?? 0))
          .join("circle").attr("r", 2.2).attr("fill", colour(name)),
        here: front.append("path").attr("class", "here").attr("d", shape(name, 110)).attr("fill", colour(name))
          .attr("stroke", "var(--ground)").attr("stroke-width", 1.5),
        won: wins.append("g").selectAll("rect").data(grid).join("rect").attr("fill", colour(name)),
      };
      for (const text of [made.end, made.least]) text.style("fill", ink(name));
      return [name, made];
    }));
    const rule = front.insert("line", "*").attr("class", "rule");
    const grip = front.append("rect").attr("class", "grip"); // a finger on the line drags, whichever way it sets out
    // Chromium heeds no touch-action of a part of a drawing.
    grip.node().addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    const here = front.append("text").attr("class", "lambda").attr("text-anchor", "middle");
    const winsTitle = wins.append("text").attr("class", "small").attr("x", 0);

    // ------------------------------------------------------------------------- what is drawn now

    /** Where every mark belongs: [λ, RMSE, low, high]. A λ that a sweep lacks lies on its neighbour. */
    function poseOf(one) {
      const curves = names.map((name) => {
        const { rmse, low, high } = one.curves[name];
        return grid.map((lam) => {
          const k = one.lambdas.indexOf(nearest(one.lambdas, lam));
          return [one.lambdas[k], rmse[k], low[k] ?? rmse[k], high[k] ?? rmse[k]];
        });
      });
      return { domain: closer ? domainOf([one]) : whole, curves };
    }

    let pose = poseOf(sweep);
    let moving = null;
    let x, y, bottom, width = 0;

    /** Move every mark to where it belongs. */
    function move() {
      moving?.stop();
      const to = poseOf(sweep);
      if (amnl.still() || width === 0) {
        pose = to;
        redraw();
        return;
      }
      const between = d3.interpolate(pose, to);
      moving = d3.timer((elapsed) => {
        const t = d3.easeCubicInOut(Math.min(1, elapsed / MOVE));
        pose = t < 1 ? between(t) : to;
        if (t === 1) moving.stop();
        drawCurves();
        drawLine();
      });
      tell();
    }

    function layOut() {
      width = stage.clientWidth;
      const height = width < 560 ? 340 : 300;
      bottom = height - WINS - 24;
      svg.attr("width", width).attr("height", folds.draws.open ? height : height - WINS);
      x = d3.scaleLinear(d3.extent(grid), [40, width - 60]);
      // The middle of the slider's thumb is where the line is.
      const [left, right] = d3.extent(sweep.lambdas).map(x);
      slider.style.marginLeft = `calc(${left}px - var(--thumb) / 2)`;
      slider.style.width = `calc(${right - left}px + var(--thumb))`;
      axis.selectAll(".x").data(d3.range(1, 11)).join("text").attr("class", "x")
        .attr("text-anchor", "middle").attr("x", (k) => x(k / 10)).attr("y", bottom + 18).text((k) => (k / 10).toFixed(1));
      rule.attr("y1", TOP - 15).attr("y2", bottom);
      grip.attr("y", TOP - 34).attr("height", bottom - TOP + 34).attr("width", 44);
      here.attr("y", TOP - 20);
      winsTitle.attr("y", height - 2 - WINS + 12);
      flag.select("line").attr("y1", TOP).attr("y2", bottom);
      flag.select("text").attr("y", bottom - 6).attr("dx", 4);
    }

    function drawCurves() {
      y = d3.scaleLinear(pose.domain, [bottom, TOP]);
      yTitle.text(`RMSE on the test engines (cycles)${closer ? ", zoomed in" : ""}`);
      const ticks = y.ticks(5);
      axis.selectAll(".grid").data(ticks).join("line").attr("class", "grid")
        .attr("x1", 40).attr("x2", width - 60).attr("y1", y).attr("y2", y);
      axis.selectAll(".y").data(ticks).join("text").attr("class", "y")
        .attr("x", 30).attr("dy", "0.35em").attr("text-anchor", "end").attr("y", y).text((tick) => y.tickFormat(5)(tick));
      const path = d3.line((p) => x(p[0]), (p) => y(p[1]));
      const area = d3.area((p) => x(p[0]), (p) => y(p[2]), (p) => y(p[3]));
      const labels = [];
      names.forEach((name, n) => {
        const points = pose.curves[n], all = sweep.curves[name].rmse, mark = marks.get(name);
        mark.group.style("display", shown.has(name) ? null : "none");
        mark.group.attr("opacity", redone ? 0.3 : null);
        mark.line.attr("d", path(points));
        mark.band.attr("d", area(points));
        mark.dots.attr("transform", (_, k) => `translate(${x(points[k][0])},${y(points[k][1])})`);
        const least = d3.min(all);
        mark.rings.attr("cx", (_, k) => x(points[k][0])).attr("cy", (_, k) => y(points[k][1]))
          .style("display", (lam) => (all[sweep.lambdas.indexOf(lam)] === least ? null : "none"));
        const first = sweep.lambdas[all.indexOf(least)];
        if (shown.has(name)) labels.push({ mark, lam: first, y: y(points[grid.indexOf(first)][1]), least, last: y(points.at(-1)[1]) });
      });
      for (const [lam, group] of d3.group(labels, (label) => label.lam)) {
        const atEnd = lam === sweep.lambdas.at(-1);
        const places = spread(group.map((label) => label.y), LABEL_GAP);
        group.forEach(({ mark, least, y }, k) => mark.least
          .attr("x", x(lam) + (atEnd ? -14 : 14)).attr("text-anchor", atEnd ? "end" : "start")
          .attr("y", places[k]).text(least.toFixed(sweep.digits))
          .style("display", Math.abs(places[k] - y) > LABEL_GAP / 2 ? "none" : null)); // too far from its ring
      }
      const last = labels.length ? x(pose.curves[0].at(-1)[0]) : 0;
      spread(labels.map((label) => label.last), LABEL_GAP).forEach((place, k) => labels[k].mark.end
        .attr("x", last + 16).attr("y", place));
    }

    function drawLine() {
      const k = grid.indexOf(lam);
      const middle = x(lam);
      rule.attr("x1", middle).attr("x2", middle);
      grip.attr("x", middle - 22);
      here.attr("x", middle).text(`λ = ${lam}`);
      flag.style("display", guess === null ? "none" : null);
      flag.attr("transform", `translate(${x(guess ?? lam)},0)`);
      names.forEach((name, n) => {
        const mark = marks.get(name), on = shown.has(name);
        const [value, rmse] = pose.curves[n][k];
        mark.here.style("display", on ? null : "none").attr("transform", `translate(${x(value)},${y(rmse)})`);
        const seeds = sweep.curves[name].seeds[at()] ?? [];
        mark.seeds.style("display", (i) => (on && i < seeds.length ? null : "none"))
          .attr("cx", middle + SEED_COLUMNS[name]).attr("cy", (i) => y(seeds[i] ?? 0));
      });
    }

    // -------------------------------------------------------------------------------- the luck of seeds

    let redone = null; // the last draw: of each curve its mean at each λ
    let draws = 0;
    let tally = new Map(); // of each curve, how often each λ has won
    let behind = new Map(); // and by how many cycles 0.5 lay above the winner, all draws together
    let random = chance(1);
    let repeating = null;

    function forget() {
      repeating?.stop();
      repeating = redone = null;
      draws = 0;
      tally = new Map(names.map((name) => [name, sweep.lambdas.map(() => 0)]));
      behind = new Map(names.map((name) => [name, 0]));
    }

    /** Draw seeds so often; every visible curve is a contest, which its lowest λ wins. */
    function drawSeeds(times) {
      repeating?.stop();
      const draw = () => {
        redone = new Map();
        const n = sweep.curves[names[0]].seeds[0].length;
        const picked = pick(random, size, n);
        for (const name of names) {
          const found = means(sweep.curves[name].seeds, picked);
          redone.set(name, found);
          tally.get(name)[d3.minIndex(found)] += 1;
          behind.set(name, behind.get(name) + found[half()] - d3.min(found));
        }
        draws += 1;
      };
      const end = draws + times;
      if (times === 1 || amnl.still()) while (draws < end) draw();
      else {
        draw();
        repeating = d3.interval(() => {
          draw();
          if (draws === end) repeating.stop();
          drawCurves();
          drawLuck();
        }, 40);
      }
      drawCurves();
      drawLuck();
    }

    function drawLuck() {
      const path = d3.line((_, k) => x(sweep.lambdas[k]), (value) => y(value));
      const height = WINS - 4, floor = bottom + 24 + WINS - 2;
      const total = sweep.lambdas.map((_, k) => d3.sum(visible(), (name) => tally.get(name)[k]));
      const step = height / Math.max(...total, 1);
      const below = total.map(() => floor);
      for (const name of names) {
        const mark = marks.get(name), on = redone !== null && shown.has(name);
        mark.redrawn.style("display", on ? null : "none");
        mark.winner.style("display", on ? null : "none");
        if (on) {
          const values = redone.get(name), least = d3.minIndex(values);
          mark.redrawn.attr("d", path(values));
          mark.winner.attr("cx", x(sweep.lambdas[least])).attr("cy", y(values[least]));
        }
        mark.won.attr("width", 9).attr("x", (one) => x(one) - 4.5).each(function (one) {
          const k = sweep.lambdas.indexOf(one);
          const tall = on && k >= 0 ? tally.get(name)[k] * step : 0;
          if (tall) below[k] -= tall;
          d3.select(this).attr("height", tall).attr("y", k >= 0 ? below[k] : floor);
        });
      }
      winsTitle.text(draws ? "wins" : "");
      for (const button of [one, many]) button.disabled = sweep.unit === null;
      clear.disabled = !draws;
      const contests = d3.sum(total), best = d3.maxIndex(total);
      const drew = `${draws} draw${draws === 1 ? "" : "s"}, ${size} of ${sweep.curves[names[0]].seeds[0]?.length} seeds`;
      const lost = (d3.sum(visible(), (name) => behind.get(name)) / contests).toFixed(2);
      won.textContent = sweep.unit === null
        ? "The source prints one number a weight, and no seeds to draw from."
        : !contests
          ? "Which weight would have won with fewer seeds? Draw some of the ten, and look."
          : `${drew}: 0.5 won ${total[half()]} of ${contests}, ${sweep.lambdas[best]} the most, ${total[best]}; `
            + `0.5 lies ${lost} cycles above the winners.`;
      if (contests && (!repeating || draws % MANY === 0)) speak(won.textContent);
    }

    // ------------------------------------------------------------------------------------ the panels

    const RUL = "var(--rul)", HEALTH = "var(--health)";

    function drawPull() {
      const { title, svg, note } = panels.pull;
      title.textContent = `Who pulls at λ = ${lam}`;
      const known = sweep.unit !== null && pull.later !== undefined;
      note.textContent = known ? "" : "The source states no unit, so nobody can say.";
      svg.style("display", known ? null : "none");
      if (!known) return;
      const width = panels.pull.element.clientWidth;
      const rows = [["before training", pull.start], ["from epoch 10 on", pull.later]].map(([when, ratio]) => [
        when, share(lam, sweep.unit, ratio),
      ]);
      svg.selectAll("g").data(rows).join((enter) => {
        const row = enter.append("g").attr("transform", (_, k) => `translate(0,${46 * k})`);
        row.append("text").attr("class", "small when").attr("y", 12);
        row.append("rect").attr("class", "health").attr("fill", HEALTH).attr("y", 18).attr("height", 20).attr("rx", 2);
        row.append("rect").attr("class", "rul").attr("fill", RUL).attr("y", 18).attr("height", 20).attr("rx", 2);
        return row;
      }).each(function ([when, part]) {
        const row = d3.select(this);
        row.select("text").text(`RUL ${percent(part)} ${when}`);
        row.select(".rul").attr("width", Math.max(0, part * width - 1));
        row.select(".health").attr("x", part * width).attr("width", (1 - part) * width);
      });
    }

    const F1 = [0.76, 0.9];

    function drawHealth() {
      const { title, svg, note, element } = panels.health;
      title.textContent = "Health state: macro-F1";
      const known = sweep.curves[subsets[0]].head.length > 0;
      const cuts = sweep.curves[subsets[0]].cut.length > 0;
      svg.style("display", known ? null : "none");
      note.textContent = !known
        ? "The source’s table has none."
        : [lam === 1 ? "λ = 1 trains no head." : "● head", cuts ? "□ cut RUL" : "□ cut: not kept"].join("  ");
      if (!known) return;
      const place = d3.scaleLinear(F1, [54, element.clientWidth - 10]);
      svg.selectAll(".tick").data([0.8, 0.85]).join("line").attr("class", "tick grid")
        .attr("x1", place).attr("x2", place).attr("y1", 0).attr("y2", 76);
      svg.selectAll(".value").data([0.8, 0.85]).join("text").attr("class", "value small")
        .attr("text-anchor", "middle").attr("x", place).attr("y", 90).text((tick) => tick.toFixed(2));
      svg.selectAll("g").data(subsets).join((enter) => {
        const row = enter.append("g").attr("transform", (_, k) => `translate(0,${10 + 19 * k})`);
        row.append("text").attr("class", "small").attr("dy", "0.35em").text((name) => name);
        row.append("line").attr("stroke", colour).attr("stroke-width", 2);
        row.append("circle").attr("r", 5).attr("fill", colour);
        row.append("rect").attr("width", 10).attr("height", 10).attr("y", -5).attr("fill", "none").attr("stroke", colour).attr("stroke-width", 2);
        return row;
      }).style("display", (name) => (shown.has(name) ? null : "none")).each(function (name) {
        const head = sweep.curves[name].head[at()], cut = sweep.curves[name].cut[at()];
        const row = d3.select(this);
        row.select("circle").style("display", head == null ? "none" : null).attr("cx", place(head ?? 0));
        row.select("rect").style("display", cut == null ? "none" : null).attr("x", place(cut ?? 0) - 5);
        row.select("line").style("display", head == null || cut == null ? "none" : null)
          .attr("x1", place(head ?? 0)).attr("x2", place(cut ?? 0));
      });
    }

    function drawEngines() {
      const { title, svg, note, element } = panels.engines;
      title.textContent = "RUL predicted over true, seed 0";
      const known = sweep.curves[subsets[0]].tenths.length > 0;
      const kept = ours.filter((run) => run.curves[subsets[0]].tenths.length).map((run) => run.unit);
      svg.style("display", known ? null : "none");
      note.textContent = known ? "" : sweep.unit === null
        ? "The source’s table has none."
        : `Not kept for these runs${kept.length ? `; kept for units of ${kept.join(" and ")} cycles` : ""}.`;
      if (!known) return;
      const step = element.clientWidth / subsets.length, side = Math.min(step - 8, 74);
      const place = d3.scaleLinear([0, 130], [0, side]);
      svg.selectAll("g").data(subsets).join((enter) => {
        const one = enter.append("g");
        one.append("rect").attr("class", "frame");
        one.append("line").attr("class", "grid");
        one.append("path").attr("fill", "none").attr("stroke", colour).attr("stroke-width", 2.4).attr("stroke-linecap", "round");
        one.append("text").attr("class", "small").text((name) => name);
        one.append("text").attr("class", "small rmse");
        return one;
      }).style("display", (name) => (shown.has(name) ? null : "none")).each(function (name, k) {
        const one = d3.select(this).attr("transform", `translate(${k * step},0)`);
        const tenths = sweep.curves[name].tenths[at()];
        one.select("rect").attr("width", side).attr("height", side);
        one.select("line").attr("x2", place(130)).attr("y1", side).attr("y2", 0);
        one.select("path").attr("d", truth[name]
          .map((rul, engine) => `M${place(rul).toFixed(1)},${(side - place(tenths[engine] / 10)).toFixed(1)}h0`).join(""));
        one.select("text").attr("y", side + 13);
        one.select(".rmse").attr("y", side + 27).text(`RMSE ${rmse(tenths.map((tenth) => tenth / 10), truth[name]).toFixed(1)}`);
      });
    }

    // ------------------------------------------------------------------------------------------ words

    const places = (name) => {
      const { rmse } = sweep.curves[name];
      return sweep.lambdas.filter((_, k) => rmse[k] === d3.min(rmse));
    };

    /** The sentence above the drawing: the question, or what these curves answer. */
    function sentence() {
      if (asking) {
        const claimed = [...new Set(names.flatMap(places))].join(", ");
        return `The source’s curves are lowest at ${claimed}. We trained ${trainings(ours[0])} networks to check, some at every `
          + "weight. Where is their error lowest? Click your guess.";
      }
      if (!visible().length) return "No curve is switched on.";
      const found = visible().map((name) => `${name} at ${places(name).join(", ")}`).join("; ");
      const judge = leading();
      const values = sweep.curves[judge].rmse;
      const seeds = sweep.curves[judge].seeds[at()];
      const span = (all) => (d3.max(all) - d3.min(all)).toFixed(sweep.digits);
      const said = guess === null || sweep.unit === null ? "" : `You said ${guess}. `;
      const noise = seeds ? `; over the ${seeds.length} seeds at λ = ${lam}, ${span(seeds)}` : "";
      return `${said}Lowest: ${found}. Over all weights ${judge === "mean" ? "the mean" : judge} moves ${span(values)} cycles${noise}.`;
    }

    /** The curve that words are about. */
    const leading = () => (shown.has("mean") ? "mean" : visible()[0]);

    const trainings = (run) =>
      d3.sum(subsets, (name) => d3.sum(run.curves[name].seeds, (each) => each.length));

    /** The readout: what each visible curve is at this λ, and at which λ it is lowest. */
    function tell() {
      slider.value = lam;
      const first = leading();
      const value = first && `, ${first} ${sweep.curves[first].rmse[at()].toFixed(sweep.digits)} cycles`;
      slider.setAttribute("aria-valuetext", `${lam}${value ?? ""}`);
      answer.textContent = sentence();
      ask.style.display = asking ? "" : "none";
      guessing.textContent = `Guess λ = ${lam}`;
      const isSource = sweep.unit === null, k = at();
      const seeded = `${sweep.curves[names[0]].seeds[k]?.length} seeds`;
      const head = isSource ? ["curve", "RMSE", "lowest"] : ["curve", "mean", "95 % interval", seeded, "lowest"];
      const rows = visible().map((name) => {
        const { rmse, low, high, seeds } = sweep.curves[name];
        const show = (value) => value.toFixed(sweep.digits);
        const spans = isSource ? [] : [[low[k], high[k]], d3.extent(seeds[k])];
        return [
          name, show(rmse[k]), ...spans.map((span) => span.map(show).join(" – ")),
          `${show(d3.min(rmse))} at ${places(name).join(", ")}`,
        ];
      });
      const line = ([name, ...cells]) => amnl.make("tr", {},
        amnl.make("th", { scope: "row" }, swatch(name), name), ...cells.map((cell) => amnl.make("td", {}, cell)));
      readout.replaceChildren(
        amnl.make("caption", {}, `RMSE on the test engines (cycles) at λ = ${lam}`),
        amnl.make("thead", {}, amnl.make("tr", {}, ...head.map((cell) => amnl.make("th", { scope: "col" }, cell)))),
        amnl.make("tbody", {}, ...rows.map(line)),
      );
      svg.attr("aria-label", `${sweep.title}: RMSE on the test engines against λ. ${asking ? "" : sentence()}`);
      const values = rows.map(([name, value]) => `${name} ${value}`).join(", ");
      if (begun) speak(`λ = ${lam}: ${values || "no curve is switched on"}`);
      drawPull();
      drawHealth();
      drawEngines();
    }

    // ---------------------------------------------------------------------------------- what changes

    function redraw() {
      if (stage.clientWidth === 0) return; // not laid out yet, or printed without it
      layOut();
      drawCurves();
      drawLine();
      drawLuck();
      tell();
    }

    let soon; // the zoom that follows an answer
    function change(to) {
      clearTimeout(soon);
      asking = false;
      sweep = to;
      lam = nearest(sweep.lambdas, lam);
      slider.min = sweep.lambdas[0];
      slider.max = sweep.lambdas.at(-1);
      numbers.set(position(sweep));
      forget();
      if (stage.clientWidth > 0) layOut();
      move();
      if (width > 0) drawLuck();
      keep();
    }

    const reveal = () => {
      change(ours[0]);
      slider.focus({ preventScroll: true });
      // First all on one axis, where ours are level; then what can be told apart only from near.
      soon = setTimeout(() => look(true), MOVE + LOOK);
    };

    function guessed() {
      guess = lam;
      reveal();
    }

    function look(closely) {
      clearTimeout(soon);
      closer = closely;
      zoom.setAttribute("aria-pressed", closer);
      move();
      keep();
    }

    /** Go to the measured λ nearest to a value. */
    function moveTo(value) {
      const before = lam;
      lam = nearest(sweep.lambdas, value);
      slider.value = lam;
      if (lam === before) return;
      drawLine();
      tell();
      keep();
    }

    /** Go at least one λ towards a value: a key's step may be shorter than the way to the next. */
    function stepTo(value) {
      const next = sweep.lambdas[at() + Math.sign(value - lam)] ?? lam;
      moveTo(nearest(sweep.lambdas, value) === lam ? next : value);
    }

    // ----------------------------------------------------------------------------------- the address

    let writing;
    function keep() {
      if (!inBook) return;
      clearTimeout(writing);
      writing = setTimeout(() => {
        const open = Object.keys(folds).filter((name) => folds[name].open);
        const view = { numbers: sweep.name, lam, closer, size, open, curves: shown.size < names.length ? visible() : null };
        history.replaceState(null, "", toAddress(view));
      }, 300);
    }

    function open() {
      const view = inBook ? fromAddress(location.hash) : null;
      const to = view && sweeps.find((one) => one.name === view.numbers);
      if (!to) return;
      shown = new Set(names.filter((name) => !view.curves || view.curves.includes(name)));
      for (const [name, box] of boxes) box.checked = shown.has(name);
      closer = view.closer;
      zoom.setAttribute("aria-pressed", closer);
      for (const name of view.open) if (name in folds) folds[name].open = true;
      size = view.size;
      sizes.set(String(size));
      lam = view.lam;
      guess = null;
      change(to);
    }

    // -------------------------------------------------------------------------------- pointers and keys

    let held = false; // the slider, by a pointer
    slider.addEventListener("pointerdown", () => (held = true));
    for (const end of ["pointerup", "pointercancel"]) slider.addEventListener(end, () => (held = false));
    slider.addEventListener("input", () => (held ? moveTo : stepTo)(slider.valueAsNumber));

    let before; // where the line was: a swipe that turns out to scroll leaves it there
    const follow = (event) => moveTo(x.invert(d3.pointer(event, chart)[0]));
    chart.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      before = lam;
      chart.setPointerCapture(event.pointerId);
      if (event.pointerType === "mouse") follow(event);
    });
    chart.addEventListener("pointermove", (event) => {
      if (chart.hasPointerCapture(event.pointerId)) follow(event);
    });
    chart.addEventListener("pointercancel", () => moveTo(before));
    chart.addEventListener("pointerup", (event) => {
      follow(event);
      if (asking) guessed();
      else slider.focus({ preventScroll: true }); // the arrow keys go on from where the pointer let go
    });

    forget();
    zoom.setAttribute("aria-pressed", closer);
    slider.min = sweep.lambdas[0];
    slider.max = sweep.lambdas.at(-1);
    open();
    addEventListener("hashchange", open);
    new ResizeObserver(() => {
      if (stage.clientWidth !== width) redraw();
    }).observe(stage);
    redraw();
    begun = true;
  }

  amnl.explorable("lambda-explorer", start);
})();
