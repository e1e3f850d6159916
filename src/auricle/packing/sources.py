"""What a pack is made of: files, folders and manifests, each a corpus, or a diet; and the tasks that stay out of it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from auricle.corpora.diets import clips_of_diet, load_diet, with_corpus
from auricle.datasets.registry import dataset
from auricle.errors import AuricleError
from auricle.inputs import MANIFEST_SUFFIXES, joined, manifest_of
from auricle.manifest import Manifest


def clips_to_pack(
    inputs: Sequence[Path], *, diet: str | None = None, root: Path | None = None, repeated: bool = False
) -> tuple[Manifest, dict[str, list[str]]]:
    """The clips with ``corpus`` and ``weight``, and what a diet's corpora lack.

    Parameters
    ----------
    inputs
        Audio files, folders or manifests; each is a corpus by its name, unless it has a column that says otherwise.
    diet
        A diet in place of inputs.
    root
        Folder of all data, for a diet.
    repeated
        Whether several inputs may have a clip in common, which is then there as often.

    Raises
    ------
    AuricleError
        When there is neither input nor diet, or both, or one of them is not there, or when a clip is there twice that
        may not be.
    """
    if (diet is None) == (not inputs):
        raise AuricleError("give either audio files, folders or manifests, or --diet NAME --root FOLDER")
    if diet is not None:
        if root is None:
            raise AuricleError("a diet needs --root, the folder of all data, or AURICLE_DATA")
        found = clips_of_diet(load_diet(diet), root)
        return found.manifest, found.absent
    parts = [with_corpus(manifest_of([entry]), entry.stem) for entry in inputs]
    source = " + ".join(map(str, inputs))
    return _with_repetitions(parts, source) if repeated else joined(parts, source=source), {}


def _with_repetitions(parts: Sequence[Manifest], source: str) -> Manifest:
    """Manifests as one; what later ones have of earlier ones comes last."""
    seen: dict[tuple[Path, float, float | None], int] = {}
    fresh, again = [], []
    for part in parts:
        rows, folder = [], part.root.resolve()
        for row, (path, (_, start, end)) in enumerate(zip(part.column("path"), part.excerpts, strict=True)):
            clip = (folder / path, start, end)
            if clip in seen:
                again.append(seen[clip])
            else:
                seen[clip] = len(seen)
                rows.append(row)
        if rows:
            fresh.append(part.select(rows))
    once = joined(fresh, source=source)
    return Manifest(pa.concat_tables([once.table, once.table.take(pa.array(again, pa.int64()))]), once.root, source)


def tasks_to_keep_out(names: Sequence[str], root: Path | None) -> list[Manifest]:
    """The manifests of tasks, by the names of datasets or by files.

    Raises
    ------
    AuricleError
        When there is no such task, or a dataset is named without the folder of all data.
    """
    return [_task(name, root) for name in names]


def _task(name: str, root: Path | None) -> Manifest:
    if Path(name).suffix.lower() in MANIFEST_SUFFIXES:
        return Manifest.read(name)
    entry = dataset(name)
    if root is None:
        raise AuricleError(f"{name} is a dataset: give --root, the folder of all data, or set AURICLE_DATA")
    return entry.load(root)
