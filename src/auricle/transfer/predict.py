"""Using a probe: sound in, events out; over a thousand hours as over one, in flat memory, resumable.

Windows are scored by the machinery that embeds in bulk (:mod:`auricle.embedding`), which keeps scores and no embedding,
in ``FILE.scores.parquet``. Events are made of these in seconds, so that another threshold or format costs no second
listening.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding import EmbedProgress, EmbedSummary, embed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.transfer.detections import Detection, detections
from auricle.transfer.saved_probe import SavedProbe
from auricle.transfer.scored_encoder import ScoredEncoder
from auricle.transfer.selection_tables import is_events, write_audacity, write_csv, write_parquet, write_raven

SCORES_SUFFIX = ".scores.parquet"
OVERLAP = 0.5  # share of a window that the next one hears too, where no hop is given

Program = Literal["raven", "audacity"]


@dataclass(frozen=True)
class PredictSummary:
    """What was found.

    Attributes
    ----------
    out
        The events.
    events, recordings
        How many, in how many recordings.
    heard
        How many recordings were given.
    scored
        The file of scores, of every window.
    """

    out: Path
    events: int
    recordings: int
    heard: int
    scored: EmbedSummary


def predict(
    saved: SavedProbe,
    encoder: Encoder,
    manifest: Manifest,
    *,
    out: Path | str,
    window: float | None = None,
    hop: float | None = None,
    threshold: float | None = None,
    only: Sequence[str] = (),
    merge: bool = True,
    program: Program = "raven",
    workers: int | None = None,
    precision: str = "float32",
    progress: Callable[[EmbedProgress], None] | None = None,
) -> PredictSummary:
    """Find what a probe knows in recordings; a job that was stopped goes on where it was.

    Parameters
    ----------
    saved
        The probe.
    encoder
        Its encoder (:meth:`SavedProbe.encoder`), on the device where it shall work.
    manifest
        The recordings, or parts of them.
    out
        ``….parquet`` or ``….csv``: one row per event with ``path``, ``start`` and ``end`` (seconds), ``label`` and
        ``score``, and the manifest's other columns; the file is itself a manifest. ``….txt``: a table for `program`;
        without a suffix, a folder of Audacity's label files. Beside it lie the scores of all windows.
    window, hop
        Seconds. By default windows are as long as the clips that the probe has learnt from, and overlap by half.
    threshold
        Of all classes, in place of those that were chosen on validation data.
    only
        Classes whose events are wanted; all of them when none is named.
    merge
        Whether windows of one class that overlap or touch are one event.
    program
        Which one reads ``….txt``.
    workers, precision, progress
        As :func:`auricle.embedding.embed_manifest` takes them.

    Raises
    ------
    AuricleError
        When the probe predicts a number instead of classes, an argument is out of range, `out` is of another job or
        something else than events, or no recording can be read.
    """
    out = Path(out)
    probe = saved.probe
    if probe.kind == "regression":
        raise AuricleError("this probe predicts a number and no events; score clips with `auricle evaluate`")
    if threshold is not None and not 0 < threshold <= 1:
        raise AuricleError(f"a threshold is a score above 0 and up to 1, got {threshold}")
    for label in only:
        if label not in probe.outputs:
            raise AuricleError(f"the probe knows no {label!r}; it knows {', '.join(probe.outputs)}")
    _refuse_bad_suffix(out, program, manifest)
    scores = out.with_name((out.stem if out.suffix else out.name) + SCORES_SUFFIX)
    if out.exists() and not scores.exists():
        raise AuricleError(f"{out} exists, without the {scores.name} it would be made of; delete it or choose another")
    if out.is_file() and not is_events(out):
        raise AuricleError(f"{out} is there and holds no events of a probe: it stays as it is, choose another file")
    window = saved.window if window is None else window
    scored = embed_manifest(
        ScoredEncoder(encoder, probe).eval(),
        manifest,
        out=scores,
        window=window,
        hop=window * OVERLAP if hop is None else hop,
        precision=precision,
        workers=workers,
        names=probe.outputs,
        progress=progress,
    )
    found = _Counted(
        detections(
            scores,
            outputs=probe.outputs,
            thresholds=probe.thresholds if threshold is None else [threshold] * len(probe.outputs),
            kind=probe.kind,
            only=only or probe.outputs,
            merge=merge,
        )
    )
    events = _write(found, out, program, manifest, pq.read_schema(scores), high=encoder.sample_rate / 2)
    return PredictSummary(out, events, len(found.paths), len(set(manifest.column("path"))), scored)


def _refuse_bad_suffix(out: Path, program: Program, manifest: Manifest) -> None:
    if out.suffix not in (".parquet", ".csv", ".txt", ""):
        raise AuricleError(f"events go to FILE.parquet, FILE.csv or FILE.txt, not to {out}")
    if program not in ("raven", "audacity"):
        raise AuricleError(f"there is no format {program!r}: expected raven or audacity")
    if not out.suffix and program != "audacity":
        raise AuricleError(f"{out} has no suffix: events go to FILE.parquet, FILE.csv or FILE.txt")
    recordings = len(set(manifest.column("path")))
    if out.suffix == ".txt" and program == "audacity" and recordings > 1:
        raise AuricleError(
            f"Audacity's labels are one file per recording, and there are {recordings:,}: give a folder, not {out}"
        )


def _write(
    found: "_Counted", out: Path, program: Program, manifest: Manifest, schema: pa.Schema, *, high: float
) -> int:
    if out.suffix in (".parquet", ".csv"):
        carried = pa.schema([field for field in schema if field.name not in ("start", "end", "scores")])
        return (write_parquet if out.suffix == ".parquet" else write_csv)(found, out, carried=carried)
    if program == "raven":
        return write_raven(found, out, manifest, high=high)
    return write_audacity(found, out, manifest)


class _Counted:
    """Events, and in how many recordings they are."""

    def __init__(self, events: Iterator[list[Detection]]) -> None:
        self._events = events
        self.paths: set[str] = set()

    def __iter__(self) -> Iterator[list[Detection]]:
        for recording in self._events:
            self.paths.add(recording[0].path)
            yield recording
