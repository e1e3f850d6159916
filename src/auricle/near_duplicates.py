"""Near-duplicates: one recording in another encoding, level or cut, among the clips of a manifest or across its sides.

Whitened embeddings propose pairs (:mod:`auricle.neighbours`), in a small set all pairs are proposed; they are then laid
over each other (:mod:`auricle.alignment`), and those that agree in spectrum and waveform are kept. Look at them, for
very short clips may agree by chance. All pairs are compared, so work grows with the square of the number of clips: most
of those that are proposed differ in spectrum, and only the others' waveforms are read.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle import audio
from auricle.alignment import SPECTRUM, Aligner, Match, overlaid
from auricle.audio import Waveform
from auricle.embedding import EmbedProgress, embed_manifest, read_embeddings
from auricle.embedding.file import rejected_path
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.models.soundprint import SoundPrint
from auricle.neighbours import Vectors, near_pairs, whitened
from auricle.stages import fingerprint_of_sound

CANDIDATE_COSINE = 0.4  # of whitened embeddings: 0.98 of altered copies are above, 0.001 of the pairs of others
FEW_PAIRS = 10_000  # all of which are laid over each other: some 140 clips are too few to be whitened by themselves
MOST_CANDIDATES = 10_000  # that are laid over each other, the most similar first
KEPT_BYTES = 1 << 29  # of spectrograms, and as many of waveforms: those of six and of two hours
MATCHED_SECONDS = 60.0  # of a clip that are laid over another

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class NearDuplicate:
    """Two rows that are one recording, ``first < second``, and how well they agree."""

    first: int
    second: int
    match: Match


class _Kept:
    """What is made of a row of the manifest, of the last used ones `KEPT_BYTES`."""

    def __init__(self, make: Callable[[int], NDArray[np.float32]]) -> None:
        self._make, self._bytes = make, 0
        self._arrays: dict[int, NDArray[np.float32]] = {}  # the last used comes last

    def of(self, row: int) -> NDArray[np.float32]:
        """A row's."""
        array = self._arrays.pop(row, None)
        if array is None:
            array = self._make(row)
            self._bytes += array.nbytes
            while self._arrays and self._bytes > KEPT_BYTES:
                self._bytes -= self._arrays.pop(next(iter(self._arrays))).nbytes
        self._arrays[row] = array
        return array


