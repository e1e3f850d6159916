// Playing: one sound at a time, from the page itself where it is inside, else from the file that a link leads to.

class Player {
  constructor(root, clips, say) {
    Object.assign(this, { root, clips, say, playing: -1 });
    this.audio = element("audio", { controls: true, preload: "none" });
    this.audio.setAttribute("aria-label", "The sound that plays");
    this.audio.addEventListener("error", () => {
      if (this.playing >= 0 && this.audio.hasAttribute("src")) this.say(this.playing, this.reason());
    });
  }

  // Of a clip: where it can be played from; null for nowhere.
  source(index) {
    const { sounds, links } = this.clips;
    if (sounds && sounds.places[3 * index] >= 0) {
      const [number, start, length] = sounds.places.subarray(3 * index, 3 * index + 3);
      const block = document.getElementById(`${this.root.id}-sounds-${number}`);
      return block && "data:audio/ogg;base64," + sounds.head + block.textContent.slice(start, start + length);
    }
    if (!links || links[index] === null) return null;
    const [start, end] = [this.clips.starts, this.clips.ends].map((values) => (values ? values[index] : NaN));
    const part = Number.isNaN(end) ? (start > 0 ? `#t=${start}` : "") : `#t=${start || 0},${end}`;
    return links[index] + part;
  }

  isInside(index) {
    return Boolean(this.clips.sounds) && this.clips.sounds.places[3 * index] >= 0;
  }

  reason() {
    if (this.isInside(this.playing)) return "this browser cannot play Ogg Vorbis: ";
    return "the file is not there, or this browser cannot play it: ";
  }

  play(index) {
    const source = this.source(index);
    this.stop();
    this.playing = index;
    if (source === null) {
      this.audio.removeAttribute("src");
      this.audio.load();
      this.say(index, this.isInside(index) ? "its sound is still being loaded: " : "no sound: ");
      return;
    }
    this.audio.src = source;
    this.say(index, "▶ ");
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError" && this.playing === index) this.say(index, this.reason());
    });
  }

  stop() {
    this.audio.pause();
  }
}
