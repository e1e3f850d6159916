// Drawing: all clips on one canvas, what moves with the pointer on another above it.

class Picture {
  constructor(root, clips, view) {
    Object.assign(this, { root, clips, view, chosen: -1, under: -1, lasso: null, column: null });
    this.base = element("canvas", { className: "map-base", ariaHidden: "true" });
    this.over = element("canvas", { className: "map-over", tabIndex: 0 });
    this.over.setAttribute("role", "application");
    this.over.setAttribute("aria-label", root.dataset.label);
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(this.root);
    this.ink = style.color;
    this.paper = style.getPropertyValue("--paper").trim() || "#ffffff";
    this.accent = style.getPropertyValue("--accent").trim() || "#0067b8";
    this.looks = this.column ? this.column.looks(this.ink) : [];
    this.stamps = new Map();
  }

  colourBy(column) {
    this.column = column;
    this.readColours();
  }

  resize() {
    const { clientWidth, clientHeight } = this.base, tools = this.root.querySelector(".map-tools");
    this.view.resize(clientWidth, clientHeight, tools.offsetTop + tools.offsetHeight);
    this.stamps.clear();
    this.draw();
  }

  fresh(canvas) {
    const ratio = window.devicePixelRatio || 1, { width, height } = this.view;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  radius() {
    const whole = Math.max(2.2, Math.min(5.5, 320 / Math.sqrt(this.clips.count + 1)));
    return Math.min(whole * this.view.zoom ** 0.35, 8);
  }

  stamp(kind, radius, ring) {
    const key = `${kind}/${radius}/${ring ? 1 : 0}`;
    if (!this.stamps.has(key)) {
      this.stamps.set(key, stamp(this.looks[kind], radius, window.devicePixelRatio || 1, ring ? this.ink : null));
    }
    return this.stamps.get(key);
  }

  draw() {
    const context = this.fresh(this.base), { px, py, width, height } = this.view, { visible, selected } = this.clips;
    const ratio = window.devicePixelRatio || 1, radius = this.radius(), any = selected.includes(1);
    for (const turn of any ? [0, 1] : [0]) { // what is selected lies above the rest
      context.globalAlpha = any && !turn ? 0.45 : 0.88;
      for (const index of this.column.order()) {
        const x = px[index], y = py[index];
        if (!visible[index] || selected[index] !== turn || x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
        const picture = this.stamp(this.column.lookOf[index], radius, turn === 1), size = picture.width / ratio;
        context.drawImage(picture, x - size / 2, y - size / 2, size, size);
      }
    }
    this.drawOver();
  }

  drawOver() {
    const context = this.fresh(this.over), { px, py } = this.view, { visible } = this.clips, radius = this.radius();
    const ring = (index, size, width, colour) => {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(px[index], py[index], size, 0, 2 * Math.PI);
      context.stroke();
    };
    if (this.chosen >= 0 && visible[this.chosen]) {
      const near = this.clips.near(this.chosen).map(([index]) => index).filter((index) => visible[index]);
      context.globalAlpha = 0.7;
      context.lineWidth = 1;
      context.strokeStyle = this.ink;
      context.beginPath();
      for (const index of near) {
        context.moveTo(px[this.chosen], py[this.chosen]);
        context.lineTo(px[index], py[index]);
      }
      context.stroke();
      context.globalAlpha = 1;
      for (const index of near) ring(index, radius + 3, 1.2, this.ink);
    }
    for (const index of [this.under, this.chosen]) {
      if (index < 0 || !visible[index]) continue;
      const picture = this.stamp(this.column.lookOf[index], radius * 1.6, false);
      const size = picture.width / (window.devicePixelRatio || 1);
      ring(index, radius * 1.6 + 4, 5, this.paper);
      context.drawImage(picture, px[index] - size / 2, py[index] - size / 2, size, size);
      ring(index, radius * 1.6 + 4, index === this.chosen ? 2.5 : 1.2, this.ink);
    }
    if (this.lasso && this.lasso.length > 1) {
      context.beginPath();
      this.lasso.forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.globalAlpha = 0.12;
      context.fillStyle = this.accent;
      context.fill();
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.strokeStyle = this.accent;
      context.setLineDash([5, 3]);
      context.stroke();
    }
  }
}
