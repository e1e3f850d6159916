"""Which clips a model is explained on: at random from what selects probes, never from what scores them.

As by Ogg (2025), at most 1,000 clips of a task's validation part; which they are depends on the seed and the name of
the task alone. Of a user's own recordings without split and fold all may be drawn.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle import randomness
from auricle.datasets.check import check
from auricle.datasets.registry import dataset, list_datasets
from auricle.datasets.windows import WindowedTask
from auricle.errors import AuricleError
from auricle.explain.rdm import FEWEST_CLIPS
from auricle.inputs import manifest_of
from auricle.manifest import Manifest

CLIPS = 1000
PITCH = "pitch"  # column that says what pitch a note has: its task is one of pitched sounds
CLUSTERS = {"cluster": "cluster", "group": "group", "path": "recording"}  # columns, and what a value of them is
_MIN_FOLDS = 2


@dataclass(frozen=True, kw_only=True)
class TaskClips:
    """The clips of one task that models are explained on.

    Attributes
    ----------
    name
        Of the task.
    manifest
        The clips, with all columns.
    part
        What they were drawn from, in words.
    available
        How many clips that part has.
    """

    name: str
    manifest: Manifest
    part: str
    available: int

    @property
    def is_pitched(self) -> bool:
        """Whether every clip is a note of a known pitch, so that estimates of pitch mean something."""
        return self.manifest.has(PITCH) and None not in self.manifest.column(PITCH)

    @property
    def clustered_by(self) -> str | None:
        """The first of :data:`CLUSTERS` that is known; recordings where excerpts share one; else None."""
        if (known := next((name for name in ("cluster", "group") if self.manifest.has(name)), None)) is not None:
            return known
        return "path" if len(set(self.manifest.column("path"))) < len(self.manifest) else None

    @property
    def clusters(self) -> list[object] | None:
        """What clips belong to (speaker, film, source), a clip without any to itself; None where nothing is known."""
        if self.clustered_by is None:
            return None
        values = self.manifest.column(self.clustered_by)
        return [f"clip {row}" if value is None else value for row, value in enumerate(values)]


def task_clips(source: str, root: Path | None = None, *, clips: int = CLIPS, seed: int = 0) -> TaskClips:
    """Draw the clips of a task.

    Parameters
    ----------
    source
        A name of :func:`auricle.datasets.registry.list_datasets`, or a user's own manifest or folder of recordings.
    root
        Folder of all data; needed for a dataset.
    clips
        At most so many.
    seed
        Of the draw.

    Raises
    ------
    AuricleError
        When there is no such task, its data are not there, or fewer than four clips can be drawn.
    """
    if clips < FEWEST_CLIPS:
        raise AuricleError(f"clips is {clips}: distances between clips need {FEWEST_CLIPS} or more")
    manifest: Manifest | WindowedTask
    name = source.lower().replace("_", "-")
    if name in list_datasets():
        manifest, part, name = _published(name, root)
    else:
        path = Path(source).expanduser()
        if not path.exists():
            raise AuricleError(
                f"no task {source}: neither a dataset ({', '.join(list_datasets())}) nor a file or folder"
            )
        name = path.resolve().stem
        manifest, part = _validation(manifest_of([path]), None)
    if len(manifest) < FEWEST_CLIPS:
        raise AuricleError(f"{name} has {len(manifest)} clips in its {part}: {FEWEST_CLIPS} or more are needed")
    available = len(manifest)
    chosen = np.arange(available)
    if available > clips:
        generator = randomness.generator(seed, f"explained clips of {name.partition(' (')[0]}")
        chosen = np.sort(generator.choice(available, clips, replace=False))
    return TaskClips(name=name, manifest=manifest.select(chosen), part=part, available=available)


def _published(name: str, root: Path | None) -> tuple[Manifest | WindowedTask, str, str]:
    """The validation part of a dataset, cut into excerpts where it is scored by them; and what the copy is called."""
    if root is None:
        raise AuricleError(f"{name} is a dataset: give --root, the folder of all data, or set AURICLE_DATA")
    entry = dataset(name)
    copy = check(entry, root)
    manifest, part = _validation(copy.manifest, entry.valid_folds or None)
    return manifest if entry.windows is None else WindowedTask(manifest, entry.windows), part, copy.name


def _validation(manifest: Manifest, valid_folds: tuple[int, ...] | None) -> tuple[Manifest, str]:
    """The part that selects probes; of folds those of the study (Ogg 2025), else the last but one, as there."""
    if manifest.has("split") and "valid" in (splits := manifest.column("split")):
        return manifest.select([row for row, split in enumerate(splits) if split == "valid"]), "validation part"
    if manifest.has("fold") and len(folds := sorted(set(manifest.column("fold")))) >= _MIN_FOLDS:
        chosen = valid_folds or (folds[-2],)
        rows = [row for row, fold in enumerate(manifest.column("fold")) if fold in chosen]
        return manifest.select(rows), f"fold {', '.join(map(str, chosen))}"
    return manifest, "clips"
