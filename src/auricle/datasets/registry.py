"""Every dataset by name, and the training part of any of them as unlabelled sound."""

from auricle.datasets import (
    audioset,
    ava_speech,
    crema_d,
    digits,
    emodb,
    esc50,
    fsd50k,
    gtzan,
    magnatagatune,
    nsynth,
    speech_commands,
    surge,
    urbansound8k,
    vctk,
    voxceleb1,
    voxforge,
)
from auricle.datasets.entry import DatasetEntry, by_name
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
        ava_speech.FRAMES_ENTRY,
        digits.ENTRY,
        digits.SPEAKERS_ENTRY,
        emodb.ENTRY,
        speech_commands.TWELVE_ENTRY,
        voxceleb1.ENTRY,
        voxforge.ENTRY,
        crema_d.ENTRY,
        gtzan.ENTRY,
        nsynth.PITCH_ENTRY,
        surge.ENTRY,
        fsd50k.ENTRY,
        magnatagatune.ENTRY,
        audioset.BALANCED_ENTRY,
        audioset.ENTRY,
    )
}
_ALIASES = {"audioset-20k": "audioset-balanced"}
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
    return by_name(name, _entries, kind="dataset", aliases=_ALIASES)


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
