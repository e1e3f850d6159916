"""Short excerpts of annotated recordings, cut film by film and never all in one table.

Ogg (2025) cuts every annotation of AVA-Speech into clips of one second whose starts are 10 ms apart, and caps them for
each film: millions of clips, of which this module holds one film's starts at a time. They are numbered film after film,
and whoever needs some of them asks by number. Which clips a cap keeps is drawn by (seed, film, label), so it does not
depend on which films are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.randomness import generator

_TOLERANCE = 1e-6  # s: annotations have two decimals, which float64 holds to far less than this


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How excerpts are cut from annotated segments.

    Attributes
    ----------
    seconds : float
        Length of an excerpt; each lies wholly inside one segment.
    hop : float
        Between the starts of two excerpts of a segment, in seconds.
    train_clips : int
        At most so many of each label of each training film.
    scored_clips : int
        At most so many of each film of the other splits.
    """

    seconds: float = 1.0
    hop: float = 0.01
    train_clips: int = 10_000
    scored_clips: int = 90_000

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.hop > 0 and self.train_clips > 0 and self.scored_clips > 0):
            raise AuricleError(
                f"excerpts need a length, a hop and caps above 0, got {self.seconds:g} s every {self.hop:g} s, "
                f"{self.train_clips} and {self.scored_clips} of a film"
            )


@dataclass(frozen=True, eq=False)
class FilmWindows:
    """The excerpts of one film.

    Attributes
    ----------
    path : str
        Its file, relative to the manifest's root.
    film, split : str
        What it is called, and which part of the task it belongs to.
    starts : NDArray
        float64 ``(n,)``, seconds from the start of the file, ascending within each segment.
    rows : NDArray
        int64 ``(n,)``: row of the manifest whose segment holds the excerpt.
    """

    path: str
    film: str
    split: str
    starts: NDArray[np.float64]
    rows: NDArray[np.int64]


class WindowedTask:
    """Excerpts of the segments of a manifest, film by film.

    Parameters
    ----------
    manifest
        One row per annotated segment: ``path``, ``start``, ``end``, ``label``, ``split`` and ``cluster``, which is the
        film. A film is one file.
    windows
        How to cut.
    seed
        Of the draws that the caps need.
    """

    def __init__(self, manifest: Manifest, windows: Windows = Windows(), *, seed: int = 0) -> None:
        self.manifest = manifest
        self.windows = windows
        self.seed = seed
        self._labels = manifest.column("label")
        self._paths = manifest.column("path")
        self._starts = np.array(manifest.column("start"), dtype=np.float64)
        lengths = np.array(manifest.column("end"), dtype=np.float64) - self._starts
        fitting = np.floor((lengths - windows.seconds) / windows.hop + _TOLERANCE / windows.hop).astype(np.int64) + 1
        self._counts = np.maximum(fitting, 0)
        self._splits = manifest.column("split")
        self._rows_of: dict[str, list[int]] = {}
        for row, film in enumerate(manifest.column("cluster")):
            self._rows_of.setdefault(film, []).append(row)

    @property
    def films(self) -> list[str]:
        """Names of all films, in the order of their first rows."""
        return list(self._rows_of)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of excerpts of each film, after the caps."""
        return {
            name: sum(min(int(self._counts[rows].sum()), cap) for rows, _, cap in self._shares(name))
            for name in self._rows_of
        }

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """``(n,)``: row of the manifest whose segment holds each excerpt; four bytes are all that is kept of one."""
        found = np.empty(len(self), dtype=np.int32)
        for film, first in zip(self, self._firsts, strict=True):
            found[first : first + len(film.rows)] = film.rows
        return found

    @cached_property
    def counts(self) -> dict[tuple[str, str], int]:
        """Number of excerpts by (split, label), after the caps."""
        counts: dict[tuple[str, str], int] = {}
        for film in self:
            for label, count in zip(
                *np.unique([self._labels[row] for row in film.rows], return_counts=True), strict=True
            ):
                key = (film.split, str(label))
                counts[key] = counts.get(key, 0) + int(count)
        return counts

    def __len__(self) -> int:
        return sum(self.sizes.values())

    def __iter__(self) -> Iterator[FilmWindows]:
        return (self.film(name) for name in self._rows_of)

    def film(self, name: str) -> FilmWindows:
        """The excerpts of one film.

        Raises
        ------
        AuricleError
            When there is no such film.
        """
        if name not in self._rows_of:
            raise AuricleError(f"{self.manifest.source} has no film {name}; it has {', '.join(self._rows_of)}")
        parts = [self._drawn(*share) for share in self._shares(name)]
        of_row, number = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((number, of_row))
        of_row, number = of_row[order], number[order]
        starts = np.round(self._starts[of_row] + number * self.windows.hop, 6)
        first = self._rows_of[name][0]
        return FilmWindows(self._paths[first], name, self._splits[first], starts, of_row)

    def numbers(self, name: str) -> NDArray[np.int64]:
        """Numbers of the excerpts of a film."""
        first = self._firsts[self.films.index(name)]
        return np.arange(first, first + self.sizes[name])

    def has(self, other: "WindowedTask", name: str) -> bool:
        """Whether a film of another task is here too, with the same excerpts in the same order."""
        if name not in self._rows_of or self.sizes[name] != other.sizes[name]:
            return False
        mine, yours = self.film(name), other.film(name)
        files = self.manifest.root / mine.path, other.manifest.root / yours.path
        same_length = self.windows.seconds == other.windows.seconds
        return files[0] == files[1] and same_length and np.array_equal(mine.starts, yours.starts)

    def starts(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Seconds at which some excerpts start, by their numbers ``(n,)``; film by film."""
        found = np.empty(len(numbers), dtype=np.float64)
        film_of = np.searchsorted(self._firsts, numbers, side="right") - 1
        for place, name in enumerate(self._rows_of):
            own = np.flatnonzero(film_of == place)
            if len(own):
                found[own] = self.film(name).starts[numbers[own] - self._firsts[place]]
        return found

    def select(self, numbers: NDArray[np.integer[Any]]) -> Manifest:
        """Some excerpts, by their numbers, as a manifest: their segments' rows with ``start`` and ``end`` of each."""
        starts = self.starts(numbers)
        cut = self.manifest.select(self.rows[numbers])
        ends = np.round(starts + self.windows.seconds, 6)
        return cut.with_column("start", starts.tolist()).with_column("end", ends.tolist())

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        """Number of the first excerpt of each film; that of the next one where a film has none."""
        sizes = np.array(list(self.sizes.values()), dtype=np.int64)
        return np.cumsum(sizes) - sizes

    def _shares(self, name: str) -> list[tuple[NDArray[np.int64], str, int]]:
        """The parts of a film that a cap is of: rows of the manifest, what the draw is called, and the cap."""
        rows = np.array(self._rows_of[name])
        if self._splits[rows[0]] != "train":
            return [(rows, name, self.windows.scored_clips)]
        labels = [self._labels[row] for row in rows]
        return [
            (rows[[mine == label for mine in labels]], f"{name}/{label}", self.windows.train_clips)
            for label in sorted(set(labels))
        ]

    def _drawn(self, rows: NDArray[np.int64], purpose: str, cap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, number within its segment) of at most `cap` excerpts of these rows."""
        counts = self._counts[rows]
        ends = np.cumsum(counts)
        total = int(ends[-1])
        places = np.arange(total)
        if total > cap:
            places = np.sort(generator(self.seed, f"windows/{purpose}").permutation(total)[:cap])
        segment = np.searchsorted(ends, places, side="right")
        return rows[segment], places - (ends - counts)[segment]
