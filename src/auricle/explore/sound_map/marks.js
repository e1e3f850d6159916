// How clips look: colours that colour-blind people tell apart, then shapes; a scale from dark to bright for numbers.

const SHAPES = [ // in the order of auricle.projection.MARKERS
  (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
  (c, r) => polygon(c, r * 1.25, 3, -Math.PI / 2),
  (c, r) => c.rect(-r * 0.9, -r * 0.9, r * 1.8, r * 1.8),
  (c, r) => polygon(c, r * 1.25, 4, 0),
  (c, r) => polygon(c, r * 1.25, 3, Math.PI / 2),
  (c, r) => cross(c, r * 1.15, 0),
  (c, r) => cross(c, r * 1.15, Math.PI / 4),
  (c, r) => polygon(c, r * 1.2, 5, -Math.PI / 2),
];
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const SHADES = 64; // of the scale
const BINS = 8; // of a scale, that its legend shows and hides
const UNKNOWN = "#9a9a9a"; // no value, and classes that have no look of their own

function polygon(context, radius, corners, angle) {
  for (let corner = 0; corner < corners; corner++) {
    const a = angle + (2 * Math.PI * corner) / corners;
    context.lineTo(radius * Math.cos(a), radius * Math.sin(a));
  }
}

function cross(context, radius, angle) {
  const arm = radius * 0.38;
  const corners = [[arm, radius], [arm, arm], [radius, arm]];
  for (let quarter = 0; quarter < 4; quarter++) {
    const a = angle - (quarter * Math.PI) / 2;
    for (const [x, y] of corners) {
      context.lineTo(x * Math.cos(a) - y * Math.sin(a), x * Math.sin(a) + y * Math.cos(a));
    }
  }
}

// The colour at a share of the scale.
function shade(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1), low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const part = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => {
    const [from, to] = [part(VIRIDIS[low], at), part(VIRIDIS[low + 1], at)];
    return Math.round(from + (to - from) * (place - low));
  });
  return `rgb(${mixed.join(",")})`;
}

// A mark around the origin; with `ring`, in that colour, as one that is selected.
function mark(context, look, radius, ring) {
  context.beginPath();
  SHAPES[look.shape](context, radius);
  context.closePath();
  context.fillStyle = look.colour;
  context.fill();
  context.lineWidth = ring ? Math.max(0.8, radius * 0.35) : 0.5; // a thin grey line: a pale colour stands out from pale paper, a dark one from dark
  context.strokeStyle = ring || "#808080";
  context.stroke();
}

// A picture of a mark, for drawing it many times.
function stamp(look, radius, ratio, ring) {
  const canvas = document.createElement("canvas"), half = Math.ceil((radius * 1.4 + 2) * ratio);
  canvas.width = canvas.height = 2 * half;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, half, half);
  mark(context, look, radius, ring);
  return canvas;
}

function swatch(look) {
  const canvas = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(16 * ratio);
  canvas.className = "map-swatch";
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, canvas.width / 2, canvas.height / 2);
  mark(context, look, 5);
  return canvas;
}
