/* The ledger: <claims-ledger>. Its table is complete without this script, which filters it by verdict and chapter, opens
   the claim that an address names, and gives the numbers as a file. On a page of the book the filter stands in the
   address; a notebook's address is not ours. Numbers: amnl/study/explorables/claims_ledger.py. */
"use strict";

(() => {
  const ofTheBook = Boolean(document.currentScript?.src);
  const FACETS = ["verdict", "chapter"];
  const valueOf = (claim, facet) => (facet === "verdict" ? claim.key : String(claim.chapter));
  const passes = (claim, filter, facet) => !filter[facet].length || filter[facet].includes(valueOf(claim, facet));

  const core = {
    /** The values of a facet, in their order. */
    values: (claims, facet) => {
      const found = [...new Set(claims.map((claim) => valueOf(claim, facet)))];
      return facet === "chapter" ? found.sort((a, b) => a - b) : found;
    },
    /** The numbers of the claims that a filter leaves, {verdict: [...], chapter: [...]}; an empty list takes all. */
    shown: (claims, filter) =>
      claims.filter((claim) => FACETS.every((facet) => passes(claim, filter, facet))).map((claim) => claim.number),
    /** How many claims each value of a facet has among those that the other facet leaves. */
    counts: (claims, filter, facet) => {
      const left = claims.filter((claim) => FACETS.every((other) => other === facet || passes(claim, filter, other)));
      return core.values(claims, facet).map((value) => left.filter((claim) => valueOf(claim, facet) === value).length);
    },
    /** The filter in an address, without what the ledger has not. */
    read: (claims, search) => {
      const asked = new URLSearchParams(search);
      return Object.fromEntries(FACETS.map((facet) =>
        [facet, core.values(claims, facet).filter((value) => (asked.get(facet) ?? "").split(".").includes(value))]));
    },
    /** An address with the filter in it, and with what else it had. */
    write: (filter, search) => {
      const address = new URLSearchParams(search);
      for (const facet of FACETS) {
        if (filter[facet].length) address.set(facet, filter[facet].join("."));
        else address.delete(facet);
      }
      return String(address) && `?${address}`;
    },
  };
  amnl.cores["claims-ledger"] = core;

  amnl.explorable("claims-ledger", (stage, numbers) => {
    const { claims } = numbers;
    const ledger = stage.parentElement;
    const place = (number) => ledger.querySelector(`#claim-${number}`);
    let filter = core.read(claims, ofTheBook ? location.search : "");

    const entries = []; // a checkbox each, and where its count stands
    const box = (facet, value, count) => {
      const input = amnl.make("input", { type: "checkbox", value });
      input.addEventListener("change", () => {
        filter[facet] = entries.filter((entry) => entry.facet === facet && entry.input.checked).map((entry) => entry.input.value);
        changed();
      });
      entries.push({ facet, input, count });
      return input;
    };
    for (const badge of ledger.querySelectorAll(".tally .badge")) {
      const label = amnl.make("label", { class: badge.className }, ...badge.childNodes);
      label.prepend(box("verdict", badge.dataset.key, label.querySelector("b")));
      badge.replaceWith(label);
    }
    const chapters = amnl.make("div", { class: "choices", role: "group", "aria-label": "chapter" }, amnl.make("b", {}, "chapter"));
    for (const value of core.values(claims, "chapter")) {
      const count = amnl.make("span", { class: "count" });
      const name = amnl.make("span", {}, amnl.make("span", { class: "spoken" }, "chapter "), value);
      chapters.append(amnl.make("label", {}, box("chapter", value, count), name, count));
    }
    const all = amnl.button("show all", () => {
      filter = core.read(claims, "");
      changed();
    });
    const file = amnl.make("a", { download: "claims-ledger.json" }, "all as JSON");
    file.href = URL.createObjectURL(new Blob([JSON.stringify(numbers, null, 1)], { type: "application/json" }));
    const found = ledger.querySelector("caption .count");
    stage.append(amnl.make("div", { class: "controls" }, chapters, all, file));
    const say = amnl.speaker(stage);

    const draw = () => {
      const shown = core.shown(claims, filter);
      for (const { number } of claims) {
        place(number).hidden = !shown.includes(number);
        ledger.querySelector(`.tally a[href="#claim-${number}"]`).classList.toggle("off", !shown.includes(number));
      }
      for (const facet of FACETS) {
        const counts = core.counts(claims, filter, facet);
        entries.filter((entry) => entry.facet === facet).forEach(({ input, count }, k) => {
          input.checked = filter[facet].includes(input.value);
          count.textContent = facet === "verdict" ? counts[k] : `(${counts[k]})`;
        });
      }
      found.textContent = shown.length === claims.length ? shown.length : `${shown.length} of ${claims.length}`;
      all.disabled = shown.length === claims.length;
    };

    const changed = () => {
      draw();
      say(`${found.textContent} claims shown`);
      if (ofTheBook) history.replaceState(history.state, "", location.pathname + core.write(filter, location.search) + location.hash);
    };

    /** Open the claim that the address names, even one that the filter had left out. */
    const follow = () => {
      const number = Number(/^#claim-(\d+)$/.exec(location.hash)?.[1]);
      if (!claims.some((claim) => claim.number === number)) return;
      const row = place(number);
      if (row.hidden) {
        filter = core.read(claims, "");
        changed();
      }
      row.querySelector("details").open = true;
      row.scrollIntoView({ block: "start" });
    };

    draw();
    follow();
    addEventListener("hashchange", follow);
    // The address is already this one: no hash changes.
    ledger.addEventListener("click", (event) => {
      if (event.target.closest?.("a")?.getAttribute("href") === location.hash) follow();
    });
  });
})();
