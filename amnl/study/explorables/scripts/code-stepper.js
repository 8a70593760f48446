/* Code that has run, stepped by the reader. What each statement did was recorded by amnl/study/explorables/code_stepper.py;
   nothing is computed here but which of it is shown. */
"use strict";

(() => {
  /** Which steps have left their mark on the listing after step `now`: statement → its latest step in this call.

      What a loop's earlier rounds did is wiped when a new round begins. */
  const trail = (steps, now) => {
    const at = steps[now], marks = new Map();
    const begins = (outer, inner) => !outer || `${inner},`.startsWith(`${outer},`);
    steps.slice(0, now + 1).forEach((step, k) => {
      if (step.call !== at.call) return;
      if (begins(step.round, at.round) || begins(at.round, step.round)) marks.set(step.statement, k);
      else marks.delete(step.statement);
    });
    return marks;
  };

  /** Where a press on a statement leads: to the next step at which it runs, or from its last one to its first. */
  const jump = (steps, now, listing, statement) => {
    const runs = steps.map((step, k) => k).filter((k) => steps[k].listing === listing && steps[k].statement === statement);
    return runs.find((k) => k > now) ?? runs[0] ?? now;
  };

  /** The nearest statement above (-1) or below (1) that ever runs. */
  const neighbour = (steps, now, way) => {
    const { listing, statement } = steps[now];
    const rows = steps.filter((step) => step.listing === listing).map((step) => step.statement);
    const beyond = rows.filter((row) => (row - statement) * way > 0);
    return beyond.length ? way * Math.min(...beyond.map((row) => row * way)) : statement;
  };

  amnl.cores["code-stepper"] = { trail, jump, neighbour };

  const WORDS = new RegExp("(#.*$)|(\"[^\"]*\"|'[^']*')|\\b(and|as|def|elif|else|False|for|from|if|import|in|is|lambda|None|not|or|"
    + "raise|return|True|while|with)\\b", "g");

  /** A line of code; keywords, texts and comments each look their own. */
  const coloured = (line) => {
    const parts = [];
    let end = 0;
    for (const found of line.matchAll(WORDS)) {
      const kind = found[1] ? "comment" : found[2] ? "text" : "keyword";
      parts.push(line.slice(end, found.index), amnl.make("span", { class: kind }, found[0]));
      end = found.index + found[0].length;
    }
    return [...parts, line.slice(end)];
  };

  const longest = (texts) => texts.reduce((a, b) => (b.length > a.length ? b : a), "");

  /** An element that is always as large as the longest of its texts needs. */
  const roomy = (tag, name, texts) => amnl.make(tag, { class: `roomy ${name}`, "data-longest": longest(texts) }, amnl.make("span"));

  let made = 0;

  const start = (stage, { listings, steps }) => {
    const id = `code-stepper-${++made}`;
    let now = 0, shown = 0;

    const place = (step) => `line ${listings[step.listing].statements[step.statement].number}`;
    const where = (step) => [step.within, place(step), step.round].filter(Boolean).join(" · ");
    const sentence = (step) => `${where(step)}: ${step.did}. ${step.reason}`.trim();

    const slider = amnl.slider("Step", {
      min: 1, max: steps.length, step: 1, value: 1, say: (value) => `${value} of ${steps.length}`, moved: (value) => go(value - 1)
    });
    slider.input.classList.add("steps");
    const back = amnl.button("◀ Back", () => go(now - 1));
    const forward = amnl.button("Forward ▶", () => go(now + 1));
    const line = roomy("p", "where", steps.map(where));
    const reason = roomy("p", "reason", steps.map((step) => step.reason));
    const panels = listings.map((listing, k) => {
      const ours = steps.filter((step) => step.listing === k);
      const rows = listing.statements.map((statement, j) => {
        const runs = ours.filter((step) => step.statement === j);
        const lines = amnl.make("div", { class: "lines" }, ...statement.text.split("\n").map((text) => {
          const indent = text.length - text.trimStart().length;
          return amnl.make("code", { style: `--indent: ${indent}` }, ...coloured(text.trim()));
        }));
        const row = amnl.make("div", {
          class: "statement", role: "option", id: `${id}-${k}-${j}`, "aria-selected": "false", "aria-disabled": String(!runs.length)
        }, amnl.make("span", { class: "number" }, String(statement.number)), lines);
        if (runs.length) {
          row.append(roomy("span", "did", runs.map((step) => step.did)));
          row.addEventListener("click", () => go(jump(steps, now, k, j)));
        }
        return row;
      });
      const code = amnl.make("div", { class: "code", role: "listbox", tabindex: "0", "aria-label": `${listing.name}, its lines` }, ...rows);
      const values = listing.names.map((name) => {
        const texts = ours.map((step) => step.values[name] ?? "");
        const long = longest(texts).length > 22;
        return amnl.make("div", { class: long ? "named long" : "named" }, amnl.make("dt", {}, name), roomy("dd", "", texts));
      });
      const names = amnl.make("dl", { class: "names" }, ...values);
      code.addEventListener("keydown", (event) => {
        const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const row = neighbour(steps, now, way);
        if (row !== steps[now].statement) go(jump(steps, now, steps[now].listing, row));
      });
      return { element: amnl.make("div", { class: "panel" }, code, names), code, rows, values };
    });
    const controls = amnl.make("div", { class: "controls" }, back, forward, slider.element);
    const above = amnl.make("div", { class: "above" }, controls, line, reason);
    stage.append(above, amnl.make("div", { class: "panels" }, ...panels.map((panel) => panel.element)));
    const speak = amnl.speaker(stage);

    const draw = () => {
      const step = steps[now], panel = panels[step.listing], marks = trail(steps, now);
      slider.set(now + 1);
      slider.input.setAttribute("aria-valuetext", `${now + 1} of ${steps.length}: ${sentence(step)}`);
      back.setAttribute("aria-disabled", String(now === 0));
      forward.setAttribute("aria-disabled", String(now === steps.length - 1));
      line.firstChild.textContent = where(step);
      reason.firstChild.textContent = step.reason;
      panels.forEach((one, k) => one.element.classList.toggle("current", k === step.listing));
      if (shown !== step.listing && panels[shown].code === document.activeElement) panel.code.focus({ preventScroll: true });
      shown = step.listing;
      panel.code.setAttribute("aria-activedescendant", panel.rows[step.statement].id);
      panel.rows.forEach((row, j) => {
        row.setAttribute("aria-selected", String(j === step.statement));
        const did = row.querySelector(".did > span");
        if (did) did.textContent = marks.has(j) ? steps[marks.get(j)].did : "";
      });
      listings[step.listing].names.forEach((name, j) => {
        const value = step.values[name];
        panel.values[j].classList.toggle("unset", value === undefined);
        panel.values[j].classList.toggle("changed", step.changed.includes(name));
        panel.values[j].querySelector("dd > span").textContent = value ?? "";
      });
    };

    const go = (to) => {
      const next = Math.max(0, Math.min(steps.length - 1, to));
      if (next === now) return;
      now = next;
      draw();
      speak(sentence(steps[now]));
    };

    const big = Math.max(1, Math.round(steps.length / 10));
    stage.addEventListener("keydown", (event) => {
      if (event.target === slider.input || event.ctrlKey || event.metaKey || event.altKey) return;
      const to = {
        ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: steps.length - 1, PageUp: now + big, PageDown: now - big
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      go(to);
    });
    draw();
  };

  amnl.explorable("code-stepper", start);
})();
