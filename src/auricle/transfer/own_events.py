"""A user's own labels over time: segments of recordings, of which the whole course is to be followed.

Rows are segments as people mark them, ``path, start, end, label``; a recording may have many, and they may overlap.
Whether what no row covers is silence or was never listened to, a table cannot say: the user does.
"""

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from auricle import audio
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.folds import stratified_folds
from auricle.transfer.frame_sets import recordings_of

Annotated = Literal["whole", "rows"]
"""How much of a recording somebody has listened to: all of it, so that nothing sounds where no row is, or its rows."""

FEWEST = 3  # recordings or groups: one to train, one to select, one to test


def segments_of(manifest: Manifest, annotated: Annotated) -> Manifest:
    """The segments of a user's recordings, checked; those of recordings that are annotated whole say so.

    Parameters
    ----------
    manifest
        One row per segment, with ``label``, or ``labels`` of all that sounds there; none says that nothing does.
    annotated
        With ``"whole"`` a row without label is added for each recording, from its beginning to its end.

    Returns
    -------
    Manifest
        As :func:`auricle.transfer.frames.evaluate_frames` takes it, but for the split.

    Raises
    ------
    AuricleError
        When a segment has no start or no end, no row has a label, or there is another kind of answer.
    """
    if manifest.has("labels") and not manifest.has("label"):
        manifest = _one_label_each(manifest)
    for name in ("start", "end", "label"):
        if not manifest.has(name):
            raise AuricleError(
                f"{manifest.source} has no column `{name}`: labels over time are segments of recordings, path, start, "
                f"end and label; it has {', '.join(manifest.table.column_names)}"
            )
        values = manifest.column(name)
        if name != "label" and None in values:
            row = values.index(None)
            path = manifest.column("path")[row]
            raise AuricleError(
                f"{manifest.source}: row {row + 1} ({path}) has no {name}: a segment needs start and end"
            )
    if not any(manifest.column("label")):
        raise AuricleError(f"{manifest.source} has no label at all: there is nothing to follow over time")
    if annotated == "rows":
        return manifest
    first: dict[str, int] = {}
    for row, path in enumerate(manifest.column("path")):
        first.setdefault(path, row)
    whole = []
    for path, row in first.items():
        try:
            seconds = audio.info(manifest.root / path).seconds
        except audio.AudioError:
            continue  # it cannot be embedded either, and is reported then
        kept = manifest.table.slice(row, 1).to_pylist()[0]
        whole.append(kept | {"start": 0.0, "end": seconds, "label": None})
    table = pa.concat_tables([manifest.table, pa.Table.from_pylist(whole, schema=manifest.table.schema)])
    return Manifest(table, manifest.root, manifest.source)


def _one_label_each(manifest: Manifest) -> Manifest:
    """A row for each label of a segment, and one for a segment without any."""
    lists = manifest.column("labels")
    rows = [row for row, labels in enumerate(lists) for _ in labels or [None]]
    labels = [label for labels in lists for label in labels or [None]]
    table = manifest.table.drop_columns(["labels"]).take(pa.array(rows, pa.int64()))
    return Manifest(table, manifest.root, manifest.source).with_column("label", labels)


def folds_of_segments(manifest: Manifest) -> list[int]:
    """A fold for each segment: of its recording or group, with rare labels spread over all folds.

    Raises
    ------
    AuricleError
        When there are fewer than three recordings or groups.
    """
    recordings = recordings_of(manifest)
    groups = recordings.column("group") if recordings.has("group") else recordings.column("path")
    if len(set(groups)) < FEWEST:
        what = "groups of recordings" if recordings.has("group") else "recordings"
        raise AuricleError(
            f"{manifest.source} has {len(set(groups))} {what}: labels over time need at least {FEWEST}, to train, "
            "select and test"
        )
    folds = stratified_folds(_rarest(manifest, recordings.column("path")), groups, needed=1, source=manifest.source)
    of_path = dict(zip(recordings.column("path"), folds.tolist(), strict=True))
    return [of_path[path] for path in manifest.column("path")]


def _rarest(manifest: Manifest, paths: Sequence[str]) -> list[str]:
    """For each recording that of its labels which the fewest recordings have; empty for one without any."""
    labels: dict[str, set[str]] = {path: set() for path in paths}
    for path, label in zip(manifest.column("path"), manifest.column("label"), strict=True):
        if label is not None:
            labels[path].add(label)
    frequency = {label: sum(label in own for own in labels.values()) for own in labels.values() for label in own}
    return [min(own, key=lambda label: (frequency[label], label), default="") for own in labels.values()]
