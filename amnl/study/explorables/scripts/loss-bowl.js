/* Chapter 2: two linear tasks share two weights. Their losses in the plane, the minimiser as λ moves, the test error. */
"use strict";

(() => {
  const DIRECTION = [Math.cos(-0.5), Math.sin(-0.5)]; // from the primary's true vector to the auxiliary's
  const MOST = 1000; // rows

  /** A small seeded generator (mulberry32): numbers from 0 to 1, the same in every browser. */
  const generator = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normals = (count, seed) => Float64Array.from({ length: count }, d3.randomNormal.source(generator(seed))());

  /** n rows of two inputs with XᵀX = n I, from 2n normal numbers. */
  const white = (z, n) => {
    let [aa, ab, bb] = [0, 0, 0];
    for (let i = 0; i < n; i++) aa += z[2 * i] ** 2;
    for (let i = 0; i < n; i++) ab += z[2 * i] * z[2 * i + 1];
    const x = Array.from({ length: n }, (_, i) => [z[2 * i], z[2 * i + 1] - (ab / aa) * z[2 * i]]);
    for (const row of x) bb += row[1] ** 2;
    const [p, q] = [Math.sqrt(n / aa), Math.sqrt(n / bb)];
    for (const row of x) {
      row[0] *= p;
      row[1] *= q;
    }
    return x;
  };

  /** What the loss of a task needs of its data: XᵀX / n, Xᵀy / n and yᵀy / n. */
  const moments = (x, y) => {
    const m = { xx: 0, xz: 0, zz: 0, xy: 0, zy: 0, yy: 0 };
    for (let i = 0; i < y.length; i++) {
      const [a, b] = x[i];
      m.xx += a * a;
      m.xz += a * b;
      m.zz += b * b;
      m.xy += a * y[i];
      m.zy += b * y[i];
      m.yy += y[i] * y[i];
    }
    for (const key in m) m[key] /= y.length;
    return m;
  };
  /** The shared vector with the least lam · MSE_1 + (1 − lam) · MSE_2. */
  const solve = (one, other, lam) => {
    const rest = 1 - lam;
    const a = lam * one.xx + rest * other.xx;
    const b = lam * one.xz + rest * other.xz;
    const c = lam * one.zz + rest * other.zz;
    const p = lam * one.xy + rest * other.xy;
    const q = lam * one.zy + rest * other.zy;
    const det = a * c - b * b;
    return [(c * p - b * q) / det, (a * q - b * p) / det];
  };
  const error = (w, truth) => (w[0] - truth[0]) ** 2 + (w[1] - truth[1]) ** 2;

  /** A function that keeps what it found, of late. */
  const kept = (find, most) => {
    const found = new Map();
    return (...of) => {
      const key = of.join();
      if (!found.has(key)) {
        if (found.size >= most) found.clear();
        found.set(key, find(...of));
      }
      return found.get(key);
    };
  };
  // Of the same seed a longer data set begins like a shorter one: when a dial moves, the luck stays what it was.
  const luck = kept((seed, part) => normals(part % 2 ? MOST : 2 * MOST, 4 * seed + part), 800);
  const inputs = kept((seed, part, n) => white(luck(seed, part), n), 400);
  const core = {
    normals,
    white,
    fit: (x1, y1, x2, y2, lam) => solve(moments(x1, y1), moments(x2, y2), lam),
    loss: (x, y, [a, b]) => {
      const m = moments(x, y);
      return a * a * m.xx + 2 * a * b * m.xz + b * b * m.zz - 2 * (a * m.xy + b * m.zy) + m.yy;
    },
    /** The error on new data above its noise, at each of the weights. */
    sweep: (x1, y1, x2, y2, truth, lams) => {
      const [one, other] = [moments(x1, y1), moments(x2, y2)];
      return lams.map((lam) => error(solve(one, other, lam), truth));
    },
    /** The weight with the lowest of the errors; of equal ones the first. */
    lowest: (lams, errors) => lams[d3.leastIndex(errors)],
    primaryVariance: (t) => (2 * t.noise_primary ** 2) / t.n_primary,
    auxiliaryError: (t) => (2 * t.noise_auxiliary ** 2) / t.n_auxiliary + t.disagreement ** 2,
    excess: (t, lam) => lam ** 2 * core.primaryVariance(t) + (1 - lam) ** 2 * core.auxiliaryError(t),
    optimum: (t) => core.auxiliaryError(t) / (core.primaryVariance(t) + core.auxiliaryError(t)),
    /** A data set: the primary's true vector is 0, inputs are white. */
    draw: (t, seed) => {
      const truth = [0, 0];
      const other = DIRECTION.map((part) => t.disagreement * part);
      const task = (part, n, noise, [p, q]) => {
        const [x, e] = [inputs(seed, part, n), luck(seed, part + 1)];
        return [x, x.map(([a, b], i) => a * p + b * q + noise * e[i])];
      };
      const [x1, y1] = task(0, t.n_primary, t.noise_primary, truth);
      const [x2, y2] = task(2, t.n_auxiliary, t.noise_auxiliary, other);
      return { x1, y1, x2, y2, truth, other };
    },
  };
  amnl.cores["loss-bowl"] = core;

  const LAMS = d3.range(101).map((k) => k / 100);
  const HEIGHT = 300;
  const MARGIN = 11; // pixels, half of the thumb of the slider below
  const BINS = 60; // pixels of the strip below, where the lowest points are counted
  const two = d3.format(".2f");
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const level = (value, levels) => levels.find((one) => value <= one) ?? levels.at(-1);

  function start(stage, { settings, rows }) {
    const { make } = amnl;
    const names = Object.keys(settings);
    let tasks = { ...settings[names[0]] };
    let lam = 0.5;
    let seed = 32; // at the first setting its curve is near the expected one; the next ones are not
    let many = false;
    let nearestOnPath; // the λ whose minimiser is nearest to a place in the plane
    let sets = []; // of each data set: its moments, errors and the λ of the lowest

    // ------------------------------------------------------------------------------- what is on the stage
    // A screen reader is told of the two handles, and not of what lies under and over them.
    const layers = (on) => {
      const layer = () => on.append("g").attr("aria-hidden", true);
      const [under, hold, over] = [layer(), on.append("g"), layer().style("pointer-events", "none")];
      return { under, hold, over };
    };
    const plane = d3.create("svg").attr("class", "plane").attr("height", HEIGHT);
    const id = `loss-bowl-${document.querySelectorAll("loss-bowl svg.plane").length}`;
    const frame = plane.append("clipPath").attr("id", id).append("rect").attr("height", HEIGHT);
    const inner = layers(plane.append("g").attr("clip-path", `url(#${id})`));
    const rings = { one: inner.under.append("g").attr("class", "rings one"), two: inner.under.append("g").attr("class", "rings two") };
    const path = inner.under.append("line").attr("class", "path");
    const miss = inner.under.append("line").attr("class", "miss");
    const cloud = inner.under.append("path").attr("class", "cloud");
    const mark = (kind, symbol, size) => inner.under.append("path").attr("class", kind).attr("d", d3.symbol(symbol, size)());
    const marks = {
      two: mark("answer two", d3.symbolSquare, 90), one: mark("answer one", d3.symbolCircle, 90),
      other: mark("other", d3.symbolDiamond, 60), truth: mark("truth", d3.symbolStar, 130),
      here: inner.hold,
    };
    // What a finger takes hold of is larger than what is seen.
    inner.hold.append("circle").attr("class", "grip").attr("r", 18);
    inner.hold.append("circle").attr("class", "here").attr("r", 6.5);
    const says = {};
    for (const kind of ["truth", "other", "one", "two"]) says[kind] = inner.over.append("text").attr("class", `say ${kind}`);
    inner.over.append("text").attr("class", "note").attr("x", 6).attr("y", 16).text("the two shared weights");
    const ringNote = inner.over.append("text").attr("class", "note").attr("x", 6).attr("y", HEIGHT - 8);

    const chart = d3.create("svg").attr("class", "chart").attr("height", HEIGHT);
    const sheet = layers(chart);
    const area = chart.append("clipPath").attr("id", `${id}-chart`).append("rect").attr("y", 40).attr("height", HEIGHT);
    const axis = sheet.under.append("g").attr("class", "axis");
    const corners = [0, 1].map((k) => sheet.under.append("text").attr("class", "note").attr("text-anchor", k ? "end" : "start").text(`λ = ${k}`));
    const scaleSays = sheet.under.append("text").attr("class", "note");
    const floor = sheet.under.append("text").attr("class", "note floor");
    const each = sheet.under.append("path").attr("class", "each").attr("clip-path", `url(#${id}-chart)`);
    const expected = sheet.under.append("path").attr("class", "expected");
    const curve = sheet.under.append("path").attr("class", "curve");
    const bars = sheet.under.append("path").attr("class", "counts");
    const now = sheet.hold.append("line").attr("class", "now");
    const grip = sheet.hold.append("rect").attr("class", "grip").attr("y", 24).attr("width", 44);
    const dot = sheet.hold.append("circle").attr("class", "here").attr("r", 6.5);
    const ring = sheet.over.append("circle").attr("class", "ring").attr("r", 9);
    const best = sheet.over.append("line").attr("class", "best");
    const ends = [0, 1].map((k) => sheet.over.append("text").attr("class", `say ${k ? "one" : "two"}`).attr("text-anchor", k ? "end" : "start"));
    const key = [["expected", "expected"], ["curve", ""]].map(([kind, words], k) => {
      const g = sheet.over.append("g");
      g.append("line").attr("class", kind).attr("x2", 22).attr("y1", 12).attr("y2", 12);
      return { g, text: g.append("text").attr("class", "note").attr("x", 27).attr("y", 16).text(words), k };
    });
    const countSays = sheet.over.append("text").attr("class", "note");

    const lamSlider = amnl.slider("λ, the weight of the primary loss", {
      min: 0, max: 1, step: 0.01, value: lam, say: two, moved: (to) => change(() => (lam = to)),
    });
    const dials = {};
    const dial = (name, label, options) => {
      dials[name] = amnl.slider(label, { value: 0, ...options, moved: (to) => change(() => (tasks[name] = options.read?.(to) ?? to), true) });
      return dials[name].element;
    };
    const counted = { min: 0, max: rows.length - 1, step: 1, say: (k) => `${rows[k]}`, read: (k) => rows[k] };
    const group = (title, kind, ...parts) => make("fieldset", { class: kind }, make("legend", {}, title), ...parts);
    const primary = group("Primary task, the one that counts", "one",
      dial("n_primary", "Rows", counted), dial("noise_primary", "Noise", { min: 0.1, max: 3, step: 0.1, say: d3.format(".1f") }));
    const auxiliary = group("Auxiliary task", "two",
      dial("n_auxiliary", "Rows", counted), dial("noise_auxiliary", "Noise", { min: 0, max: 3, step: 0.1, say: d3.format(".1f") }),
      dial("disagreement", "Distance of its truth", { min: 0, max: 1.5, step: 0.05, say: two }));
    const hundred = amnl.button("a hundred at once", () => change(() => (many = !many), true));
    const draws = make("div", { class: "controls" },
      amnl.button("draw another data set", () => change(() => (seed += many ? 100 : 1), true)), hundred);
    const buttons = names.map((name) => amnl.button(name, () => change(() => (tasks = { ...settings[name] }), true)));
    const presets = make("div", { class: "controls" }, ...buttons);
    stage.append(
      presets,
      make("div", { class: "views" }, make("div", {}, plane.node(), draws), make("div", {}, chart.node(), lamSlider.element)),
      make("div", { class: "dials" }, primary, auxiliary));
    const speak = amnl.speaker(stage);

    // -------------------------------------------------------------------------------------------- drawing
    function compute() {
      sets = d3.range(many ? 100 : 1).map((k) => {
        const data = core.draw(tasks, seed + k);
        const [one, other] = [moments(data.x1, data.y1), moments(data.x2, data.y2)];
        const errors = LAMS.map((lam) => error(solve(one, other, lam), data.truth));
        return { data, one, other, errors, best: core.lowest(LAMS, errors) };
      });
    }

    const place = (mark, [x, y]) => mark.attr("transform", `translate(${x},${y})`);
    const shown = (mark, is) => mark.attr("display", is ? null : "none");
    const line = (mark, [x1, y1], [x2, y2]) => mark.attr("x1", x1).attr("y1", y1).attr("x2", x2).attr("y2", y2);
    const write = (text, words, x, y, width) => {
      const half = 3.8 * words.length;
      text.text(words).attr("x", clamp(x, half + 2, width - half - 2)).attr("y", clamp(y, 32, HEIGHT - 24));
    };

    function drawPlane(width) {
      const [V, A] = [core.primaryVariance(tasks), core.auxiliaryError(tasks)];
      const reach = level(1.6 * Math.sqrt(Math.max(V, A)), [0.75, 1.5, 3, 6]); // of half the sheet, in weights
      const scale = Math.min(width, HEIGHT) / 2 / reach;
      const at = ([x, y]) => [width / 2 + scale * x, HEIGHT / 2 - scale * y];
      const first = sets[0];
      const answers = { one: at(solve(first.one, first.other, 1)), two: at(solve(first.one, first.other, 0)) };
      const here = at(solve(first.one, first.other, lam));
      const way = LAMS.map((to) => at(solve(first.one, first.other, to)));
      nearestOnPath = ([x, y]) => LAMS[d3.leastIndex(way, (one) => Math.hypot(one[0] - x, one[1] - y))];
      const truth = at(first.data.truth);
      for (const task of ["one", "two"]) {
        const radii = many ? [] : d3.range(1, 5).map((k) => (k * scale * reach) / 4);
        rings[task].selectAll("circle").data(radii).join("circle").attr("r", (r) => r)
          .attr("cx", answers[task][0]).attr("cy", answers[task][1]).attr("opacity", (_, k) => 1 - 0.2 * k);
        shown(place(marks[task], answers[task]), !many);
      }
      // A hundred: every data set's minimiser for this λ.
      cloud.attr("d", many ? sets.map(({ one, other }) => {
        const [x, y] = at(solve(one, other, lam));
        return `M${x.toFixed(1)},${y.toFixed(1)}h0`;
      }).join("") : "");
      shown(line(path, answers.two, answers.one), !many);
      shown(line(miss, here, truth), !many);
      shown(place(marks.here, here), !many);
      place(marks.truth, truth);
      place(marks.other, at(first.data.other));
      shown(marks.other, tasks.disagreement > 0);
      shown(says.other, tasks.disagreement > 0);
      // Each name on the side of its mark that faces away from the next mark.
      const aside = ([x, y], from) => [x, y + (y < from[1] ? -12 : 22)];
      const other = at(first.data.other);
      const near = Math.hypot(answers.one[0] - answers.two[0], answers.one[1] - answers.two[1]) < 44;
      write(says.truth, "truth", ...aside(truth, many ? other : here), width);
      write(says.other, "other truth", ...aside(other, many ? truth : answers.two), width);
      write(says.one, near ? "λ = 0 to 1" : "λ = 1", ...aside(answers.one, truth), width);
      write(says.two, "λ = 0", ...aside(answers.two, other), width);
      shown(says.one, !many);
      shown(says.two, !many && !near);
      const away = (reach / 4) ** 2;
      ringNote.text(many ? `the answers of 100 data sets at λ = ${two(lam)}` : `rings: a task's loss, at ${d3.format(".2~r")(away)}, ${d3.format(".2~r")(4 * away)}, … above its least`);
    }

    function drawChart(width) {
      const [V, A] = [core.primaryVariance(tasks), core.auxiliaryError(tasks)];
      const top = level(1.2 * Math.max(V, A), [0.3, 1, 3, 10]);
      const base = HEIGHT - BINS - 16;
      const x = (at) => MARGIN + at * (width - 2 * MARGIN);
      const y = (value) => base - (value / top) * (base - 44);
      const curveOf = (errors, step = 1) => {
        let d = "";
        for (let k = 0; k < LAMS.length; k += step) d += `${k ? "L" : "M"}${x(LAMS[k]).toFixed(1)},${clamp(y(errors[k]), -50, base).toFixed(1)}`;
        return d;
      };
      axis.selectAll("line").data([0, 0.25, 0.5, 0.75, 1]).join("line")
        .attr("x1", (t) => x(0)).attr("x2", x(1)).attr("y1", (t) => y(t * top)).attr("y2", (t) => y(t * top));
      scaleSays.attr("x", x(0)).attr("y", y(top) - 4).text(`error on new data: noise + ${top}`);
      floor.attr("x", x(0.5)).attr("y", base + 14).attr("text-anchor", "middle").text(`noise alone: ${two(tasks.noise_primary ** 2)}`);
      corners.forEach((text, k) => text.attr("x", x(k)).attr("y", base + 14));
      const mean = many ? LAMS.map((_, k) => d3.mean(sets, (set) => set.errors[k])) : sets[0].errors;
      each.attr("d", many ? sets.map((set) => curveOf(set.errors, 4)).join("") : "");
      expected.attr("d", curveOf(LAMS.map((at) => core.excess(tasks, at))));
      curve.attr("d", curveOf(mean));
      const found = core.lowest(LAMS, mean);
      const bottom = mean[Math.round(100 * found)];
      ring.attr("cx", x(found)).attr("cy", clamp(y(bottom), 44, base)).attr("data-lam", found);
      line(now, [x(lam), 24], [x(lam), base]);
      grip.attr("x", x(lam) - 22).attr("height", base - 24);
      const value = mean[Math.round(100 * lam)];
      dot.attr("cx", x(lam)).attr("cy", clamp(y(value), 20, base)).attr("data-value", value);
      const optimum = core.optimum(tasks);
      line(best, [x(optimum), base + 18], [x(optimum), HEIGHT - 18]);
      best.attr("data-optimum", optimum);

      area.attr("width", width);
      const words = [`auxiliary alone ${short(A)}`, `primary alone ${short(V)}`];
      ends.forEach((text, k) => text.text(words[k]).attr("x", x(k)).attr("y", clamp(y(k ? V : A) - 10, 56, base - 22)));
      key[1].text.text(many ? "mean of 100" : "this data set");
      key.forEach(({ g, k }) => g.attr("transform", `translate(${11 + 100 * k},0)`));

      const bins = d3.rollup(sets, (of) => of.length, (set) => Math.round(20 * set.best));
      const most = Math.max(many ? 10 : 1, ...bins.values());
      const tall = BINS - 26;
      const wide = Math.max((width - 22) / 20 - 3, 4);
      const foot = HEIGHT - 16;
      bars.attr("d", [...bins].map(([k, n]) => {
        const high = many ? (tall * n) / most : tall / 2;
        return `M${x(k / 20) - wide / 2},${foot}v${-high}h${wide}v${high}z`;
      }).join(""));
      const at = many ? `the lowest points of 100 data sets; expected best λ ${two(optimum)}` : `lowest here: λ ${two(found)}; expected best λ ${two(optimum)}`;
      countSays.text(at).attr("x", 11).attr("y", HEIGHT - 2);
      return { found, optimum, value };
    }
    const short = (value) => (value < 0.01 ? d3.format(".1~r")(value) : d3.format(".2f")(value));

    function draw() {
      const width = Math.floor(plane.node().parentElement.clientWidth);
      if (!width) return;
      for (const svg of [plane, chart]) svg.attr("width", width).attr("viewBox", `0 0 ${width} ${HEIGHT}`);
      frame.attr("width", width);
      drawPlane(width);
      const { found, optimum, value } = drawChart(width);
      for (const name in dials) {
        const to = rows.includes(tasks[name]) && name.startsWith("n_") ? rows.indexOf(tasks[name]) : tasks[name];
        if (dials[name].input.valueAsNumber !== to) dials[name].set(to);
      }
      hundred.setAttribute("aria-pressed", many);
      const same = (other) => Object.keys(other).every((key) => other[key] === tasks[key]);
      buttons.forEach((button, k) => button.setAttribute("aria-pressed", same(settings[names[k]])));
      const spread = many ? d3.extent(sets, (set) => set.best).map(two).join(" to ") : "";
      const said = `error above the noise ${d3.format(".3f")(value)}, lowest at ${two(found)}, expected best ${two(optimum)}`;
      lamSlider.input.setAttribute("aria-valuetext", `${two(lam)}: ${said}`);
      for (const { hold } of [inner, sheet]) hold.attr("aria-valuenow", lam).attr("aria-valuetext", `${two(lam)}: ${said}`);
      speak(`λ ${two(lam)}: ${said}.${many ? ` The lowest points of 100 data sets go from ${spread}.` : ""}`);
      stage.dataset.seed = seed;
      stage.dataset.lowest = sets.map((set) => set.best).join(" ");
    }

    let stale = false;
    const redraw = amnl.atFrame(() => {
      if (stale) compute();
      stale = false;
      draw();
    });
    /** Change the state and draw; `data` where other data are needed. */
    function change(how, data = false) {
      how();
      stale ||= data;
      redraw();
    }

    // -------------------------------------------------------------------------------------------- handles
    const steps = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 };
    const moveLam = (to) => change(() => {
      lam = Math.round(100 * clamp(to, 0, 1)) / 100;
      lamSlider.set(lam);
    });
    const hold = (layer, svg, label, lamAt) => {
      layer.attr("aria-valuemin", 0).attr("aria-valuemax", 1);
      amnl.handle(layer.node(), svg.node(), {
        label,
        moved: (pointer) => moveLam(lamAt(pointer)),
        key: ({ key }) => {
          if (!(key in steps)) return false;
          moveLam(lam + steps[key]);
          return true;
        },
      });
    };
    hold(inner.hold, plane, "λ, where its minimiser is on the path", (pointer) => nearestOnPath(pointer));
    hold(sheet.hold, chart, "λ, the line of the chart", ([x]) => (x - MARGIN) / (chart.attr("width") - 2 * MARGIN));

    compute();
    new ResizeObserver(draw).observe(stage);
  }

  amnl.explorable("loss-bowl", start);
})();
