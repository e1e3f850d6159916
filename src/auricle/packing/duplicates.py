"""What is not packed twice, and what is not packed because a task is scored on it.

Exact duplicates have the same samples once they are decoded, whatever file they were in; checksums find them while
packing. Near ones are found before (:mod:`auricle.near_duplicates`), among all clips at once.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from auricle.audio import AudioError
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.near_duplicates import NearSearch
from auricle.packing.events import Measuring, Report
from auricle.packing.layout import SAMPLE_RATE, checksum, to_samples
from auricle.packing.plan import PackPlan
from auricle.reading import Readers, Recording, Request

CANDIDATES_PER_CLIP = 100  # pairs that are laid over each other, for each clip
_KNOWN = "against.json"


@dataclass(frozen=True)
class Against:
    """Clips that tasks are scored on.

    Attributes
    ----------
    manifests : tuple of Manifest
        The validation and test parts of tasks, all of it where there are folds or neither.
    """

    manifests: tuple[Manifest, ...]

    @classmethod
    def of(cls, tasks: Iterable[Manifest]) -> "Against":
        """The parts of tasks that scores are from."""
        return cls(tuple(_scored_part(task) for task in tasks))

    def __len__(self) -> int:
        return len(self.manifests)

    @property
    def names(self) -> list[str]:
        """Of the tasks."""
        return [manifest.source for manifest in self.manifests]

    @property
    def fingerprint(self) -> str:
        """Of all clips and where they are."""
        parts = [f"{manifest.root.resolve()} {manifest.fingerprint}" for manifest in self.manifests]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""


def _scored_part(task: Manifest) -> Manifest:
    if task.has("fold") or not task.has("split"):
        return task
    return task.select([row for row, split in enumerate(task.column("split")) if split != "train"])


class Twins:
    """The sound that has been seen: what was packed, and what tasks are scored on.

    Parameters
    ----------
    against
        The tasks.
    exact
        Whether anything is left out at all.
    work
        Folder that remembers the tasks' checksums.
    workers
        Processes that decode.
    report
        Is told how far reading the tasks is.
    """

    def __init__(self, against: Against, *, exact: bool, work: Path, workers: int, report: Report) -> None:
        self._exact = exact
        self._seen: dict[bytes, str] = {}
        if against:
            self._seen = _task_checksums(against, work=work, workers=workers, report=report)

    def remember(self, key: bytes, name: str) -> None:
        """A clip with this checksum has been packed."""
        if self._exact:
            self._seen.setdefault(key, name)

    def of(self, key: bytes) -> str | None:
        """What was seen with this checksum."""
        return self._seen.get(key)


def _task_checksums(against: Against, *, work: Path, workers: int, report: Report) -> dict[bytes, str]:
    """Name of each clip of the tasks by the checksum of its samples; clips that cannot be read are no danger."""
    kept = work / _KNOWN
    if kept.exists():
        return {bytes.fromhex(key): name for key, name in json.loads(kept.read_text()).items()}
    requests, names = [], []
    for manifest in against.manifests:
        for (file, start, end), path in zip(manifest.excerpts, manifest.column("path"), strict=True):
            requests.append(Request(file, start, None if end is None else end - start))
            names.append(_name(manifest, path, start))
    found: dict[bytes, str] = {}
    with Readers(sample_rate=SAMPLE_RATE, workers=workers) as readers:
        for done, (name, sound) in enumerate(zip(names, readers.read(requests), strict=True), start=1):
            report(Measuring("reading tasks", done / len(names)))
            if isinstance(sound, AudioError):
                continue
            running = checksum()
            try:
                for block in sound if isinstance(sound, Recording) else [sound]:
                    running.update(to_samples(block)[0].tobytes())
            except AudioError:
                continue
            found.setdefault(running.digest(), name)
    with atomic_write(kept) as temporary:
        temporary.write_text(json.dumps({key.hex(): name for key, name in found.items()}))
    return found


def _name(manifest: Manifest, path: str, start: float) -> str:
    return f"{manifest.source}: {path}" + (f" at {start:g} s" if start else "")


def near_twins(plan: PackPlan, against: Against, *, work: Path, workers: int, report: Report) -> dict[int, str]:
    """Rows of a plan that are near duplicates of a task's clip or of an earlier row that stays, and of which."""
    rows, clips, names = [], [], []
    columns = [plan.table.column(name).to_pylist() for name in ("path", "start", "end", "reason")]
    for row, (path, start, end, reason) in enumerate(zip(*columns, strict=True)):
        if not reason:
            rows.append(row)
            clips.append((plan.root / path, start, end))
            names.append(path)
    for manifest in against.manifests:
        for (file, start, end), path in zip(manifest.excerpts, manifest.column("path"), strict=True):
            clips.append((file, start, end))
            names.append(_name(manifest, path, start))
    return _covered(len(rows), _near_pairs(clips, len(rows), work, workers, report), rows, names)


def _near_pairs(
    clips: Sequence[tuple[Path, float, float | None]], asked: int, work: Path, workers: int, report: Report
) -> list[tuple[int, int]]:
    """Pairs of clips that are one recording, ``first < second``, the first one of those that are `asked` about."""
    files = [file.resolve() for file, _, _ in clips]
    root = Path(os.path.commonpath([file.parent for file in files]))
    table = pa.table(
        {
            "path": [file.relative_to(root).as_posix() for file in files],
            "start": pa.array([start for _, start, _ in clips], pa.float64()),
            "end": pa.array([end for _, _, end in clips], pa.float64()),
        }
    )
    search = NearSearch(
        Manifest(table, root, "clips to pack"),
        asked=asked,
        most=CANDIDATES_PER_CLIP * len(clips),
        workers=workers,
        report=lambda what, share: report(Measuring(what, share)),
    )
    return [(pair.first, pair.second) for pair in search.run(work)]


def _covered(count: int, pairs: Sequence[tuple[int, int]], rows: Sequence[int], names: Sequence[str]) -> dict[int, str]:
    """Which of the first `count` clips go, so that of each pair one stays; what lies behind them always stays."""
    partners: dict[int, list[int]] = {}
    for first, second in pairs:
        if second >= count:
            first, second = second, first
        partners.setdefault(second, []).append(first)
    gone: dict[int, str] = {}
    for clip in np.sort(np.fromiter(partners, dtype=np.int64)).tolist():
        if clip >= count:
            continue
        stays = [other for other in partners[clip] if other >= count or rows[other] not in gone]
        if stays:
            gone[rows[clip]] = names[max(stays)]  # a task before a clip that is packed
    return gone
