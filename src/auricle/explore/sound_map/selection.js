// What was lassoed, or picked clip by clip; saved as a manifest in which it bears a name and the rest is `other`.

const OTHER = "other";
const KEPT = ["group", "cluster"]; // columns that evaluation wants: what must not straddle splits, what is drawn as one

// A field of CSV; quoted where it must be (RFC 4180).
function field(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text;
}

function joined(folder, path) {
  if (!folder || path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)) return path;
  return `${folder.replace(/[\\/]+$/, "")}/${path}`;
}

class Selection {
  constructor(clips, changed) {
    Object.assign(this, { clips, changed });
    this.count = element("p", { className: "map-count" });
    this.count.setAttribute("role", "status");
    this.label = element("input", { type: "text", className: "map-label", placeholder: "for instance frog" });
    this.folder = element("input", { type: "text", className: "map-folder", value: clips.root || "" });
    this.said = element("p", { className: "map-note" });
    this.said.setAttribute("role", "alert");
    const button = (textContent, onclick) => element("button", { type: "button", textContent, onclick });
    this.save = button("save as CSV", () => this.export());
    this.node = section("Selection", this.count,
      element("p", { className: "map-row" }, button("add all shown", () => this.add(this.shown())), button("clear", () => this.set([]))),
      element("label", {}, "Name of the selection", this.label),
      element("label", {}, "Folder that its paths start from", this.folder),
      element("p", { className: "map-row" }, this.save), this.said);
    this.show();
  }

  shown() {
    return Array.from(this.clips.visible.keys()).filter((index) => this.clips.visible[index]);
  }

  set(rows) {
    this.clips.selected.fill(0);
    this.add(rows);
  }

  add(rows) {
    for (const row of rows) this.clips.selected[row] = 1;
    this.tell();
  }

  remove(rows) {
    for (const row of rows) this.clips.selected[row] = 0;
    this.tell();
  }

  toggle(row) {
    this.clips.selected[row] ? this.remove([row]) : this.add([row]);
  }

  tell() {
    this.said.textContent = "";
    this.show();
    this.changed();
  }

  show() {
    const count = this.clips.selected.reduce((sum, is) => sum + is, 0);
    this.count.textContent = count
      ? `${count.toLocaleString("en")} of ${this.clips.count.toLocaleString("en")} clips selected`
      : "Nothing selected: draw a lasso around clips, or press S on one.";
    this.save.disabled = !count;
  }

  csv(label) {
    const { clips } = this, folder = this.folder.value.trim(), seconds = (values, at) => (values && !Number.isNaN(values[at]) ? values[at] : "");
    const kept = clips.columns.filter((column) => KEPT.includes(column.name));
    const lines = clips.paths.map((path, at) => [
      joined(folder, path), seconds(clips.starts, at), seconds(clips.ends, at), clips.selected[at] ? label : OTHER,
      ...kept.map((column) => column.exactly(at)),
    ].map(field).join(","));
    return [["path", "start", "end", "label", ...kept.map((column) => column.name)].join(","), ...lines, ""].join("\n");
  }

  export() {
    const label = this.label.value.trim();
    if (!label || label === OTHER) {
      this.said.textContent = label ? `The rest is called ${OTHER}: name the selection otherwise.` : "Name the selection first.";
      this.label.focus();
      return;
    }
    const url = URL.createObjectURL(new Blob([this.csv(label)], { type: "text/csv" }));
    const name = `${label.replace(/[^\p{L}\p{N}_.-]+/gu, "_").replace(/^\.+/, "")}.csv`;
    const link = element("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    this.said.textContent = `${name}: auricle evaluate MODEL --manifest ${name} --out scores.parquet`;
  }
}
