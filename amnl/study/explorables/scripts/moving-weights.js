/* What each rule makes of the two gradients while a network trains. The ratios are those of
   amnl/study/explorables/moving_weights.py; a pull is gradients times weights, so on a logarithmic axis the weights are a
   shift. */
"use strict";

(() => {
  const pull = (rule, k) => rule.gradients[k] * rule.weights[k];

  /** A ratio in words with two digits: "56 : 1", "1 : 20". */
  const odds = (ratio) => {
    const digits = (value) => d3.format(",.2r")(value).replace(/\.0+$/, "");
    return ratio >= 1 ? `${digits(ratio)} : 1` : `1 : ${digits(1 / ratio)}`;
  };

  amnl.cores["moving-weights"] = { pull, odds };

  const FRAME = 160; // milliseconds an epoch
  const LEAP = 10; // epochs at a press, for readers who want no motion
  const ROW = 42, TOP = 30, SIDE = 10;

  const start = (stage, { epochs, units }) => {
    let k = 0, unit = units[0], timer = null;
    const last = epochs.length - 1;
    const all = units.flatMap(({ rules }) => rules.flatMap((rule) => epochs.flatMap((_, j) => [rule.gradients[j], pull(rule, j)])));
    const x = d3.scaleLog().domain([d3.min(all) / 1.3, d3.max(all) * 1.3]);

    const slider = amnl.slider("Epoch", {
      min: 0, max: last, step: 1, value: 0, say: (value) => `${epochs[value]} of ${epochs[last]}`,
      moved: (value) => {
        pause();
        go(value);
      }
    });
    const play = amnl.button("", () => {
      if (timer) return pause();
      if (k === last) go(0);
      else if (amnl.still()) return go(Math.min(last, k + LEAP));
      if (amnl.still()) return undefined;
      timer = setInterval(() => {
        go(k + 1);
        if (k === last) pause();
      }, FRAME);
      return draw();
    });
    const choice = amnl.choices("RUL loss in", units.map(({ name }) => name), (name) => {
      unit = units.find((one) => one.name === name);
      draw();
      speak(sentence());
    });
    const controls = amnl.make("div", { class: "controls" }, play, slider.element);
    if (units.length > 1) controls.append(choice.element);
    const key = amnl.make("p", { class: "key" },
      amnl.make("span", {}, amnl.make("i", { class: "ring" }), "the two gradients alone"),
      amnl.make("span", {}, amnl.make("i", { class: "dot" }), "after the rule's weights"),
      amnl.make("span", {}, "| epochs before"),
      amnl.make("span", {}, "numbers, RUL : health: gradients × weights = pull"));
    const names = units[0].rules.map((rule) => rule.name);
    const height = TOP + ROW * names.length + 24;
    const svg = d3.create("svg").attr("role", "img").attr("height", height);
    stage.append(controls, key, svg.node());
    const speak = amnl.speaker(stage);

    const grid = svg.append("g").attr("class", "grid");
    const equal = svg.append("line").attr("class", "equal").attr("y1", TOP - 8).attr("y2", TOP + ROW * names.length);
    const rows = svg.append("g").selectAll("g").data(names).join("g").attr("class", "rule")
      .attr("transform", (_, j) => `translate(0,${TOP + ROW * j})`);
    const past = rows.append("path").attr("class", "past");
    const shift = rows.append("path").attr("class", "shift");
    const ring = rows.append("circle").attr("class", "ring").attr("r", 7).attr("cy", 26);
    const dot = rows.append("circle").attr("class", "dot").attr("r", 4.5).attr("cy", 26);
    rows.append("text").attr("class", "name").attr("x", 0).attr("y", 13).text((name) => name);
    const sum = rows.append("text").attr("class", "sum").attr("text-anchor", "end").attr("y", 13);
    const foot = svg.append("g").attr("class", "foot").attr("transform", `translate(0,${height - 6})`);
    const harder = ["← health pulls harder", "RUL pulls harder →"];
    const sides = foot.selectAll("text").data(harder).join("text").attr("text-anchor", (_, j) => (j ? "end" : "start")).text((text) => text);

    const sentence = () => `Epoch ${epochs[k]}, ${unit.name}, pulls of RUL against health: `
      + unit.rules.map((rule) => `${rule.name} ${odds(pull(rule, k))}`).join(", ");

    const size = () => {
      const width = stage.clientWidth;
      svg.attr("width", width).attr("viewBox", [0, 0, width, height]);
      x.range([SIDE, width - SIDE]);
      const ticks = d3.range(-6, 7).map((power) => 10 ** power).filter((tick) => tick > x.domain()[0] && tick < x.domain()[1]);
      const marks = grid.selectAll("g").data(ticks).join((enter) => {
        const mark = enter.append("g");
        mark.append("line").attr("y1", TOP - 4).attr("y2", TOP + ROW * names.length);
        mark.append("text").attr("text-anchor", "middle").attr("y", 14);
        return mark;
      }).attr("transform", (tick) => `translate(${x(tick)},0)`);
      marks.select("text").text(odds);
      equal.attr("x1", x(1)).attr("x2", x(1));
      sum.attr("x", width);
      sides.attr("x", (_, j) => (j ? width : 0));
      draw();
    };

    const draw = () => {
      const rule = (_, j) => unit.rules[j];
      const at = (_, j) => x(pull(rule(_, j), k)), from = (_, j) => x(rule(_, j).gradients[k]);
      ring.attr("cx", from);
      dot.attr("cx", at);
      shift.attr("d", (_, j) => `M${from(_, j)},26H${at(_, j)}`);
      past.attr("d", (_, j) => d3.range(k).map((e) => `M${x(pull(rule(_, j), e))},22v8`).join(""));
      sum.text((_, j) => {
        const { gradients, weights } = rule(_, j);
        return `${odds(gradients[k])} × ${odds(weights[k])} = ${odds(pull(rule(_, j), k))}`.replaceAll(" : ", ":");
      });
      svg.attr("aria-label", sentence());
      slider.set(k);
      slider.input.setAttribute("aria-valuetext", `epoch ${epochs[k]} of ${epochs[last]}`);
      play.textContent = timer ? "❚❚ Pause" : amnl.still() ? (k === last ? "Again from 0" : `${LEAP} epochs on`) : "▶ Play";
    };

    const pause = () => {
      if (!timer) return;
      clearInterval(timer);
      timer = null;
      draw();
      speak(sentence());
    };

    const go = (to) => {
      k = to;
      draw();
      if (!timer) speak(sentence());
    };

    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", () => {
      pause();
      draw();
    });
    new ResizeObserver(size).observe(stage);
    size();
  };

  amnl.explorable("moving-weights", start);
})();
