"""Events as files: tables (.parquet, .csv) that are manifests, selection tables for Raven, label files for Audacity.

Raven reads selection tables, separated by tabs, with a header line; over several files, opened as one sequence in the
same order, ``Begin Time (s)`` counts from the beginning of the first, ``File Offset (s)`` from that of the file that is
named by ``Begin File`` and ``Begin Path``, by which Raven finds the sound. These are the columns that Rraven's
``exp_raven`` and BirdNET-Analyzer's combined tables bear and that are read back from Raven's own tables; untried in
Raven itself. Audacity reads lines of start, end and label, separated by tabs, one file per recording (Audacity Manual,
"Importing and Exporting Labels", standard format).
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auricle import audio
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.results import columns_in
from auricle.transfer.detections import Detection

EVENTS_AT_ONCE = 10_000  # held before they are written
_DECIMALS = 6  # of seconds
_RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
_RAVEN_FILES = ("Begin File", "File Offset (s)", "Begin Path")
_RAVEN_OWN = ("Label", "Score")
_AUDACITY = re.compile(r"\d+(\.\d+)?\t\d+(\.\d+)?\t")
_OWN = ("path", "start", "end", "label", "score")

Recordings = Iterable[list[Detection]]


def is_events(path: Path) -> bool:
    """Whether a file looks like one that is written here, in any of the formats."""
    if path.suffix in (".parquet", ".csv"):
        return set(_OWN) <= set(columns_in(path))
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first = file.readline().rstrip("\n")
    except UnicodeDecodeError:
        return False
    return first.startswith("\t".join(_RAVEN)) or not first or _AUDACITY.match(first) is not None


def write_parquet(events: Recordings, out: Path, *, carried: pa.Schema) -> int:
    """Write ``path``, ``start``, ``end``, ``label``, ``score`` and what was carried; returns the number of events."""
    others = [field for field in carried if field.name not in _OWN]
    schema = pa.schema(
        [
            ("path", pa.string()),
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("label", pa.string()),
            ("score", pa.float32()),
            *others,
        ]
    )
    count = 0
    with atomic_write(out) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for some in _together(events):
            writer.write_table(pa.Table.from_pylist([_row(event) for event in some], schema=schema))
            count += len(some)
    return count


def write_csv(events: Recordings, out: Path, *, carried: pa.Schema) -> int:
    """Write the same columns as CSV; returns the number of events."""
    names = [*_OWN, *(name for name in carried.names if name not in _OWN)]
    count = 0
    with atomic_write(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for some in _together(events):
            rows = (_row(event) for event in some)
            writer.writerows(row | {"score": f"{row['score']:.4f}"} for row in rows)
            count += len(some)
    return count


def write_raven(events: Recordings, out: Path, manifest: Manifest, *, high: float) -> int:
    """Write one selection table for all recordings; returns the number of events.

    Parameters
    ----------
    events
        In the manifest's order.
    out
        The file.
    manifest
        The recordings; with more than one, times count from the beginning of the first.
    high
        Hz up to which the encoder hears: the upper edge of every selection.
    """
    begins = _begins(manifest)
    count = 0
    with atomic_write(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow([*_RAVEN, *_RAVEN_FILES, *_RAVEN_OWN])
        for recording in events:
            for event in recording:
                count += 1
                begin, path = begins[event.path], manifest.root / event.path
                times = _time(begin + event.start), _time(begin + event.end)
                line = [count, "Spectrogram 1", 1, *times, "0.0", f"{high:.1f}"]
                line += [path.name, _time(event.start), path.resolve(), event.label, f"{event.score:.4f}"]
                writer.writerow([_plain(str(cell)) for cell in line])
    return count


def write_audacity(events: Recordings, out: Path, manifest: Manifest) -> int:
    """Write a label file for the only recording, or below a folder one for each; returns the number of events.

    Parameters
    ----------
    events
        What was found.
    out
        ``….txt`` for a single recording, or a folder.
    manifest
        The recordings; one without events gets an empty file, which says that there are none.
    """
    files = {path: out if out.suffix else out / f"{path}.txt" for path in manifest.column("path")}
    written: set[Path] = set()
    count = 0
    for recording in events:
        file = files[recording[0].path]
        lines = [f"{_time(event.start)}\t{_time(event.end)}\t{_plain(event.label)}\n" for event in recording]
        # An excerpt that lies before another one of its recording comes apart from it.
        before = file.read_text(encoding="utf-8") if file in written else ""
        with atomic_write(file) as temporary:
            temporary.write_text(before + "".join(lines), encoding="utf-8")
        written.add(file)
        count += len(recording)
    for file in set(files.values()) - written:
        with atomic_write(file) as temporary:
            temporary.touch()
    return count


def _begins(manifest: Manifest) -> dict[str, float]:
    """Seconds at which each recording begins when all are opened as one; what cannot be read has no length."""
    begins: dict[str, float] = {}
    now = 0.0
    several = len(set(manifest.column("path"))) > 1
    for path in manifest.column("path"):
        if path not in begins:
            begins[path] = now
            if several:
                try:
                    now += audio.info(manifest.root / path).seconds
                except audio.AudioError:
                    continue
    return begins


def _together(events: Recordings) -> Iterator[list[Detection]]:
    waiting: list[Detection] = []
    for recording in events:
        waiting += recording
        if len(waiting) >= EVENTS_AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _row(event: Detection) -> dict[str, object]:
    return event.carried | {
        "path": event.path,
        "start": round(event.start, _DECIMALS),
        "end": round(event.end, _DECIMALS),
        "label": event.label,
        "score": event.score,
    }


def _time(seconds: float) -> str:
    return f"{seconds:.{_DECIMALS}f}"


def _plain(text: str) -> str:
    """Text without the characters that end a field or a line."""
    return " ".join(text.split())
