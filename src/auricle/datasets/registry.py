"""Every dataset by name, and the training part of any of them as unlabelled sound."""

import difflib

from auricle.datasets import ava_speech, digits, emodb, esc50, nsynth, speech_commands, urbansound8k, vctk
from auricle.datasets.entry import DatasetEntry
from auricle.errors import AuricleError
from auricle.manifest import Manifest, ManifestError

__all__ = ["DatasetEntry", "dataset", "list_datasets", "training_part"]

_entries = {
    entry.name: entry
    for entry in (
        esc50.ENTRY,
        urbansound8k.ENTRY,
        nsynth.ENTRY,
        speech_commands.ENTRY,
        vctk.ENTRY,
        ava_speech.ENTRY,
        ava_speech.LIMITED_ENTRY,
        digits.ENTRY,
        emodb.ENTRY,
    )
}
_ANSWERS = ("label", "labels", "target", "split", "fold", "group", "cluster")


def list_datasets() -> list[str]:
    """Names of all datasets."""
    return list(_entries)


def dataset(name: str) -> DatasetEntry:
    """The entry of a dataset; upper case and underscores are as good as lower case and hyphens.

    Raises
    ------
    AuricleError
        When there is none of that name; it says which is nearest.
    """
    key = name.lower().replace("_", "-")
    if key in _entries:
        return _entries[key]
    near = difflib.get_close_matches(key, _entries, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_entries)}"
    raise AuricleError(f"no dataset named {name}; {hint}")


def training_part(manifest: Manifest) -> Manifest:
    """The clips to pre-train on: the training split of a task, all of a manifest without splits; without labels.

    Raises
    ------
    ManifestError
        When the manifest has folds, all of which are scored, or no clip to train on.
    """
    if manifest.has("split"):
        rows = [row for row, split in enumerate(manifest.column("split")) if split == "train"]
        if not rows:
            raise ManifestError(f"{manifest.source} has no training split")
        manifest = manifest.select(rows)
    elif manifest.has("fold"):
        raise ManifestError(f"{manifest.source} is scored on all of its folds: there is no part to pre-train on")
    kept = [name for name in manifest.table.column_names if name not in _ANSWERS]
    return Manifest(manifest.table.select(kept), manifest.root, manifest.source)
