"""Where tasks come from: a dataset by its name, or a user's own labels as folders, manifest or Hugging Face dataset.

A user's own clips that come without split and fold get five stratified folds, by group where there is one, else by
recording where there are recordings enough; a split without validation part gets one from its training part.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from auricle.datasets.check import LocalCopy, check
from auricle.datasets.entry import DatasetEntry, Kind
from auricle.datasets.registry import dataset, list_datasets
from auricle.datasets.windows import WindowedTask
from auricle.errors import AuricleError
from auricle.inputs import MANIFEST_SUFFIXES
from auricle.manifest import Manifest
from auricle.transfer.folds import FOLDS, NEEDED, Rows, scarcest_stratum, stratified_folds
from auricle.transfer.hub_dataset import PREFIX, SPLIT_NAMES, hub_manifest
from auricle.transfer.own_events import Annotated, folds_of_segments, segments_of
from auricle.transfer.task import METRICS, Task

STRATA = 10  # equal parts of a regression's targets
_KINDS: Mapping[str, Kind] = {"label": "multi-class", "labels": "multi-label", "target": "regression"}
"""What is predicted, by the column that is there."""
_NAMELESS = ("manifest", "labels", "metadata", "train")  # files that their folder's name tells more of


@dataclass(frozen=True)
class Own:
    """What a user says of labels of their own.

    Attributes
    ----------
    label
        Column to predict, in place of ``label``, ``labels`` or ``target``.
    group
        Column of what must not stand on both sides of a split: site, speaker, recording.
    positive
        The label to detect; the task is then one of detection.
    over_time
        Rows are segments of recordings that are to be followed over time; ``"whole"`` says that nothing sounds where no
        row is, ``"rows"`` that nobody knows (:mod:`auricle.transfer.own_events`).
    """

    label: str | None = None
    group: str | None = None
    positive: str | None = None
    over_time: Annotated | None = None


def find_task(
    source: str,
    root: Path | None = None,
    *,
    own: Own = Own(),
    hop: float | None = None,
    cache: Path | None = None,
) -> Task:
    """A task by the name of its dataset, or a user's own.

    Parameters
    ----------
    source
        A name of :func:`auricle.datasets.registry.list_datasets`; a folder with one folder of recordings per label
        (perhaps below folders ``train``, ``valid`` and ``test``); a manifest, ``.csv`` or ``.parquet``; or
        ``hf:ORG/NAME``. A path counts from here, or from `root`.
    root
        Folder of all data; needed for a dataset.
    own
        What to know of a user's own labels.
    hop
        Seconds from one excerpt to the next of a dataset whose clips are excerpts that overlap; its own by default.
    cache
        Where the audio of a Hugging Face dataset is written; needed for one.

    Raises
    ------
    AuricleError
        When there is no such task, its data are not there, or it cannot be divided.
    """
    name = _dataset_name(source)
    if name in list_datasets():
        if root is None:
            raise AuricleError(f"{name} is a dataset: give --root, the folder of all data, or set AURICLE_DATA")
        return published_task(dataset(name), root, hop=hop)
    if source.startswith(PREFIX):
        if cache is None:
            raise AuricleError(f"{source} needs a folder for its audio")
        name = source.removeprefix(PREFIX)
        manifest = hub_manifest(name, cache, label=own.label)
        return own_task(manifest, Path(name).name, own=replace(own, label=None))
    path = _find(source, root)
    if path.is_dir():
        return own_task(_with_folder_splits(Manifest.from_folder(path, labels=True)), path.resolve().name, own=own)
    manifest = Manifest.read(path)
    if root is not None and not manifest.files[0].is_file() and (root / manifest.column("path")[0]).is_file():
        manifest = Manifest.read(path, root=root)
    title = path.resolve().parent.name if path.stem.lower() in _NAMELESS else path.stem
    return own_task(manifest, title or path.stem, own=own)


def find_tasks(
    sources: Sequence[str],
    root: Path | None = None,
    *,
    own: Own = Own(),
    hop: float | None = None,
    cache: Path | None = None,
) -> list[Task]:
    """Several tasks, as :func:`find_task` finds them.

    Raises
    ------
    AuricleError
        As :func:`find_task`, and when something is said of own labels and there are none.
    """
    if own != Own() and all(_dataset_name(source) in list_datasets() for source in sources):
        raise AuricleError(
            "--label, --group, --positive and --over-time are for your own labels (--manifest FILE); datasets know "
            "theirs"
        )
    return [find_task(source, root, own=own, hop=hop, cache=cache) for source in dict.fromkeys(sources)]


def own_task(manifest: Manifest, name: str, *, own: Own = Own()) -> Task:
    """A task of a user's own labels.

    Raises
    ------
    AuricleError
        When nothing is labelled, a column is not there, or the clips cannot be divided.
    """
    if own.label is not None:
        manifest = _with_answer(manifest, own.label)
    if own.group is not None:
        groups = [None if value is None else str(value) for value in manifest.column(own.group)]
        manifest = manifest.with_column("group", groups)
    if own.over_time is not None:
        kind: Kind = "frames"
        manifest = segments_of(manifest, own.over_time)
    else:
        kind = _kind_of(manifest, own.positive)
        _refuse_unlabelled(manifest, kind)
    if name in list_datasets():
        name = f"{name} (own labels)"  # lest its scores are taken for those of the dataset
    has_groups = manifest.has("group")
    manifest, notices = _divided(manifest, name, kind)
    return Task(
        name=name,
        title=name,
        manifest=manifest,
        kind=kind,
        positive=own.positive,
        metric=METRICS[kind],
        about=f"own labels, {manifest.source}",
        is_own=True,
        group_noun=own.group or ("recording" if not has_groups and manifest.has("group") else "group"),
        notices=tuple(notices),
    )


def _dataset_name(source: str) -> str:
    return source.lower().replace("_", "-")


def published_task(entry: DatasetEntry, root: Path, *, hop: float | None = None) -> Task:
    """The task that a dataset is; where its clips are excerpts of longer segments these are cut, `hop` seconds apart.

    Raises
    ------
    AuricleError
        When its data are not there.
    """
    about = [entry.citation, f"licence {entry.licence}", *([entry.exceptions] if entry.exceptions else [])]
    copy = check(entry, root)
    manifest, name, cut = copy.manifest, copy.name, None
    if entry.windows is not None:
        windows = entry.windows if hop is None else replace(entry.windows, hop=hop)
        cut = WindowedTask(manifest, windows)
        if windows != entry.windows:
            how = f"excerpts every {windows.hop:g} s"
            name = f"{name.removesuffix(')')}; {how})" if name.endswith(")") else f"{name} ({how})"
    return Task(
        name=name,
        title=entry.title,
        manifest=manifest,
        kind=entry.kind,
        positive=entry.positive,
        metric=entry.metric,
        about="; ".join(about),
        published_clips=None if cut is not None else entry.clips,
        excerpts=cut,
        notices=_missing(copy),
    )


def _missing(copy: LocalCopy) -> tuple[str, ...]:
    if not copy.missing:
        return ()
    some = ", ".join(copy.missing[:3]) + (", …" if len(copy.missing) > 3 else "")
    return (f"{copy.entry.name}: {len(copy.missing):,} of what it lists is not there ({some})",)


def _find(source: str, root: Path | None) -> Path:
    path = Path(source).expanduser()
    places = [path] if root is None or path.is_absolute() else [root / path, path]
    for place in places:
        if place.is_dir() or (place.is_file() and place.suffix.lower() in MANIFEST_SUFFIXES):
            return place
    looked = " nor ".join(dict.fromkeys(str(place) for place in places))
    if path.suffix or len(path.parts) > 1:  # a path, which nobody takes for a dataset's name
        wrong = "is no manifest" if any(place.exists() for place in places) else "does not exist"
        raise AuricleError(f"{looked} {wrong}: expected a .csv or .parquet file, or a folder of labelled recordings")
    near = difflib.get_close_matches(_dataset_name(source), list_datasets(), n=1, cutoff=0.6)
    datasets = f" (did you mean {near[0]}?)" if near else f" ({', '.join(list_datasets())})"
    raise AuricleError(f"no task {source}: neither a dataset{datasets} nor a folder or manifest {looked}")


def _with_folder_splits(manifest: Manifest) -> Manifest:
    """Folders ``train``, ``valid`` and ``test`` above those of the labels are the split."""
    tops = [PurePosixPath(path).parts[0].lower() for path in manifest.column("path")]
    if not set(tops) <= set(SPLIT_NAMES) or any(len(PurePosixPath(path).parts) < 3 for path in manifest.column("path")):
        return manifest
    return manifest.with_column("split", [SPLIT_NAMES[top] for top in tops])


def _with_answer(manifest: Manifest, column: str) -> Manifest:
    """The manifest that predicts this column and no other."""
    values = manifest.column(column)
    others = [name for name in ("label", "labels", "target") if manifest.has(name) and name != column]
    manifest = Manifest(manifest.table.drop_columns(others), manifest.root, manifest.source)
    if column in ("labels", "target"):
        return manifest
    if any(isinstance(value, float) for value in values):
        return manifest.with_column("target", values)
    return manifest.with_column("label", [None if value is None else str(value) for value in values])


def _kind_of(manifest: Manifest, positive: str | None) -> Kind:
    if positive is not None:
        return "binary"
    for column, kind in _KINDS.items():
        if manifest.has(column):
            return kind
    raise AuricleError(
        f"{manifest.source} has nothing to predict: expected a column `label`, `labels` or `target`, or --label "
        f"COLUMN; it has {', '.join(manifest.table.column_names)}"
    )


def _refuse_unlabelled(manifest: Manifest, kind: Kind) -> None:
    column = next(column for column, of_kind in _KINDS.items() if of_kind == kind or kind == "binary")
    values = manifest.column(column)
    if None in values:
        row = values.index(None)
        path = manifest.column("path")[row]
        raise AuricleError(f"{manifest.source}: row {row + 1} ({path}) has no {column}: give it one, or leave it out")


def _divided(manifest: Manifest, name: str, kind: Kind) -> tuple[Manifest, list[str]]:
    """The manifest with folds or a whole split, and what its reader should know of them."""
    if manifest.has("fold"):
        return manifest, []
    if kind == "frames":
        return _divided_over_time(manifest, name)
    if not manifest.has("split"):
        folds, together, warning = _drawn(manifest, kind, range(len(manifest)))
        said = [f"{name} has neither split nor fold: five stratified folds were drawn{warning}"] if warning else []
        if together == "path":
            manifest = manifest.with_column("group", manifest.column("path"))
        return manifest.with_column("fold", folds.tolist()), said
    splits = manifest.column("split")
    if "valid" in splits:
        return manifest, []
    train = [row for row, split in enumerate(splits) if split == "train"]
    folds, _, _ = _drawn(manifest, kind, train)
    for row, fold in zip(train, folds, strict=True):
        if fold == 1:
            splits[row] = "valid"
    said = [f"{name} has no validation part: a fifth of its training part became one"]
    return manifest.with_column("split", splits), said


def _drawn(manifest: Manifest, kind: Kind, rows: Sequence[int]) -> tuple[Rows, str | None, str]:
    """The folds of these rows, by which column they were kept together, and what their reader should know of it.

    Where nobody says what belongs together, the clips of a recording do, as far as there are recordings enough.
    """
    strata = _strata(manifest, kind, rows)
    # A rare label among several, or a number, may be missed.
    needed = NEEDED if kind in ("multi-class", "binary") else 1

    def values(column: str) -> list[object]:
        every = manifest.column(column)
        return [every[row] for row in rows]

    def folds(column: str | None) -> Rows:
        return stratified_folds(
            strata, None if column is None else values(column), needed=needed, source=manifest.source
        )

    if manifest.has("group"):
        return folds("group"), "group", ""
    apart = "clips of one recording, speaker or site may stand on both sides, and scores are then too good to be true"
    paths = values("path")
    recordings = len(set(paths))
    if recordings == len(paths):
        return folds(None), None, f"; without --group COLUMN {apart}"
    name, has = scarcest_stratum(strata, paths)
    if recordings >= FOLDS and has >= needed:
        warning = ", no recording in two of them; without --group COLUMN one speaker or site may be in several"
        return folds("path"), "path", warning
    few = f"{name!r} stands in {has} of them only" if recordings >= FOLDS else f"their number is {recordings}"
    return folds(None), None, f", not by recording, for {few}: {apart}"


def _divided_over_time(manifest: Manifest, name: str) -> tuple[Manifest, list[str]]:
    """The same of segments: all those of a recording come into one part."""
    if not manifest.has("split"):
        said = f"{name} has neither split nor fold: its recordings were drawn into five folds"
        if not manifest.has("group"):
            said += "; without --group COLUMN recordings of one site or day may stand on both sides"
        return manifest.with_column("fold", folds_of_segments(manifest)), [said]
    splits = manifest.column("split")
    if "valid" in splits:
        return manifest, []
    train = [row for row, split in enumerate(splits) if split == "train"]
    for row, fold in zip(train, folds_of_segments(manifest.select(train)), strict=True):
        if fold == 1:
            splits[row] = "valid"
    said = f"{name} has no validation part: a fifth of the recordings of its training part became one"
    return manifest.with_column("split", splits), [said]


def _strata(manifest: Manifest, kind: str, rows: Sequence[int]) -> list[object]:
    """What every fold should have equally much of: the label, the rarest of several, or the tenth of a number."""
    if kind == "regression":
        target = np.array(manifest.column("target"), dtype=float)[list(rows)]
        ranks = np.argsort(np.argsort(target))
        return [int(rank * min(STRATA, max(1, len(rows) // STRATA)) // len(rows)) for rank in ranks]
    if kind == "multi-label":
        lists = manifest.column("labels")
        frequency: dict[str, int] = {}
        for row in rows:
            for label in lists[row]:
                frequency[label] = frequency.get(label, 0) + 1
        return [min(lists[row], key=lambda label: (frequency[label], label), default="") for row in rows]
    labels = manifest.column("label")
    return [labels[row] for row in rows]