class NearSearch:
    """The search for near-duplicates in a manifest.

    Parameters
    ----------
    manifest
        The clips.
    encoder
        Whose embeddings propose pairs; :class:`auricle.models.soundprint.SoundPrint` by default.
    sides
        What each clip is of: only pairs across sides count. All pairs do when not given.
    contents
        For each clip what tells its file's content, or None: pairs that share it are known and left out.
    asked
        Rows, from the first, of which duplicates are sought: pairs of two later ones are left out. By default all.
    most
        Pairs that are laid over each other, the most similar first; `MOST_CANDIDATES` when not given.
    workers
        Processes that decode.
    report
        Is told what is being done, and the share of it that is done.

    Attributes
    ----------
    unread : int
        Clips that could not be read, after :meth:`run`.
    unmatched : int
        Pairs that were proposed but too many to be laid over each other.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        encoder: Encoder | None = None,
        sides: Sequence[str] | None = None,
        contents: Sequence[str | None] | None = None,
        asked: int | None = None,
        most: int | None = None,
        workers: int | None = None,
        report: Report | None = None,
    ) -> None:
        self._manifest, self._sides, self._contents = manifest, sides, contents
        self._encoder = SoundPrint() if encoder is None else encoder
        self._asked = len(manifest) if asked is None else asked
        self._most = MOST_CANDIDATES if most is None else most
        self._workers, self._report = workers, report
        self._paths = manifest.column("path")
        self._starts = manifest.column("start") if manifest.has("start") else [None] * len(manifest)
        self._ends = manifest.column("end") if manifest.has("end") else [None] * len(manifest)
        self._aligner = Aligner()
        self._waveforms, self._spectrograms = _Kept(self._read), _Kept(self._spectrogram)
        self.unread = 0
        self.unmatched = 0

    def run(self, work: Path | None = None) -> list[NearDuplicate]:
        """All pairs that are the same recording, the most alike first; embeddings are kept in the folder `work`."""
        if work is not None:
            return self._run_in(work)
        with tempfile.TemporaryDirectory(prefix="auricle-near-") as folder:
            return self._run_in(Path(folder))

    def _run_in(self, work: Path) -> list[NearDuplicate]:
        return self.among(*self._embedded(work))

    def among(self, rows: Sequence[int], vectors: Vectors) -> list[NearDuplicate]:
        """All pairs that are the same recording, among rows of the manifest whose embeddings are there already.

        Parameters
        ----------
        rows
            Of the manifest.
        vectors
            ``(len(rows), dim)``, by one encoder.
        """
        few = len(rows) * (len(rows) - 1) // 2 <= min(FEW_PAIRS, self._most)
        pairs = near_pairs(
            whitened(vectors),
            threshold=-2.0 if few else CANDIDATE_COSINE,
            sides=self._numbered_sides(rows),
            most=self._most,
            report=lambda share: self._tell("comparing embeddings", share),
        )
        self.unmatched = pairs.found - len(pairs)
        found = []
        # One after the other by the first clip, whose partners have partners in common.
        order = np.lexsort((pairs.second, pairs.first))
        for done, index in enumerate(order):
            self._tell("comparing clips", done / len(order))
            first, second = rows[pairs.first[index]], rows[pairs.second[index]]
            if min(first, second) >= self._asked or self._are_known(first, second):
                continue
            lag, spectrum = overlaid(*(self._spectrograms.of(row).astype(np.float64) for row in (first, second)))
            if spectrum < SPECTRUM:
                continue
            match = self._aligner.match_at(lag, spectrum, *(self._waveforms.of(row) for row in (first, second)))
            if match.is_same:
                found.append(NearDuplicate(first, second, match))
        return sorted(found, key=lambda pair: (-pair.match.waveform, pair.first, pair.second))

    def _numbered_sides(self, rows: Sequence[int]) -> Any:
        if self._sides is None:
            return None
        numbers = {side: number for number, side in enumerate(dict.fromkeys(self._sides))}
        return np.array([numbers[self._sides[row]] for row in rows], dtype=np.int64)

    def _are_known(self, first: int, second: int) -> bool:
        """Whether two clips are of the same bytes, or of one file, which is found otherwise."""
        if self._paths[first] == self._paths[second]:
            return True
        contents = self._contents
        return contents is not None and contents[first] is not None and contents[first] == contents[second]

    def _embedded(self, work: Path) -> tuple[list[int], Vectors]:
        """Rows of the manifest that could be read, and their embeddings."""
        names = [name for name in ("path", "start", "end") if self._manifest.has(name)]
        table = self._manifest.table.select(names).append_column("row", pa.array(range(len(self._manifest))))
        clips = Manifest(table, self._manifest.root, self._manifest.source)
        out = work / f"prints-{fingerprint_of_sound(clips)[:12]}-{self._encoder.weights_fingerprint}.parquet"

        def embedding(now: EmbedProgress) -> None:
            self._tell("embedding", now.done / now.clips)

        summary = embed_manifest(self._encoder, clips, out=out, workers=self._workers, progress=embedding)
        self.unread = summary.rejected
        rejected_path(out).unlink(missing_ok=True)
        table, vectors = read_embeddings(out)
        return table.column("row").to_pylist(), vectors

    def _spectrogram(self, row: int) -> NDArray[np.float32]:
        return self._aligner.spectrogram(self._waveforms.of(row)).astype(np.float32)

    def _read(self, row: int) -> Waveform:
        start, end = self._starts[row] or 0.0, self._ends[row]
        seconds = MATCHED_SECONDS if end is None else min(MATCHED_SECONDS, end - start)
        path = self._manifest.root / self._paths[row]
        return audio.read(path, sample_rate=self._aligner.sample_rate, offset=start, duration=seconds)

    def _tell(self, what: str, share: float) -> None:
        if self._report is not None:
            self._report(what, share)
