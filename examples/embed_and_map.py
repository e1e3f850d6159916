"""From a folder of recordings to a map in one HTML file: what sounds alike lies together, and a click plays it.

    python examples/embed_and_map.py /field map.html runs/field

The model is a name of ``auricle models`` or a folder that ``auricle pretrain`` wrote; points are coloured by label
where there is one, else by the folder that a file lies in. ``auricle embed`` and ``auricle map`` do the same.
"""

import sys
import tempfile
from pathlib import Path

import auricle
from auricle.embedding import embed_manifest
from auricle.explore.map_file import write_map
from auricle.inputs import manifest_of


def main(folder: str, out: str, model: str = "byola-2022.base") -> None:
    manifest = manifest_of([folder])
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "embeddings.parquet"
        embedded = embed_manifest(auricle.load(model), manifest, out=file)
        made = write_map(file, out, title=f"Map of {folder}", audio_budget=20)
    print(f"{made.as_text()}\n{embedded.rejected} unreadable")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
