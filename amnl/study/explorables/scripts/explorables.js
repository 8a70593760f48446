/* What all explorables share: how one starts, and its controls.

   An explorable is an element of its own, <mixing-board>; its numbers lie in it as JSON, and amnl/study/explorables says
   what they are. Its script calls `amnl.explorable("mixing-board", start)`; `start(stage, numbers)` fills the stage. The
   pure functions of a script, numbers in and numbers out, are in `amnl.cores["mixing-board"]`, where tests find them.
   Needs d3. A notebook runs this once for every cell that shows an explorable. */
"use strict";

globalThis.amnl ??= { cores: {} };

if (!amnl.explorable) {
  /** Let elements of this name come alive, those on the page and those that a notebook adds later. */
  amnl.explorable = (name, start) => {
    if (customElements.get(name)) return;
    customElements.define(name, class extends HTMLElement {
      connectedCallback() {
        if (this.classList.contains("live")) return;
        const begin = () => {
          const numbers = JSON.parse(this.querySelector("script[type='application/json']").textContent);
          this.classList.add("live");
          start(this.querySelector(".stage"), numbers);
        };
        // While the page is still read, what belongs into the element may not be in it yet.
        if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin, { once: true });
        else begin();
      }
    });
  };

  /** An element with attributes and children; `true` and `false` switch an attribute on and off. */
  amnl.make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };

  let made = 0; // names of controls, unique on the page

  /** A labelled slider. `say(value)` is the value in words, `moved(value)` is called as it moves; `set` moves it. */
  amnl.slider = (label, { min, max, step, value, say = String, moved }) => {
    const id = `explorable-${++made}`;
    const input = amnl.make("input", { type: "range", id, min, max, step });
    const shown = amnl.make("output", { for: id });
    const tell = () => {
      shown.textContent = say(input.valueAsNumber);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    const set = (to) => {
      input.value = to;
      tell();
    };
    input.addEventListener("input", () => {
      tell();
      moved(input.valueAsNumber);
    });
    set(value);
    const element = amnl.make("div", { class: "slider" }, amnl.make("label", { for: id }, label), shown, input);
    return { element, input, set };
  };

  /** Radio buttons side by side; `chosen(value)` is called with the one that is switched on. */
  amnl.choices = (legend, values, chosen, first = values[0]) => {
    const name = `explorable-${++made}`;
    const element = amnl.make("fieldset", { class: "choices" }, amnl.make("legend", {}, legend));
    const inputs = new Map();
    for (const value of values) {
      const input = amnl.make("input", { type: "radio", name, value, checked: value === first });
      input.addEventListener("change", () => chosen(value));
      inputs.set(value, input);
      element.append(amnl.make("label", {}, input, amnl.make("span", {}, value)));
    }
    return { element, set: (value) => (inputs.get(value).checked = true) };
  };

  amnl.button = (text, pressed) => {
    const element = amnl.make("button", { type: "button" }, text);
    element.addEventListener("click", pressed);
    return element;
  };

  /** One sentence for a screen reader, said when the hand comes to rest and not at every frame. */
  amnl.speaker = (stage) => {
    const spoken = amnl.make("output", { class: "spoken", "aria-live": "polite" });
    stage.append(spoken);
    let waiting;
    return (sentence) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => (spoken.textContent = sentence), 400);
    };
  };

  /** Call `redraw` at most once a frame, however often it is asked for. */
  amnl.atFrame = (redraw) => {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        redraw();
      });
    };
  };

  /** Let a handle of a drawing be dragged by mouse and finger, and moved by keys while it has the focus.

      `moved([x, y])` gets where the pointer is in the coordinates of `svg`; `key(event)` returns true if it used the key.
      A finger that starts on the handle drags it and does not scroll; anywhere else the page scrolls. */
  amnl.handle = (node, svg, { label, moved, key }) => {
    d3.select(node)
      .classed("handle", true).attr("tabindex", 0).attr("role", "slider").attr("aria-label", label)
      .style("touch-action", "none").style("cursor", "grab");
    node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      node.focus({ preventScroll: true });
    });
    // Browsers do not ask every shape of a drawing for its touch-action.
    node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId)) moved(d3.pointer(event, svg));
    });
    node.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && key(event)) event.preventDefault();
    });
  };

  /** Whether the reader has asked for less motion. */
  amnl.still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
}
