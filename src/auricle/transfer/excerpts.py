"""Overlapping excerpts embedded recording by recording: each stretch of sound is decoded once for all that share it.

Excerpts are cut in memory, a stretch at a time; their embeddings go straight to their place in one array on disk. A
job that was killed goes on after the last stretch that it finished.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from auricle import audio
from auricle.audio import AudioError
from auricle.datasets.windows import WindowedTask
from auricle.embedding import EmbedProgress
from auricle.embedding.batches import Embedder, Rows, device_of
from auricle.embedding.bulk import BATCH_SECONDS, BATCH_SECONDS_ON_GPU
from auricle.embedding.file import Rejected, write_rejected
from auricle.embedding.pools import Clip
from auricle.errors import AuricleError
from auricle.files import atomic_write, fill_holes, refused_writes_are_errors
from auricle.models.encoder import Encoder

STRETCH_SECONDS = 600.0  # of a recording that are in memory at a time

_ROUNDING = 1e-6  # seconds
_PARTIAL = "partial.npy"
_STATE = "partial.json"


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Consecutive excerpts of one recording, numbered from `first`, and where they are in seconds."""

    path: Path
    first: int
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    @property
    def start(self) -> float:
        return float(self.starts.min())

    @property
    def end(self) -> float:
        return float(self.ends.max())


def embed_excerpts(
    model: Encoder,
    cut: WindowedTask,
    *,
    vectors: Path,
    clips: Path,
    rejected: Path,
    progress: Callable[[EmbedProgress], None],
) -> dict[str, Any]:
    """Embed every excerpt of annotated recordings, one recording after the other.

    Parameters
    ----------
    model
        The encoder, on the device where it shall work.
    cut
        The excerpts.
    vectors
        Is written: ``.npy``, ``(excerpts, dim)`` float32.
    clips
        Is written: ``.npy``, the number of the excerpt at each place of `vectors`, -1 where it could not be embedded.
    rejected
        Is written if anything could not be embedded: why.
    progress
        Is told after every batch.

    Returns
    -------
    dict
        ``rows``, ``rejected``, ``audio_seconds``.
    """
    folder = vectors.parent
    shape = len(cut), model.embedding_dim
    state = _state(folder, shape)
    mode = "r+" if state["stretches"] else "w+"
    with refused_writes_are_errors(vectors):
        array = open_memmap(folder / _PARTIAL, mode=mode, dtype=np.float32, shape=shape if mode == "w+" else None)
        fill_holes(folder / _PARTIAL)
        on_gpu = device_of(model).type == "cuda"
        samples = round((BATCH_SECONDS_ON_GPU if on_gpu else BATCH_SECONDS) * model.sample_rate)
        embedder = Embedder(model.eval(), batch_samples=samples, precision="float32", frames=False)
        for number, stretch in enumerate(_stretches(cut)):
            if number < state["stretches"]:
                continue
            state["rejected"] += _embed_stretch(embedder, stretch, array, state, progress, samples)
            state["seconds"] += stretch.end - stretch.start
            state["stretches"] = number + 1
            array.flush()
            with atomic_write(folder / _STATE) as temporary:
                temporary.write_text(json.dumps(state))
        del array
        missing = {row for first, last, _, _ in state["rejected"] for row in range(first, last)}
        if len(missing) == len(cut):
            raise AuricleError(f"no clip of {cut.manifest.source} can be embedded: {state['rejected'][0][3]}")
        numbers = np.arange(len(cut))
        numbers[list(missing)] = -1
        with atomic_write(clips) as temporary:
            np.save(temporary, numbers)
        if missing:
            write_rejected([Rejected(path, reason) for _, _, path, reason in state["rejected"]], rejected)
        (folder / _PARTIAL).replace(vectors)
        (folder / _STATE).unlink()
    return {
        "rows": len(cut) - len(missing),
        "rejected": len(missing),
        "audio_seconds": round(state["seconds"], 2),
    }


def _state(folder: Path, shape: tuple[int, int]) -> dict[str, Any]:
    """How far an interrupted job came: stretches, seconds, and what was rejected (first and last row, path, reason)."""
    try:
        state: dict[str, Any] = json.loads((folder / _STATE).read_text())
        if np.load(folder / _PARTIAL, mmap_mode="r").shape == shape:
            return state
    except (FileNotFoundError, ValueError):
        pass
    return {"stretches": 0, "seconds": 0.0, "rejected": []}


def _stretches(cut: WindowedTask) -> Iterator[_Stretch]:
    before = 0
    for film in cut:
        path, starts, ends = cut.manifest.root / film.path, film.starts, film.starts + cut.windows.seconds
        first = 0
        while first < len(starts):
            low, high = np.minimum.accumulate(starts[first:]), np.maximum.accumulate(ends[first:])
            together = max(1, int(np.searchsorted(high - low, STRETCH_SECONDS + _ROUNDING)))
            own = slice(first, first + together)
            yield _Stretch(path, before + first, starts[own], np.round(ends[own], 6))
            first += together
        before += len(starts)


def _embed_stretch(
    embedder: Embedder,
    stretch: _Stretch,
    array: NDArray[np.float32],
    state: dict[str, Any],
    progress: Callable[[EmbedProgress], None],
    samples: int,
) -> list[tuple[int, int, str, str]]:
    """Put the embeddings of a stretch into their rows; what of it could not be embedded."""
    rate = embedder.model.sample_rate
    starts, ends = stretch.starts, stretch.ends
    try:
        sound = audio.read(stretch.path, sample_rate=rate, offset=stretch.start, duration=stretch.end - stretch.start)
    except AudioError as error:
        return [(stretch.first, stretch.first + len(starts), str(stretch.path), error.reason)]
    base = round(stretch.start * rate)
    rejected: list[tuple[int, int, str, str]] = []
    together = max(1, samples // max(1, round(float(ends[0] - starts[0]) * rate)))
    for begin in range(0, len(starts), together):
        some = slice(begin, begin + together)
        spans = zip(starts[some].tolist(), ends[some].tolist(), strict=True)
        cut = [
            Clip(row, start, end, sound[round(start * rate) - base : round(end * rate) - base])
            for row, (start, end) in enumerate(spans, start=stretch.first + begin)
        ]
        heard = [clip for clip in cut if len(clip.waveform)]
        found = dict(zip([clip.row for clip in heard], embedder.clips(heard, lambda _: None), strict=True))
        for clip in cut:
            rows = found.get(clip.row, AuricleError(f"ends before {clip.end:g} s"))
            if isinstance(rows, Rows):
                array[clip.row] = rows.embeddings[0]
            else:
                rejected.append((clip.row, clip.row + 1, str(stretch.path), str(rows)))
        done = stretch.first + begin + len(cut)
        progress(EmbedProgress(done, len(array), state["seconds"], len(state["rejected"]) + len(rejected)))
    return rejected
