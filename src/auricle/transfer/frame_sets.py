"""Frame embeddings of whole recordings on disk: one array of all frames, read recording by recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.manifest import Manifest

Frames = Callable[[str], tuple[NDArray[np.float32], NDArray[np.float64]]]
"""From a recording's path to its frame embeddings ``(n, dim)`` and their centres ``(n,)`` in seconds."""


def recordings_of(manifest: Manifest) -> Manifest:
    """The recordings of a manifest of segments, each once and whole, with ``split``, ``fold``, ``group``, ``cluster``.

    Raises
    ------
    AuricleError
        When a recording has two of these.
    """
    names = [name for name in ("path", "split", "fold", "group", "cluster") if manifest.has(name)]
    columns = [manifest.column(name) for name in names]
    found: dict[str, dict[str, object]] = {}
    for values in zip(*columns, strict=True):
        row = dict(zip(names, values, strict=True))
        known = found.setdefault(row["path"], row)
        for name in names:
            if known[name] != row[name]:
                raise AuricleError(
                    f"{manifest.source}: recording {row['path']} has more than one {name} ({known[name]} and "
                    f"{row[name]}): give it one"
                )
    return Manifest.from_rows(list(found.values()), root=manifest.root, source=manifest.source)


def write_times(embeddings: Path, times: Path) -> None:
    """Write the centre of each frame of an embeddings file, ``(rows,)`` seconds."""
    table = pq.read_table(embeddings, columns=["start", "end"])
    starts, ends = (table.column(name).to_numpy() for name in ("start", "end"))
    half = float(np.median(ends - starts)) / 2
    with atomic_write(times) as temporary:
        # The first frame of a recording is cut off at its start, the last at its end.
        np.save(temporary, np.where(starts > 0, starts + half, ends - half))


def frames_of(
    paths: list[str], vectors: NDArray[np.float32], recording: NDArray[np.int64], times: NDArray[np.float64]
) -> tuple[Frames, set[str]]:
    """How to get the frames of a recording, and the recordings that there are.

    Parameters
    ----------
    paths
        Of all recordings.
    vectors
        ``(frames, dim)``, those of a recording together.
    recording
        ``(frames,)`` position in `paths`.
    times
        ``(frames,)``.
    """
    numbers = np.arange(len(paths))
    firsts, lasts = (np.searchsorted(recording, numbers, side=side) for side in ("left", "right"))
    place = {path: slice(int(first), int(last)) for path, first, last in zip(paths, firsts, lasts, strict=True)}

    def frames(path: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        if path not in place:
            raise AuricleError(f"there are no frame embeddings of {path}")
        return np.asarray(vectors[place[path]]), times[place[path]]

    return frames, {path for path, rows in place.items() if rows.start < rows.stop}
