"""List the sound that `byola-2022.base` and `conformer-small.base` learnt from, as a manifest to pack and pre-train on.

::

    python examples/list_base_diet.py DATA diet.parquet

Training parts of four labelled sets, their labels unused, and a folder of recordings without speech. Of VCTK's
stand-in speakers p310 to p349 are left out: they speak in films that are scored. docs/weights.md goes on from here.
"""

import sys
from pathlib import Path

from auricle.corpora.diets import with_corpus
from auricle.datasets.registry import dataset, training_part
from auricle.inputs import joined
from auricle.manifest import Manifest

SCORED_SPEAKERS = range(310, 350)


def heard(manifest: Manifest) -> Manifest:
    """Without the speakers of films that are scored."""
    speakers = manifest.column("speaker")
    return manifest.select([row for row, name in enumerate(speakers) if int(name.strip("ps")) not in SCORED_SPEAKERS])


def main(data: Path, out: Path) -> None:
    sets = {name: training_part(dataset(name).load(data)) for name in ("speech-commands", "vctk", "nsynth", "digits")}
    sets["unlabelled"] = Manifest.from_folder(data / "unlabelled")
    sets["vctk"] = heard(sets["vctk"])
    joined([with_corpus(part, name) for name, part in sets.items()], source="diet of the base weights").write(out)
    for name, part in sets.items():
        print(f"{name}: {len(part):,} clips")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
