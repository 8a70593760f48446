/* Chapter 1: two gradients to drag, their mixture on the segment between them, and the unit of the first loss. */
"use strict";

(() => {
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const combine = (a, b, lam) => lam * a + (1 - lam) * b;

  const core = {
    combine,
    mixture: (rul, hs, lam) => [combine(rul[0], hs[0], lam), combine(rul[1], hs[1], lam)],
    /** The λ between which a small step lowers both losses. */
    usefulInterval: (rul, hs) => {
      const inner = dot(rul, hs);
      if (inner >= 0) return [0, 1];
      return [-inner / (dot(rul, rul) - inner), dot(hs, hs) / (dot(hs, hs) - inner)];
    },
    share: (lam, ratio) => (lam * ratio) / (lam * ratio + 1 - lam),
    /** What a loss changes by when the parameters move by −g, to first order. */
    change: (g, task) => -dot(g, task),
    atAngle: (degrees, length) => {
      const angle = (degrees * Math.PI) / 180;
      return [length * Math.cos(angle), length * Math.sin(angle)];
    },
    /** The angle between two directions, 0 to 180 degrees. */
    apart: (one, other) => Math.abs(((one - other + 540) % 360) - 180),
  };
  amnl.cores["mixing-board"] = core;

  const HEIGHT = 330;
  const SHORTEST = 0.001;
  const LONGEST = 10000;
  const REACH = 160; // pixels from the centre that an arrow may be long
  const TASKS = ["rul", "hs"];
  const NAMES = { rul: "RUL", hs: "health" };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const three = (value) => (value === 0 ? "0" : d3.format(",.3r")(value).replace("-", "−"));
  const short = d3.format(",.3~r");
  /** Words for a change, level where it is zero but for rounding. */
  const word = (change, size) => (Math.abs(change) <= 1e-12 * size ? "stays" : change < 0 ? "falls" : "rises");

  /** Two weights as digits that tell them apart. */
  const span = (low, high) => {
    const digits = clamp(Math.ceil(-Math.log10(high - low)) + 1, 2, 6);
    return [low.toFixed(digits), high.toFixed(digits)];
  };

  function start(stage, { ratio, units, angle }) {
    const { make } = amnl;
    // `size` is the length of a gradient, that of RUL in cycles²; what is drawn is divided by the unit squared.
    const first = () => ({ size: { rul: ratio, hs: 1 }, turn: { rul: 0, hs: angle }, lam: 0.5, unit: units.indexOf(15) });
    let state = first();
    let width = 0;
    let scale = 100; // pixels a unit of length
    const factor = () => units[state.unit] ** 2;
    const length = (task) => state.size[task] / (task === "rul" ? factor() : 1);
    const setLength = (task, to) => {
      state.size[task] = clamp(to, SHORTEST, LONGEST) * (task === "rul" ? factor() : 1);
    };
    const gradient = (task) => core.atAngle(state.turn[task], length(task));

    // ------------------------------------------------------------------------------- what is on the stage
    const svg = d3.create("svg").attr("class", "arrows").attr("height", HEIGHT);
    const id = `mixing-board-${document.querySelectorAll("mixing-board svg.arrows").length}`;
    const frame = svg.append("clipPath").attr("id", id).append("rect").attr("height", HEIGHT);
    const half = svg.append("g").attr("clip-path", `url(#${id})`).append("g");
    half.append("rect").attr("class", "harmed").attr("x", -2000).attr("y", -2000).attr("width", 2000).attr("height", 4000);
    half.append("line").attr("class", "edge").attr("y1", -2000).attr("y2", 2000);
    svg.append("text").attr("class", "side hint").attr("x", 6).attr("y", 16).text("drag the three tips");
    const side = svg.append("text").attr("class", "side").text("in the shade a loss rises");
    const between = svg.append("line").attr("class", "between");
    const useful = svg.append("line").attr("class", "useful");
    const middle = svg.append("circle").attr("class", "middle").attr("r", 3);
    const arrow = (kind) => {
      const g = svg.append("g").attr("class", `arrow ${kind}`);
      g.append("line");
      g.append("path").attr("d", "M0,0L-12,-5.5L-12,5.5Z");
      return g;
    };
    const arrows = { rul: arrow("rul"), hs: arrow("hs"), mix: arrow("mix") };
    svg.append("circle").attr("class", "origin").attr("r", 3.5);
    const grips = {};
    for (const kind of ["mix", ...TASKS]) {
      const g = svg.append("g").attr("class", kind);
      g.append("circle").attr("class", "reach").attr("r", 20);
      const symbol = { mix: d3.symbolDiamond, rul: d3.symbolCircle, hs: d3.symbolSquare }[kind];
      g.append("path").attr("class", "grip").attr("d", d3.symbol(symbol, kind === "mix" ? 170 : 210)());
      grips[kind] = g;
    }
    const labels = { rul: null, hs: null, mix: null };
    for (const kind in labels) labels[kind] = svg.append("text").attr("class", `label ${kind}`);

    const bars = d3.create("svg").attr("class", "bars").attr("height", 62).attr("aria-hidden", true);
    const both = bars.append("rect").attr("class", "both").attr("y", 1).attr("height", 41);
    const rows = TASKS.map((task, k) => {
      const g = bars.append("g").attr("class", task).attr("transform", `translate(0,${3 + 20 * k})`);
      return { g, bar: g.append("rect").attr("height", 17), text: g.append("text").attr("y", 13).text(`${NAMES[task]} falls`) };
    });
    const halfway = bars.append("line").attr("class", "halfway").attr("y2", 44);
    const now = bars.append("line").attr("class", "now").attr("y2", 44);
    const spanText = bars.append("text").attr("class", "span").attr("y", 58);

    const cells = {};
    const row = (task) => {
      cells[task] = { word: make("td", { class: "word" }), change: make("td") };
      const name = make("th", { scope: "row", class: task }, `${NAMES[task]} loss`);
      return make("tr", {}, name, cells[task].word, cells[task].change);
    };
    const caption = make("caption");
    const table = make("table", {}, caption, make("tbody", {}, row("rul"), row("hs")));
    const shares = { rul: make("span", { class: "rul" }), hs: make("span", { class: "hs" }) };
    const shareWords = { rul: make("span"), hs: make("span") };
    const pull = make("p", { class: "words" }, make("b", {}, "Share of the pull"), shareWords.rul, shareWords.hs);
    const shareBar = make("div", { class: "share", "aria-hidden": "true" }, shares.rul, shares.hs);
    const lengths = make("p", { class: "words" });
    const panel = make("div", { class: "panel" }, table, pull, shareBar, lengths);

    const lamSlider = amnl.slider("λ, the weight of the RUL loss", {
      min: 0, max: 1, step: 0.01, value: state.lam, say: d3.format(".2f"), moved: (to) => change(() => (state.lam = to)),
    });
    lamSlider.element.classList.add("lam");
    lamSlider.element.append(bars.node());
    const sayUnit = (k) => `${d3.format(",")(units[k] ** 2)} = (${units[k]} cycle${units[k] === 1 ? "" : "s"})²`;
    const unitSlider = amnl.slider("Divide the RUL loss by", {
      min: 0, max: units.length - 1, step: 1, value: state.unit, say: sayUnit, moved: (to) => change(() => (state.unit = to), true),
    });
    let walk;
    /** Walk through the units to one of them: the reader sees what grows. */
    const walkTo = (unit) => {
      walk?.stop();
      const [from, to] = [state.unit, units.indexOf(unit)];
      const last = amnl.still() ? 0 : 700;
      const step = (elapsed) => {
        const part = last ? Math.min(elapsed / last, 1) : 1;
        if (part === 1) walk?.stop();
        change(() => (state.unit = Math.round(from + (to - from) * part)), true);
      };
      if (last) walk = d3.timer(step);
      else step(0);
    };
    const sized = (unit) => () => {
      state.size = { rul: ratio, hs: 1 };
      walkTo(unit);
    };
    const buttons = make("div", { class: "controls" },
      amnl.button("the source's sizes (cycles²)", sized(1)),
      amnl.button("units of 125", sized(125)),
      amnl.button("equal lengths", () => {
        walk?.stop();
        change(() => setLength("rul", length("hs")), true);
      }),
      amnl.button("start again", () => {
        walk?.stop();
        change(() => (state = first()), true);
      }));

    stage.append(
      make("div", { class: "board" }, svg.node(), panel),
      make("div", { class: "dials" }, lamSlider.element, make("div", {}, unitSlider.element, buttons)));
    const speak = amnl.speaker(stage);

    // -------------------------------------------------------------------------------------------- drawing
    const place = ([x, y]) => [width / 2 + scale * x, HEIGHT / 2 - scale * y];

    /** Choose the scale anew if the longest arrow has left the sheet or become small on it. */
    function rescale() {
      const reach = Math.min(REACH, width / 2) - 22;
      const longest = Math.max(length("rul"), length("hs"));
      if (longest * scale > reach || longest * scale < 0.45 * reach) scale = (0.8 * reach) / longest;
    }

    function draw() {
      const g = { rul: gradient("rul"), hs: gradient("hs") };
      g.mix = core.mixture(g.rul, g.hs, state.lam);
      const origin = [width / 2, HEIGHT / 2];
      const tips = { rul: place(g.rul), hs: place(g.hs), mix: place(g.mix) };
      for (const kind in tips) {
        const [dx, dy] = [tips[kind][0] - origin[0], tips[kind][1] - origin[1]];
        const turn = (Math.atan2(dy, dx) * 180) / Math.PI;
        const head = `translate(${tips[kind]}) rotate(${turn}) scale(${Math.min(1, Math.hypot(dx, dy) / 16)})`;
        arrows[kind].select("line").attr("x1", origin[0]).attr("y1", origin[1]).attr("x2", tips[kind][0]).attr("y2", tips[kind][1]);
        arrows[kind].select("path").attr("transform", head);
        grips[kind].attr("transform", `translate(${tips[kind]})`);
      }
      svg.select(".origin").attr("cx", origin[0]).attr("cy", origin[1]);
      line(between, tips.hs, tips.rul);
      middle.attr("transform", `translate(${place(core.mixture(g.rul, g.hs, 0.5))})`);

      const [low, high] = core.usefulInterval(g.rul, g.hs);
      line(useful, place(core.mixture(g.rul, g.hs, low)), place(core.mixture(g.rul, g.hs, high)));
      const down = Math.atan2(-g.mix[1], g.mix[0]);
      half.attr("transform", `translate(${origin}) rotate(${(down * 180) / Math.PI})`);

      const words = {};
      const taken = [];
      for (const task of TASKS) {
        const by = core.change(g.mix, g[task]);
        words[task] = word(by, length("rul") * length(task) + length("hs") * length(task));
        const said = `${words[task]} ${{ falls: "▼", rises: "▲", stays: "=" }[words[task]]}`;
        put(cells[task].word, said);
        cells[task].word.dataset.word = words[task];
        put(cells[task].change, words[task] === "stays" ? "0" : `${by > 0 ? "+" : ""}${three(by)}`);
        cells[task].change.dataset.value = by;
        grips[task].attr("data-turn", state.turn[task]);
        write(labels[task], tips[task], `${NAMES[task]} ${said}`, taken);
        label(grips[task].node(), SHORTEST, LONGEST, length(task),
          `length ${short(length(task))}, ${core.apart(state.turn.rul, state.turn.hs).toFixed(0)}° from the other, the ${NAMES[task]} loss ${words[task]}`);
      }
      for (const task of TASKS) taken.push([tips[task][0], tips[task][1] + 4, 10]);
      write(labels.mix, tips.mix, `λ = ${state.lam.toFixed(2)}`, taken);
      const away = Math.hypot(...g.mix) || 1;
      const deep = [origin[0] - (110 * g.mix[0]) / away, origin[1] + (130 * g.mix[1]) / away];
      side.attr("x", clamp(deep[0], 82, width - 82)).attr("y", clamp(deep[1], 14, HEIGHT - 6));

      const empty = !(high > low);
      const [lowText, highText] = empty ? ["", ""] : low === 0 && high === 1 ? ["0", "1"] : span(low, high);
      const bothWords = empty ? "no λ lowers both" : `both fall from λ = ${lowText} to ${highText}`;
      label(grips.mix.node(), 0, 1, state.lam, `${state.lam.toFixed(2)}: the RUL loss ${words.rul}, the health loss ${words.hs}; ${bothWords}`);
      lamSlider.set(state.lam);
      lamSlider.input.setAttribute("aria-valuetext", grips.mix.attr("aria-valuetext"));
      if (unitSlider.input.valueAsNumber !== state.unit) unitSlider.set(state.unit);

      const x = (lam) => 11 + lam * (barWidth() - 22);
      both.attr("x", x(low)).attr("width", Math.max(x(high) - x(low), 2)).attr("display", empty ? "none" : null);
      rows.forEach(({ bar, text }, k) => {
        const [from, to] = k ? [x(0), x(high)] : [x(low), x(1)];
        bar.attr("x", from).attr("width", Math.max(to - from, 1));
        const inside = to - from > 90;
        const edge = k ? (inside ? from + 6 : to + 6) : inside ? to - 6 : from - 6;
        text.attr("x", edge).attr("text-anchor", k ? "start" : "end");
      });
      halfway.attr("x1", x(0.5)).attr("x2", x(0.5));
      now.attr("x1", x(state.lam)).attr("x2", x(state.lam));
      const spanWidth = 7.8 * bothWords.length;
      spanText.text(bothWords).attr("x", clamp((x(low) + x(high)) / 2 - spanWidth / 2, 0, Math.max(barWidth() - spanWidth, 0)));
      spanText.attr("data-low", low).attr("data-high", high);

      const rulShare = core.share(state.lam, length("rul") / length("hs"));
      put(caption, `A small step at λ = ${state.lam.toFixed(2)}`);
      put(shareWords.rul, `RUL ${percent(rulShare)}`);
      put(shareWords.hs, `health ${percent(1 - rulShare)}`);
      pull.dataset.value = rulShare;
      shares.rul.style.width = `${100 * rulShare}%`;
      const times = length("rul") / length("hs");
      const said = times >= 1 ? `${short(times)} : 1` : `1 : ${short(1 / times)}`;
      put(lengths, `Lengths ${said}, ${core.apart(state.turn.rul, state.turn.hs).toFixed(0)}° apart`);
      speak(`λ ${state.lam.toFixed(2)}. The RUL loss ${words.rul}, the health loss ${words.hs}. RUL has ${percent(rulShare)} of the pull. ${bothWords}.`);
    }

    const percent = (part) => (part > 0 && part < 0.01) || (part > 0.99 && part < 1) ? d3.format(".2%")(part) : d3.format(".0%")(part);
    const put = (node, text) => node.textContent !== text && (node.textContent = text);
    const line = (mark, [x1, y1], [x2, y2]) => mark.attr("x1", x1).attr("y1", y1).attr("x2", x2).attr("y2", y2);
    const barWidth = () => Math.max(bars.node().clientWidth, 100);

    /** A label beyond the tip of an arrow, kept on the sheet and off the origin and the labels already `taken`. */
    function write(text, [x, y], words, taken) {
      const [dx, dy] = [x - width / 2, y - HEIGHT / 2];
      const long = Math.hypot(dx, dy) || 1;
      const beyond = Math.max(long + 23, 46) / long;
      const half = 3.9 * words.length;
      const wish = width / 2 + dx * beyond + (dx / long) * (half - 8);
      const left = clamp(wish, half + 2, width - half - 2);
      let top = HEIGHT / 2 + dy * beyond + 4;
      const covered = () => taken.some(([x, y, room]) => Math.abs(x - left) < room + half && Math.abs(y - top) < 17);
      // Pushed back over its tip, or on another label, it steps aside.
      const pushed = Math.abs(wish - left) > 4 && Math.abs(top - y) < 20;
      if (pushed || covered()) top += dy > 0 ? 26 : -26;
      if (covered()) top += dy > 0 ? -52 : 52;
      top = clamp(top, 14, HEIGHT - 6);
      text.text(words).attr("x", left).attr("y", top);
      taken.push([left, top, half]);
    }

    function label(node, min, max, value, words) {
      node.setAttribute("aria-valuemin", min);
      node.setAttribute("aria-valuemax", max);
      node.setAttribute("aria-valuenow", clamp(value, min, max));
      node.setAttribute("aria-valuetext", words);
    }

    const redraw = amnl.atFrame(draw);
    /** Change the state and draw; `rescaled` where the hand does not hold an arrow. */
    function change(how, rescaled = false) {
      how();
      if (rescaled) rescale();
      redraw();
    }

    // -------------------------------------------------------------------------------------------- handles
    for (const task of TASKS) {
      const node = grips[task].node();
      amnl.handle(node, svg.node(), {
        label: `${NAMES[task]} gradient: up and down change its length, left and right turn it`,
        moved: ([x, y]) => change(() => {
          const [dx, dy] = [x - width / 2, HEIGHT / 2 - y];
          const reach = Math.min(REACH, width / 2) - 4;
          setLength(task, clamp(Math.hypot(dx, dy), 8, reach) / scale);
          state.turn[task] = (Math.atan2(dy, dx) * 180) / Math.PI;
        }),
        key: ({ key, shiftKey }) => {
          const times = { ArrowUp: 1.1, ArrowDown: 1 / 1.1, PageUp: 2, PageDown: 0.5 }[key];
          const turn = { ArrowLeft: 5, ArrowRight: -5 }[key];
          const end = { Home: SHORTEST, End: LONGEST }[key];
          if (!times && !turn && !end) return false;
          change(() => {
            if (turn) state.turn[task] += shiftKey ? turn / 5 : turn;
            else setLength(task, end ?? length(task) * times);
          }, true);
          return true;
        },
      });
      node.addEventListener("lostpointercapture", () => change(() => {}, true));
    }
    amnl.handle(grips.mix.node(), svg.node(), {
      label: "λ on the segment",
      moved: ([x, y]) => change(() => {
        const [from, to] = [place(gradient("hs")), place(gradient("rul"))];
        const along = [to[0] - from[0], to[1] - from[1]];
        const part = dot([x - from[0], y - from[1]], along) / (dot(along, along) || 1);
        state.lam = Math.round(100 * clamp(part, 0, 1)) / 100;
      }),
      key: ({ key }) => {
        const by = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 }[key];
        if (!by) return false;
        change(() => (state.lam = Math.round(100 * clamp(state.lam + by, 0, 1)) / 100));
        return true;
      },
    });

    new ResizeObserver(() => {
      const room = svg.node().parentElement.clientWidth;
      const wide = Math.floor(Math.min(room >= 620 ? room - 282 : room, 520));
      if (!room || wide === width) return draw();
      width = wide;
      svg.attr("width", width).attr("viewBox", `0 0 ${width} ${HEIGHT}`);
      frame.attr("width", width);
      scale = 1e-9;
      rescale();
      draw();
    }).observe(stage);
  }

  amnl.explorable("mixing-board", start);
})();
