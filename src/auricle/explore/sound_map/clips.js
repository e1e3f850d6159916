// What the page knows of each clip: its place, name, columns, neighbours and sound.

function numbers(text, Type) {
  if (text === null || text === undefined) return null;
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return new Type(bytes.buffer);
}

function short(value, digits = 4) {
  if (!Number.isFinite(value)) return "unknown";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
}

// A column: which look and which entry of the legend each clip has.
class Column {
  constructor(data, palette) {
    this.name = data.name;
    this.palette = palette;
    this.hidden = new Set(); // entries of the legend
    data.classes ? this.readClasses(data) : this.readNumbers(data);
    this.counts = new Array(this.entries.length).fill(0);
    for (const entry of this.entryOf) this.counts[entry]++;
  }

  readClasses({ classes, codes, shown }) {
    this.classes = classes;
    this.codes = numbers(codes, Int32Array);
    const others = classes.length - shown;
    this.entries = classes.slice(0, shown);
    this.entries.push(others ? `${others} other ${others === 1 ? "class" : "classes"}` : "", "unknown");
    this.lookOf = this.entryOf = Uint8Array.from(this.codes, (code) => (code < 0 ? shown + 1 : Math.min(code, shown)));
  }

  readNumbers({ values, low, high }) {
    this.values = numbers(values, Float32Array);
    const share = (value) => (high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0.5);
    const part = (parts) => (value) => Number.isNaN(value) ? parts : Math.min(Math.floor(share(value) * parts), parts - 1);
    this.lookOf = Uint8Array.from(this.values, part(SHADES));
    this.entryOf = Uint8Array.from(this.values, part(BINS));
    const edge = (bin) => short(low + ((high - low) * bin) / BINS, 3);
    this.entries = Array.from({ length: BINS }, (_, bin) => `${edge(bin)} – ${edge(bin + 1)}`);
    this.entries.push("unknown");
  }

  // Every look in use; `ink` takes the place of black where the paper is dark.
  looks(ink) {
    const unknown = { shape: 0, colour: UNKNOWN };
    if (this.values) {
      return [...Array.from({ length: SHADES }, (_, at) => ({ shape: 0, colour: shade((at + 0.5) / SHADES) })), unknown];
    }
    const looks = this.entries.slice(0, -2).map((_, at) => {
      const colour = this.palette[at % this.palette.length];
      return { shape: Math.floor(at / this.palette.length) % SHAPES.length, colour: colour === "#000000" ? ink : colour };
    });
    return [...looks, unknown, unknown];
  }

  // The look of an entry of the legend.
  entryLook(looks, entry) {
    if (!this.values || entry === BINS) return looks[entry === BINS && this.values ? SHADES : entry];
    return looks[Math.floor(((entry + 0.5) / BINS) * SHADES)];
  }

  // Rows in the order of drawing: what has no look of its own first, the others as if shuffled, so that no class
  // covers another because it comes later in the file.
  order() {
    if (this.drawn) return this.drawn;
    const count = this.lookOf.length, last = this.values ? SHADES : this.entries.length - 2;
    const shuffled = Array.from({ length: count }, (_, at) => [Math.imul(at + 1, 0x9e3779b1) >>> 0, at]).sort((a, b) => a[0] - b[0]);
    const plain = (at) => this.lookOf[at] >= last;
    const rows = shuffled.map(([, at]) => at);
    this.drawn = Int32Array.from([...rows.filter(plain), ...rows.filter((at) => !plain(at))]);
    return this.drawn;
  }

  // The value, with the column's name where it would not be understood without.
  said(index) {
    return this.values ? `${this.name} ${this.text(index)}` : this.text(index);
  }

  text(index) {
    if (this.values) return short(this.values[index]);
    return this.codes[index] < 0 ? "unknown" : this.classes[this.codes[index]];
  }

  // As it stands in a table: not rounded, nothing where unknown.
  exactly(index) {
    if (this.values) return Number.isNaN(this.values[index]) ? "" : this.values[index];
    return this.codes[index] < 0 ? "" : this.classes[this.codes[index]];
  }
}

class Clips {
  constructor(data) {
    const points = numbers(data.points, Float32Array);
    this.title = data.title;
    this.count = data.names.length;
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    for (let index = 0; index < this.count; index++) [this.x[index], this.y[index]] = [points[2 * index], points[2 * index + 1]];
    this.names = data.names;
    this.columns = data.columns.map((column) => new Column(column, data.palette));
    this.starts = numbers(data.starts, Float64Array);
    this.ends = numbers(data.ends, Float64Array);
    this.links = data.links;
    this.sounds = data.sounds && { ...data.sounds, places: numbers(data.sounds.places, Int32Array) };
    this.outliers = data.outliers;
    this.distances = numbers(data.distances, Float32Array);
    this.paths = data.paths || data.names;
    this.root = data.root;
    this.nearest = data.nearest && {
      count: data.nearest.count,
      rows: numbers(data.nearest.rows, Int32Array),
      similarity: numbers(data.nearest.similarity, Float32Array),
    };
    this.visible = new Uint8Array(this.count).fill(1);
    this.selected = new Uint8Array(this.count);
    this.words = [];
  }

  // The neighbours of a clip: [row, similarity].
  near(index) {
    if (!this.nearest) return [];
    const { count, rows, similarity } = this.nearest;
    return Array.from({ length: count }, (_, k) => [rows[index * count + k], similarity[index * count + k]]);
  }

  // Whether others are of the same file, or this one does not begin with it.
  isPart(index) {
    if (!this.ofFile) {
      this.ofFile = new Map();
      for (const path of this.paths) this.ofFile.set(path, (this.ofFile.get(path) || 0) + 1);
    }
    return this.ofFile.get(this.paths[index]) > 1 || (this.starts !== null && this.starts[index] > 0);
  }

  // Seconds of the file, as far as they are known.
  stretch(index) {
    const [start, end] = [this.starts, this.ends].map((values) => (values ? values[index] : NaN));
    const exact = (seconds) => String(Number(seconds.toFixed(3))); // windows late in a long recording differ by little
    return Number.isNaN(end) ? (start > 0 ? `from ${exact(start)} s` : "") : `${exact(start || 0)} – ${exact(end)} s`;
  }

  // The stretch, where the name alone does not say which clip it is.
  part(index) {
    return this.isPart(index) ? this.stretch(index) : "";
  }

  // Show what holds all words and is of no hidden entry.
  filter() {
    const hiding = this.columns.filter((column) => column.hidden.size);
    const hidden = hiding.map((column) => column.entries.map((_, entry) => column.hidden.has(entry)));
    if (this.words.length && !this.texts) this.texts = this.names.map((_, index) => this.searched(index));
    let shown = 0;
    for (let index = 0; index < this.count; index++) {
      let is = 1;
      for (let at = 0; at < hiding.length && is; at++) if (hidden[at][hiding[at].entryOf[index]]) is = 0;
      for (let at = 0; at < this.words.length && is; at++) if (!this.texts[index].includes(this.words[at])) is = 0;
      this.visible[index] = is;
      shown += is;
    }
    return shown;
  }

  searched(index) {
    const classes = this.columns.filter((column) => column.classes && column.codes[index] >= 0);
    return [this.names[index], ...classes.map((column) => column.text(index))].join("\n").toLowerCase();
  }
}
