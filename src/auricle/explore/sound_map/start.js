// Every map of the page: its parts put together, and what pointer and keys do.

const REACH = 24; // pixels from a point within which it is meant
const STILL = 4; // pixels that a click may move
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = [
  ["arrows", "nearest clip in that direction, played"], ["Enter", "play again"], ["Esc", "stop"],
  ["Shift + arrows", "move the map"], ["+ − 0", "closer, farther, all of it"], ["/", "to the text filter"],
  ["S", "select the clip, or not"], ["L", "lasso: draw around clips; Shift adds, Alt takes away"],
];

class SoundMapOnPage {
  constructor(root) {
    performance.mark("sound-map-start");
    const clips = new Clips(JSON.parse(document.getElementById(`${root.id}-data`).textContent));
    const alone = document.body.classList.contains("map-page"); // else it stands in a report, whose keys and wheel scroll
    Object.assign(this, { root, clips, alone, drag: null, touches: new Map(), lassoing: false });
    this.view = new View(clips);
    this.picture = new Picture(root, clips, this.view);
    this.player = new Player(root, clips, (index, prefix) => this.say(index, prefix));
    this.legend = new Legend(this.picture, (column) => this.colourBy(column));
    this.finder = new Finder(clips, () => this.colourBy(this.picture.column));
    this.panel = new ClipPanel(clips, this.player, (index) => this.choose(index));
    this.selection = clips.root === null ? null : new Selection(clips, () => this.picture.draw());
    this.card = element("div", { className: "map-card", hidden: true, ariaHidden: "true" });
    const keys = alone ? "or use the arrow keys" : "then use the arrow keys";
    this.said = element("p", { className: "map-said", textContent: `Click a point to hear it, ${keys}.` });
    this.said.setAttribute("aria-live", "polite");
    this.lay();
    this.picture.colourBy(clips.columns[0]);
    this.legend.draw();
    this.finder.show(clips.count);
    this.picture.resize();
    performance.mark("sound-map-drawn");
    this.listen();
  }

  lay() {
    const tool = (textContent, title, onclick) => element("button", { type: "button", textContent, title, ariaLabel: title, onclick });
    this.lassoTool = tool("lasso", "Lasso (L): draw around clips; Shift adds, Alt takes away", () => this.setLasso(!this.lassoing));
    this.lassoTool.setAttribute("aria-pressed", "false");
    const tools = element("div", { className: "map-tools" },
      tool("+", "Closer (+)", () => this.zoom(1.6)), tool("−", "Farther (−)", () => this.zoom(1 / 1.6)),
      tool("all", "All of it (0)", () => this.whole()), ...(this.selection ? [this.lassoTool] : []));
    const keys = element("details", { className: "map-keys" }, element("summary", { textContent: "Keys" }),
      element("dl", {}, ...KEYS.flatMap(([key, does]) => [element("dt", { textContent: key }), element("dd", { textContent: does })])));
    const frame = element("div", { className: "map-frame" }, this.picture.base, this.picture.over, tools, this.card);
    this.root.append(
      element("div", { className: "map-picture" }, frame, this.said),
      element("div", { className: "map-side map-left" }, this.legend.node, this.finder.node,
        ...(this.selection ? [this.selection.node] : []), keys),
      element("div", { className: "map-side map-right" }, this.panel.node, ...(this.panel.outliers ? [this.panel.outliers] : [])));
  }

  say(index, prefix) {
    const words = [this.picture.column.said(index), this.clips.part(index), this.clips.names[index]];
    this.said.textContent = prefix + words.filter(Boolean).join(" · ");
  }

  colourBy(column) {
    this.picture.colourBy(column);
    this.finder.show(this.clips.filter());
    this.legend.draw();
    this.picture.draw();
  }

  choose(index) {
    if (index < 0) return;
    this.picture.chosen = index;
    this.root.dataset.chosen = index;
    this.panel.show(index);
    this.player.play(index);
    this.view.show(index) ? this.picture.draw() : this.picture.drawOver();
  }

  zoom(factor, x, y) {
    this.view.zoomAt(factor, x, y);
    this.picture.draw();
  }

  whole() {
    this.view.whole();
    this.zoom(1);
  }

  setLasso(on) {
    this.lassoing = on && Boolean(this.selection);
    this.lassoTool.setAttribute("aria-pressed", String(this.lassoing));
    this.picture.lasso = null;
    this.picture.drawOver();
  }

  hover(index, x, y) {
    this.picture.over.style.cursor = this.lassoing ? "crosshair" : index < 0 ? "grab" : "pointer";
    this.card.hidden = index < 0;
    if (index >= 0) {
      if (index !== this.picture.under) {
        const shown = this.clips.columns.slice(0, 6).map((column) => [column.name, column.text(index)]);
        this.card.replaceChildren(element("b", { textContent: this.clips.names[index] }),
          element("span", { textContent: this.clips.part(index) }), ...shown.map(([name, value]) => element("span", {}, element("i", { textContent: `${name} ` }), value)));
      }
      const right = x > this.view.width / 2, low = y > this.view.height / 2;
      Object.assign(this.card.style, {
        left: right ? "" : `${x + 16}px`, right: right ? `${this.view.width - x + 16}px` : "",
        top: low ? "" : `${y + 12}px`, bottom: low ? `${this.view.height - y + 12}px` : "",
      });
    }
    if (index === this.picture.under) return;
    this.picture.under = index;
    this.picture.drawOver();
  }

