// Maps that play sound. Every text from the data reaches the page as text, never as HTML.
"use strict";
(() => {
  // When the colours are used up, the shape changes.
  const SHAPES = [
    (c, x, y, r) => c.arc(x, y, r, 0, 2 * Math.PI),
    (c, x, y, r) => polygon(c, x, y, r * 1.25, 3, -Math.PI / 2),
    (c, x, y, r) => c.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8),
    (c, x, y, r) => polygon(c, x, y, r * 1.25, 4, 0),
    (c, x, y, r) => polygon(c, x, y, r * 1.25, 3, Math.PI / 2),
    (c, x, y, r) => polygon(c, x, y, r * 1.2, 5, -Math.PI / 2),
    (c, x, y, r) => polygon(c, x, y, r * 1.15, 6, 0),
  ];
  const REACH = 24; // pixels from a point within which it is meant
  const MARGIN = 0.04; // of the picture, around the points

  function polygon(context, x, y, radius, corners, angle) {
    for (let corner = 0; corner <= corners; corner++) {
      const a = angle + (2 * Math.PI * corner) / corners;
      context.lineTo(x + radius * Math.cos(a), y + radius * Math.sin(a));
    }
  }

  function mark(context, colours, kind, x, y, radius) {
    context.beginPath();
    SHAPES[Math.floor(kind / colours.length) % SHAPES.length](context, x, y, radius);
    context.closePath();
    context.fillStyle = colours[kind % colours.length];
    context.fill();
    context.lineWidth = 0.5; // so that a pale colour stands out from pale paper, a dark one from dark
    context.strokeStyle = "#808080";
    context.stroke();
  }

  function crisp(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  function start(root) {
    const data = JSON.parse(document.getElementById(root.id + "-data").textContent);
    const canvas = root.querySelector("canvas");
    const said = root.querySelector(".sound-map-said");
    const legend = root.querySelector(".sound-map-legend");
    const hidden = new Set();
    let places = [], width = 0, height = 0, chosen = -1, under = -1, playing = null;

    const visible = (index) => !hidden.has(data.points[index][2]);

    function lay() {
      width = canvas.clientWidth;
      height = canvas.clientHeight;
      const inside = 1 - 2 * MARGIN;
      places = data.points.map(([x, y]) => [width * (0.5 + x * inside), height * (0.5 - y * inside)]);
      draw();
    }

    function draw() {
      const context = crisp(canvas, width, height);
      const radius = Math.max(2.5, Math.min(5, 90 / Math.sqrt(places.length)));
      context.globalAlpha = 0.85;
      places.forEach(([x, y], index) => {
        if (visible(index) && index !== chosen) mark(context, data.colours, data.points[index][2], x, y, radius);
      });
      context.globalAlpha = 1;
      for (const index of [under, chosen]) {
        if (index < 0 || !visible(index)) continue;
        const [x, y] = places[index];
        mark(context, data.colours, data.points[index][2], x, y, radius * 1.6);
        context.lineWidth = index === chosen ? 2.5 : 1.2;
        context.strokeStyle = getComputedStyle(root).color;
        context.beginPath();
        context.arc(x, y, radius * 2.4, 0, 2 * Math.PI);
        context.stroke();
      }
    }

    function nearest(x, y) {
      let best = -1, distance = REACH * REACH;
      places.forEach(([px, py], index) => {
        const d = (px - x) ** 2 + (py - y) ** 2;
        if (d < distance && visible(index)) [best, distance] = [index, d];
      });
      return best;
    }

    function neighbour(dx, dy) {
      if (chosen < 0 || !visible(chosen)) return nearestToCentre();
      const [x, y] = places[chosen];
      let best = -1, cost = Infinity;
      places.forEach(([px, py], index) => {
        const along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
        if (index !== chosen && visible(index) && along > 0 && across <= 1.5 * along && along + across < cost) {
          [best, cost] = [index, along + across];
        }
      });
      return best;
    }

    function nearestToCentre() {
      let best = -1, distance = Infinity;
      places.forEach(([px, py], index) => {
        const d = (px - width / 2) ** 2 + (py - height / 2) ** 2;
        if (d < distance && visible(index)) [best, distance] = [index, d];
      });
      return best;
    }

    function describe(index, prefix) {
      const [, , kind, name] = data.points[index];
      said.textContent = prefix + data.classes[kind] + " · " + name;
    }

    function choose(index) {
      if (index < 0) return;
      chosen = index;
      if (playing) playing.pause();
      const sound = data.sounds[index];
      if (sound === null) {
        describe(index, "no sound embedded: ");
      } else {
        describe(index, "▶ ");
        playing = new Audio("data:audio/ogg;base64," + sound);
        playing.play().catch((error) => {
          if (error.name !== "AbortError") describe(index, "this browser cannot play Ogg Vorbis: ");
        });
      }
      root.dataset.chosen = index;
      draw();
    }

    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return nearest(event.clientX - box.left, event.clientY - box.top);
    };
    canvas.addEventListener("click", (event) => choose(at(event)));
    canvas.addEventListener("pointermove", (event) => {
      const index = at(event);
      canvas.style.cursor = index < 0 ? "crosshair" : "pointer";
      if (index === under) return;
      under = index;
      if (index >= 0) describe(index, "");
      draw();
    });
    canvas.addEventListener("pointerleave", () => { under = -1; draw(); });
    const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      if (event.key in STEPS) choose(neighbour(...STEPS[event.key]));
      else if (event.key === "Enter" || event.key === " ") choose(chosen < 0 ? nearestToCentre() : chosen);
      else if (event.key === "Escape" && playing) playing.pause();
      else return;
      event.preventDefault();
    });

    data.classes.forEach((label, kind) => {
      const button = document.createElement("button");
      const swatch = document.createElement("canvas");
      mark(crisp(swatch, 16, 16), data.colours, kind, 8, 8, 5);
      const count = data.points.filter((point) => point[2] === kind).length;
      button.append(swatch, label + " (" + count + ")");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        hidden.has(kind) ? hidden.delete(kind) : hidden.add(kind);
        button.setAttribute("aria-pressed", String(!hidden.has(kind)));
        draw();
      });
      legend.append(button);
    });
    new ResizeObserver(lay).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  document.querySelectorAll(".sound-map").forEach(start);
})();
