"""From a folder of recordings to a map in one HTML file: what sounds alike lies together, and a click plays it.

    python examples/embed_and_map.py /field map.html runs/field

The model is a name of ``auricle models`` or a folder that ``auricle pretrain`` wrote; points are coloured by the folder
that their file lies in.
"""

import sys
import tempfile
from pathlib import Path

import auricle
from auricle.embedding import embed_manifest, read_embeddings
from auricle.explore.html_map import excerpts, map_page, sound_map
from auricle.inputs import manifest_of
from auricle.projection import tsne


def main(folder: str, out: str, model: str = "byola-2022") -> None:
    manifest = manifest_of([folder])
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "embeddings.parquet"
        summary = embed_manifest(auricle.load(model), manifest, out=file)
        clips, embeddings = read_embeddings(file)

    paths = clips.column("path").to_pylist()
    sounds = excerpts(
        [manifest.root / path for path in paths],
        starts=clips.column("start").to_pylist(),
        ends=clips.column("end").to_pylist(),
        budget=20_000_000,
    )
    fragment = sound_map(
        tsne(embeddings),
        names=paths,
        labels=[Path(path).parent.name or "." for path in paths],
        sounds=sounds.sounds,
        identity="map",
        title=f"Map of {folder}",
    )
    Path(out).write_text(map_page(f"Map of {folder}", fragment), encoding="utf-8")
    print(f"{out}: {summary.rows} clips, {summary.rejected} unreadable, {sounds.size / 1e6:.1f} MB of sound")


if __name__ == "__main__":
    main(*sys.argv[1:])
