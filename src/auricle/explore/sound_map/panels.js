// What stands beside the picture: colours and legend, the text filter, the clip that was chosen, lists of clips to hear.

// An element with properties and children; text from the data becomes text, never HTML.
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function section(heading, ...children) {
  return element("section", { className: "map-section" }, element("h2", { textContent: heading }), ...children);
}

// A list of clips, each to be heard and to be gone to.
function clipList(rows, { name, detail, play, choose }) {
  const list = element("ol", { className: "map-list" });
  for (const [row, value] of rows) {
    const hear = element("button", { type: "button", className: "map-hear", textContent: "▶", title: "play" });
    hear.setAttribute("aria-label", `play ${name(row)}`);
    hear.addEventListener("click", () => play(row));
    const go = element("button", { type: "button", className: "map-go", title: name(row) });
    // Too long a name is cut at its beginning: its end tells it from others.
    const shown = element("span", { className: "map-name" }, element("bdi", { textContent: name(row) }));
    go.append(shown, element("small", { textContent: detail(row, value) }));
    go.addEventListener("click", () => choose(row));
    list.append(element("li", {}, hear, go));
  }
  return list;
}

class Legend {
  constructor(picture, changed) {
    Object.assign(this, { picture, changed });
    const { columns } = picture.clips;
    this.choice = element("select", { className: "map-colour" });
    this.choice.setAttribute("aria-label", "Colour by");
    columns.forEach((column, at) => this.choice.append(element("option", { value: at, textContent: column.name })));
    this.choice.addEventListener("change", () => this.changed(columns[this.choice.value]));
    this.list = element("div", { className: "map-legend" });
    this.list.setAttribute("role", "group");
    const all = (shown) => element("button", {
      type: "button", textContent: shown ? "show all" : "hide all",
      onclick: () => this.hide(shown ? [] : picture.column.entries.map((_, entry) => entry)),
    });
    const row = element("p", { className: "map-row" }, all(true), all(false));
    const scale = element("div", { className: "map-scale", ariaHidden: "true" });
    scale.style.background = `linear-gradient(to right, ${VIRIDIS.join(", ")})`;
    this.scale = scale;
    this.node = section("Colour", this.choice, scale, this.list, row);
    this.choice.hidden = columns.length < 2;
  }

  hide(entries) {
    this.picture.column.hidden = new Set(entries);
    this.changed(this.picture.column);
  }

  // Shift hides everything else.
  toggle(entry, only) {
    const { hidden, entries } = this.picture.column;
    if (only) return this.hide(entries.map((_, at) => at).filter((at) => at !== entry));
    hidden.has(entry) ? hidden.delete(entry) : hidden.add(entry);
    return this.hide(hidden);
  }

  draw() {
    const { column, looks } = this.picture, focused = [...this.list.children].indexOf(document.activeElement);
    this.scale.hidden = !column.values;
    this.list.setAttribute("aria-label", `${column.name}: press to hide or show, with Shift to show only this`);
    this.list.replaceChildren(...column.entries.flatMap((label, entry) => {
      if (!column.counts[entry]) return [];
      const button = element("button", { type: "button", title: "hide or show; with Shift only this" },
        swatch(column.entryLook(looks, entry)), element("span", { textContent: label }),
        element("small", { textContent: column.counts[entry].toLocaleString("en") }));
      button.setAttribute("aria-pressed", String(!column.hidden.has(entry)));
      button.addEventListener("click", (event) => this.toggle(entry, event.shiftKey));
      return [button];
    }));
    if (focused >= 0 && this.list.children[focused]) this.list.children[focused].focus();
  }
}

class Finder {
  constructor(clips, changed) {
    Object.assign(this, { clips, changed });
    this.input = element("input", { type: "search", className: "map-find", placeholder: "part of a name or class" });
    this.input.setAttribute("aria-label", "Show only clips whose name or class holds");
    this.input.addEventListener("input", () => {
      clips.words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
      changed();
    });
    this.count = element("p", { className: "map-count" });
    this.count.setAttribute("role", "status");
    this.reset = element("button", { type: "button", textContent: "show everything", onclick: () => this.clear() });
    this.node = section("Find", this.input, this.count, element("p", { className: "map-row" }, this.reset));
  }

  clear() {
    this.input.value = "";
    this.clips.words = [];
    for (const column of this.clips.columns) column.hidden.clear();
    this.changed();
  }

  show(shown) {
    this.count.textContent = `${shown.toLocaleString("en")} of ${this.clips.count.toLocaleString("en")} clips shown`;
    this.reset.hidden = shown === this.clips.count;
  }
}

class ClipPanel {
  constructor(clips, player, choose) {
    Object.assign(this, { clips, player, choose });
    this.name = element("p", { className: "map-chosen", textContent: "None chosen yet." });
    this.facts = element("dl", { className: "map-facts" });
    this.near = element("div");
    player.audio.hidden = !clips.sounds && !clips.links;
    this.node = section("Clip", this.name, player.audio, this.facts, this.near);
    if (clips.outliers.length) {
      const list = this.list(clips.outliers.map((row) => [row, clips.distances[row]]));
      const words = "Far from the clips most like them: cosine distance, mean of these. Look here for what is broken.";
      this.outliers = section("Unlike all others", element("p", { className: "map-note", textContent: words }), list);
    }
  }

  list(rows) {
    const { clips } = this;
    return clipList(rows, {
      name: (row) => clips.names[row],
      // What is too long is cut at its end: the number comes first.
      detail: (row, value) => [value.toFixed(3), clips.part(row), clips.columns[0].said(row)].filter(Boolean).join(" · "),
      play: (row) => this.player.play(row),
      choose: this.choose,
    });
  }

  show(index) {
    const { clips } = this, facts = clips.columns.map((column) => [column.name, column.text(index)]);
    const stretch = clips.stretch(index);
    if (stretch) facts.unshift(["part of the file", stretch]);
    this.name.textContent = clips.names[index];
    this.facts.replaceChildren(...facts.flatMap(([name, value]) => [
      element("dt", { textContent: name }), element("dd", { textContent: value }),
    ]));
    const near = clips.near(index);
    this.near.replaceChildren(...(near.length ? [
      element("h3", { textContent: "Most like it" }),
      element("p", { className: "map-note", textContent: "Cosine similarity of the embeddings." }), this.list(near),
    ] : []));
  }
}
