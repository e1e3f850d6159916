"""From scores of windows to events: what was heard, from when to when, how sure the probe is.

A window counts for a class whose calibrated score reaches its threshold; where a sound is of exactly one class, for the
likeliest class alone. Windows of one class that overlap or touch are one event, from the start of the first to the end
of the last: the sound lies somewhere within. Its score is the highest of its windows'.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding.file import batches
from auricle.transfer.targets import Kind

ROWS = 16_384  # windows looked at together
_TOUCHING = 1e-6  # seconds
_OWN = ("path", "start", "end")


@dataclass
class Detection:
    """Something heard.

    Attributes
    ----------
    path
        Of the recording, as in the manifest.
    start, end
        Seconds from the file's start.
    label
        Its class.
    score
        Calibrated, in [0, 1].
    carried
        The other columns of the recording's row in the manifest.
    """

    path: str
    start: float
    end: float
    label: str
    score: float
    carried: dict[str, Any]


def detections(
    scores: Path,
    *,
    outputs: Sequence[str],
    thresholds: Sequence[float],
    kind: Kind,
    only: Sequence[str],
    merge: bool,
) -> Iterator[list[Detection]]:
    """The events of each recording that has any, recordings in the file's order, events by start.

    Parameters
    ----------
    scores
        A file of scores, one row per window: ``path``, ``start``, ``end``, ``scores`` and whatever was carried along.
    outputs
        Class of each score.
    thresholds
        One per output.
    kind
        ``multi-class``: a window is of one class.
    only
        Classes whose events are wanted.
    merge
        Whether windows that overlap or touch are one event.
    """
    limits = np.array(thresholds, dtype=np.float32)
    wanted = np.isin(outputs, only)
    recording = _Recording(merge)
    with pq.ParquetFile(scores) as file:
        for batch in batches(file, rows=ROWS):
            values = batch.column("scores").flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)
            hits = (values >= limits) & wanted
            if kind == "multi-class":
                hits &= np.arange(len(outputs)) == values.argmax(axis=1)[:, None]
            table = batch.drop_columns(["scores"])
            for row, output in zip(*np.nonzero(hits), strict=True):
                path, start = table["path"][row].as_py(), table["start"][row].as_py()
                if recording.is_over(path, start):
                    yield from recording.close()
                end, score = table["end"][row].as_py(), float(values[row, output])
                recording.add(Detection(path, start, end, outputs[output], score, {}), table, int(row))
    yield from recording.close()


class _Recording:
    """The events of the recording that is being looked at."""

    def __init__(self, merge: bool) -> None:
        self._merge = merge
        self._events: list[Detection] = []
        self._open: dict[str, Detection] = {}
        self._path: str | None = None
        self._start = 0.0

    def is_over(self, path: str, start: float) -> bool:
        """Whether a window is of another recording, or of an excerpt that lies before the last one."""
        return path != self._path or start < self._start

    def add(self, heard: Detection, table: pa.RecordBatch, row: int) -> None:
        """What was heard in one window, whose other columns are in a row of `table`."""
        self._path, self._start = heard.path, heard.start
        event = self._open.get(heard.label)
        if event is not None and self._merge and heard.start <= event.end + _TOUCHING:
            event.end, event.score = max(event.end, heard.end), max(event.score, heard.score)
            return
        heard.carried = {name: table[name][row].as_py() for name in table.schema.names if name not in _OWN}
        self._events.append(heard)
        self._open[heard.label] = heard

    def close(self) -> Iterator[list[Detection]]:
        """The recording's events, if there are any; the next recording begins."""
        if self._events:
            yield sorted(self._events, key=lambda event: (event.start, event.label))
        self._events, self._open, self._path = [], {}, None
