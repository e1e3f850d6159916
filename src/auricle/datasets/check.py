"""Is a local copy of a dataset the release? What is missing, what differs, and what its results are to be called.

Scores on a part of a dataset, or on another one in its layout, must not be taken for scores on the release: such a copy
has a name that says what it is, and results carry that name.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from auricle.datasets.entry import DatasetEntry
from auricle.manifest import Manifest


@dataclass(frozen=True, eq=False)
class LocalCopy:
    """A dataset as it is on this machine.

    Attributes
    ----------
    entry : DatasetEntry
        What is known of the release.
    manifest : Manifest
        Of what is there.
    clips : int
        Number of clips that are there.
    classes : int
        Number of different labels, or of what the entry counts in their place.
    missing : list of str
        What the dataset's own lists name and is not there: recordings, films.
    differences : list of str
        How numbers and labels differ from the release, one phrase each.
    """

    entry: DatasetEntry
    manifest: Manifest
    clips: int
    classes: int
    missing: list[str]
    differences: list[str]

    @property
    def is_published(self) -> bool:
        """Whether the copy is the release, as far as it can be counted."""
        return not self.differences

    @property
    def name(self) -> str:
        """What results on this copy are to be called: the dataset's name, if it is the release."""
        if self.is_published:
            return self.entry.name
        return f"{self.entry.name} (local: {self.classes:,} {self.entry.class_noun}, {self.clips:,} clips)"


def check(entry: DatasetEntry, root: Path | str) -> LocalCopy:
    """Load a dataset and compare it with its release.

    Parameters
    ----------
    entry
        The dataset.
    root
        Folder of all data, or the dataset's own folder.

    Raises
    ------
    AuricleError
        When the dataset is not there, or nothing of it, or it cannot be read.
    """
    absent: list[str] = []
    manifest = entry.load(Path(root), absent=absent)
    classes = len(_values(manifest, entry))
    differences = [*_differences_of_numbers(entry, manifest, classes), *_differences_of_labels(entry, manifest)]
    if entry.split_list and not (entry.folder(root) / entry.split_list).is_file():
        differences.append(f"there is no {entry.split_list} with the split of published scores: the split is ours")
    return LocalCopy(entry, manifest, len(manifest), classes, absent, differences)


def _values(manifest: Manifest, entry: DatasetEntry) -> set[str]:
    """All labels, or what is counted in their place."""
    if entry.counted is not None:
        return {str(value) for value in manifest.column(entry.counted)}
    if manifest.has("labels"):
        return {label for labels in manifest.column("labels") for label in labels}
    return set(manifest.column("label"))


def _differences_of_numbers(entry: DatasetEntry, manifest: Manifest, classes: int) -> list[str]:
    differences = []
    if entry.class_noun in entry.counts:
        if classes != entry.counts[entry.class_noun]:
            differences.append(_said("", classes, entry.counts[entry.class_noun], entry.class_noun))
        return differences
    if len(manifest) != entry.clips:
        differences.append(_said("", len(manifest), entry.clips, "clips"))
    parts = _parts(manifest)
    differences += [
        _said(f"{part}: ", parts[part], entry.counts.get(part, 0), "clips")
        for part in (dict.fromkeys([*entry.counts, *parts]) if entry.counts else ())
        if parts[part] != entry.counts.get(part, 0)
    ]
    if entry.counted is None and classes != entry.classes:
        differences.append(_said("", classes, entry.classes, entry.class_noun))
    return differences


def _said(part: str, here: int, published: int, noun: str) -> str:
    return f"{part}{here:,} {noun}, the release has {published:,}"


def _parts(manifest: Manifest) -> Counter[str]:
    if manifest.has("split"):
        return Counter(manifest.column("split"))
    return Counter(f"fold {fold}" for fold in sorted(manifest.column("fold")))


def _differences_of_labels(entry: DatasetEntry, manifest: Manifest) -> list[str]:
    if not entry.labels or entry.counted is not None:
        return []
    here = _values(manifest, entry)
    differences = []
    for labels, what in ((set(entry.labels) - here, "missing"), (here - set(entry.labels), "unknown")):
        if labels:
            some = ", ".join(sorted(labels)[:10])
            differences.append(f"{what} {entry.class_noun}: {some}{', …' if len(labels) > 10 else ''}")
    return differences