  listen() {
    const { over } = this.picture;
    const at = (event) => {
      const box = over.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    over.addEventListener("pointerdown", (event) => this.press(event, ...at(event)));
    over.addEventListener("pointermove", (event) => this.move(event, ...at(event)));
    over.addEventListener("pointerup", (event) => this.release(event, ...at(event)));
    over.addEventListener("pointercancel", () => this.letGo());
    over.addEventListener("pointerleave", () => this.hover(-1));
    over.addEventListener("wheel", (event) => {
      if (!this.alone && document.activeElement !== over) return; // until the map has been clicked
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...at(event));
    }, { passive: false });
    (this.alone ? document : this.root).addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.typed(event)) event.preventDefault();
    });
    new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.picture.base;
      if (clientWidth !== this.view.width || clientHeight !== this.view.height) this.picture.resize();
    }).observe(this.picture.base);
    const repaint = () => this.colourBy(this.picture.column);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  press(event, x, y) {
    this.touches.set(event.pointerId, [x, y]);
    this.picture.over.setPointerCapture(event.pointerId);
    this.drag = { from: [x, y], last: [x, y], moved: this.touches.size > 1 };
    if (this.lassoing && this.touches.size === 1) this.picture.lasso = [[x, y]];
  }

  move(event, x, y) {
    if (!this.drag) return this.hover(this.view.nearest(x, y, REACH), x, y);
    if (this.touches.size === 2) return this.pinch(event, x, y);
    if (Math.hypot(x - this.drag.from[0], y - this.drag.from[1]) > STILL) this.drag.moved = true;
    if (this.picture.lasso) {
      this.picture.lasso.push([x, y]);
      return this.picture.drawOver();
    }
    if (this.drag.moved) {
      this.hover(-1);
      this.view.pan(x - this.drag.last[0], y - this.drag.last[1]);
      this.picture.draw();
    }
    this.drag.last = [x, y];
  }

  pinch(event, x, y) {
    const distance = () => {
      const [[ax, ay], [bx, by]] = this.touches.values();
      return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
    };
    const [before] = distance();
    this.touches.set(event.pointerId, [x, y]);
    const [now, mx, my] = distance();
    this.picture.lasso = null;
    if (before > 0) this.zoom(now / before, mx, my);
  }

  release(event, x, y) {
    const { drag } = this, { lasso } = this.picture;
    this.letGo(event.pointerId);
    if (lasso && drag.moved) {
      const rows = this.view.inside(lasso);
      if (event.altKey) this.selection.remove(rows);
      else if (event.shiftKey) this.selection.add(rows);
      else this.selection.set(rows);
    } else if (drag && !drag.moved) {
      this.choose(this.view.nearest(x, y, REACH));
    }
  }

  letGo(pointer) {
    pointer === undefined ? this.touches.clear() : this.touches.delete(pointer);
    this.drag = this.touches.size ? { from: [0, 0], last: [0, 0], moved: true } : null;
    this.picture.lasso = null;
    this.picture.drawOver();
  }

  stop() {
    this.player.stop();
    this.setLasso(false);
  }

  // What a key does, wherever it was typed; whether it does anything. Buttons and lists keep the keys that they know.
  typed(event) {
    const { target, key } = event, onMap = target === this.picture.over || target === document.body;
    if (key === "Escape") this.stop();
    if (key === "/" && !target.matches("input")) {
      this.finder.input.focus();
      return true;
    }
    if (onMap) return this.key(event);
    const own = target.matches("input, select, audio") || key === "Enter" || key === " ";
    return this.alone && !own && this.key(event);
  }

  // What a key does on the map; whether it does anything.
  key(event) {
    const { chosen } = this.picture, here = chosen >= 0 && this.clips.visible[chosen];
    const start = () => this.view.nearest(this.view.width / 2, this.view.height / 2, Infinity);
    const step = STEPS[event.key];
    if (step && event.shiftKey) {
      this.view.pan(-step[0] * 0.15 * this.view.width, -step[1] * 0.15 * this.view.height);
      this.picture.draw();
    } else if (step) this.choose(here ? this.view.towards(chosen, ...step) : start());
    else if (event.key === "Enter" || event.key === " ") this.choose(here ? chosen : start());
    else if (event.key === "+" || event.key === "=") this.zoom(1.6);
    else if (event.key === "-") this.zoom(1 / 1.6);
    else if (event.key === "0") this.whole();
    else if (event.key.toLowerCase() === "l" && this.selection) this.setLasso(!this.lassoing);
    else if (event.key.toLowerCase() === "s" && this.selection && here) this.selection.toggle(chosen);
    else return false;
    return true;
  }
}

document.querySelectorAll(".sound-map").forEach((root) => { root.soundMap = new SoundMapOnPage(root); });
for (const choice of document.querySelectorAll(".map-theme")) {
  choice.addEventListener("change", () => { document.documentElement.dataset.theme = choice.value; });
}
