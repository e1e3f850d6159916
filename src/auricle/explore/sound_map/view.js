// The part of the map that is seen: places in it are from -0.5 to 0.5, the picture is in pixels.

const MARGIN = 0.04; // of the picture, around the points
const MOST_ZOOM = 400;

class View {
  constructor(clips) {
    this.clips = clips;
    this.px = new Float32Array(clips.count);
    this.py = new Float32Array(clips.count);
    this.width = this.height = 1;
    this.top = 0; // pixels that the toolbar covers
    this.whole();
  }

  whole() {
    [this.zoom, this.cx, this.cy] = [1, 0, 0];
  }

  resize(width, height, top) {
    [this.width, this.height] = [Math.max(width, 1), Math.max(height, 1)];
    this.top = Math.min(top, this.height / 2);
    this.place();
  }

  // The pixel in whose height the middle of what is seen lies.
  get middle() {
    return (this.top + this.height) / 2;
  }

  // Pixels of one unit, across and up.
  units() {
    const inside = (1 - 2 * MARGIN) * this.zoom;
    return [this.width * inside, (this.height - this.top) * inside];
  }

  place() {
    const [ux, uy] = this.units(), { x, y, count } = this.clips;
    for (let index = 0; index < count; index++) {
      this.px[index] = this.width / 2 + (x[index] - this.cx) * ux;
      this.py[index] = this.middle - (y[index] - this.cy) * uy;
    }
  }

  pan(dx, dy) {
    const [ux, uy] = this.units();
    this.cx = Math.min(Math.max(this.cx - dx / ux, -0.6), 0.6);
    this.cy = Math.min(Math.max(this.cy + dy / uy, -0.6), 0.6);
    this.place();
  }

  // Zoom so that what is at this pixel stays there.
  zoomAt(factor, sx = this.width / 2, sy = this.middle) {
    const [ux, uy] = this.units();
    const x = this.cx + (sx - this.width / 2) / ux, y = this.cy - (sy - this.middle) / uy;
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM);
    if (this.zoom === 1) {
      this.whole();
    } else {
      const [vx, vy] = this.units();
      [this.cx, this.cy] = [x - (sx - this.width / 2) / vx, y + (sy - this.middle) / vy];
    }
    this.place();
  }

  // Bring a clip into the picture.
  show(index) {
    const border = 0.06, x = this.px[index] / this.width, y = (this.py[index] - this.top) / (this.height - this.top);
    if (x > border && x < 1 - border && y > border && y < 1 - border) return false;
    if (this.zoom === 1) return false;
    [this.cx, this.cy] = [this.clips.x[index], this.clips.y[index]];
    this.place();
    return true;
  }

  // The visible clip nearest to a pixel, within a reach; -1 for none.
  nearest(sx, sy, reach) {
    let best = -1, distance = reach * reach;
    for (let index = 0; index < this.clips.count; index++) {
      const d = (this.px[index] - sx) ** 2 + (this.py[index] - sy) ** 2;
      if (d < distance && this.clips.visible[index]) [best, distance] = [index, d];
    }
    return best;
  }

  // The visible clip that is nearest in a direction; -1 for none.
  towards(from, dx, dy) {
    const x = this.px[from], y = this.py[from];
    let best = -1, cost = Infinity;
    for (let index = 0; index < this.clips.count; index++) {
      if (index === from || !this.clips.visible[index]) continue;
      const along = (this.px[index] - x) * dx + (this.py[index] - y) * dy;
      const across = Math.abs((this.px[index] - x) * dy) + Math.abs((this.py[index] - y) * dx);
      if (along > 0 && across <= 1.5 * along && along + across < cost) [best, cost] = [index, along + across];
    }
    return best;
  }

  // The visible clips inside a polygon of pixels, by the even-odd rule.
  inside(polygon) {
    const found = [];
    for (let index = 0; index < this.clips.count; index++) {
      if (!this.clips.visible[index]) continue;
      const x = this.px[index], y = this.py[index];
      let is = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        const [ax, ay] = polygon[a], [bx, by] = polygon[b];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) is = !is;
      }
      if (is) found.push(index);
    }
    return found;
  }
}
