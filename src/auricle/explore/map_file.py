"""From an embeddings file to a map in one HTML file: two dimensions, neighbours, outliers, columns, sound.

Neighbours and outliers are found exactly, at the embeddings' own dimension, each of which is centred and scaled
(:mod:`auricle.neighbours`); the picture in two dimensions only lays the clips out.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle import projection
from auricle.embedding.file import encoder_name
from auricle.errors import AuricleError
from auricle.explore.columns import Column, Numbers, columns_of
from auricle.explore.embedded import Embedded
from auricle.explore.excerpts import Excerpts, excerpts
from auricle.explore.html_map import SoundMap, map_page
from auricle.explore.outliers import NEIGHBOURS, distances
from auricle.files import atomic_write, in_units
from auricle.neighbours import nearest, scaled
from auricle.randomness import generator

OUTLIERS = 100  # that are listed
MOST_CLIPS = 100_000  # of one map: a page of more is slow to open and its picture a blot
AUDIO_MEGABYTES = 50.0
_UNSHOWN = ("path", "start", "end")  # every clip's name and stretch are said in places of their own
_UNLIKE = "distance from those like it"
_NAMES = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class MapSummary:
    """What a map holds.

    Attributes
    ----------
    path
        The HTML file, and its ``size`` in bytes.
    clips
        Points.
    inside, linked
        Clips whose sound is in the file, and such as are played from their own files.
    seconds
        What no sound inside is longer than.
    silent
        Rows, of the map, that cannot be heard: their files are not there, or cannot be read.
    example
        The file of the first of these.
    """

    path: Path
    size: int
    clips: int
    inside: int
    linked: int
    seconds: float
    silent: int
    example: Path | None

    def as_text(self) -> str:
        """One line; a second one when something cannot be heard."""
        parts = [f"{self.path}: {self.clips:,} clips", in_units(self.size)]
        if self.inside:
            parts.append(f"{self.inside:,} sounds inside, up to {self.seconds:g} s each")
        if self.linked:
            parts.append(f"{self.linked:,} played from their files, whose place beside the map must stay")
        lines = [" · ".join(parts)]
        if self.silent:
            clips = "1 clip" if self.silent == 1 else f"{self.silent:,} clips"
            lines.append(f"{clips} cannot be heard: no readable file {self.example}")
        return "\n".join(lines)


def write_map(
    embeddings: Path | str,
    out: Path | str,
    *,
    method: projection.Method = "tsne",
    colour: str | None = None,
    clips: int | None = None,
    seed: int = 0,
    root: Path | None = None,
    sound: bool = True,
    audio_budget: float = AUDIO_MEGABYTES,
    title: str | None = None,
    report: Report | None = None,
) -> MapSummary:
    """Write a map of an embeddings file, all or nothing.

    Parameters
    ----------
    embeddings
        What ``auricle embed`` writes, or any Parquet with columns ``path`` and ``embedding``.
    out
        ``FILE.html``.
    method
        How embeddings become two dimensions.
    colour
        The column that the map is coloured by when it opens; any other can be chosen there. By default ``label``, else
        the first.
    clips
        Only so many, drawn at random; all by default.
    seed
        Of that draw and of the layout.
    root
        Folder that paths start from; by default the one that the file names, else the file's own.
    sound
        Whether clips can be heard.
    audio_budget
        MB of sound inside the page; a clip that does not fit is played from its own file.
    title
        By default the name of the embeddings file.
    report
        Is told what is being done, and the share of it that is.

    Raises
    ------
    AuricleError
        When the file is none of embeddings, has too few or too many rows or such as are not finite, when no sound
        file is where it should be, or when there is no such column.
    """
    embeddings, out = Path(embeddings), Path(out)
    tell = report or _silence
    if out.suffix.lower() not in (".html", ".htm"):
        raise AuricleError(f"a map is one HTML file: give --out FILE.html, not {out}")
    if not audio_budget >= 0:
        raise AuricleError(f"the audio budget must be 0 MB or more, got {audio_budget:g}")
    embedded = Embedded.open(embeddings)
    rows = _rows(embedded, clips, seed)
    table, folder = embedded.clips(rows), embedded.root(root)
    heard = _Heard.find(table, folder, out) if sound else None
    columns = _columns(table, colour, embeddings)
    paths = table.column("path").to_pylist()
    vectors = _vectors(embedded, rows)
    near = nearest(scaled(vectors), NEIGHBOURS, report=partial(tell, "comparing"))
    unlike = distances(near)
    laying = f"laying out by {_NAMES[method]}"
    tell(laying, 0.0)
    points = projection.project(vectors, method=method, seed=seed, report=partial(tell, laying))
    tell(laying, 1.0)
    found = None if heard is None else heard.excerpts(round(audio_budget * 1e6), tell)
    links = None if heard is None or found is None else heard.links(found)
    shown = SoundMap(
        identity="map",
        title=title or f"Map of {embeddings.stem}",
        points=points,
        names=paths,
        columns=[*columns, Numbers(_UNLIKE, unlike, float(unlike.min()), float(unlike.max()))],
        sounds=found,
        links=links,
        starts=_seconds(table, "start"),
        ends=_seconds(table, "end"),
        nearest=near,
        outliers=np.argsort(-unlike, kind="stable")[:OUTLIERS].tolist(),
        distances=unlike,
        paths=paths,
        root=str(folder.resolve()),
    )
    with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map_page(shown, subtitle=_subtitle(shown, embedded.metadata, method, found, links, seed)))
    silent = [] if heard is None or found is None or links is None else heard.silent(found, links)
    return MapSummary(
        out,
        out.stat().st_size,
        len(shown),
        0 if found is None else found.heard,
        sum(link is not None for link in links or ()),
        0.0 if found is None else found.seconds,
        len(silent),
        heard.files[silent[0]] if heard is not None and silent else None,
    )


def _silence(_what: str, _share: float) -> None:
    """Tell nobody."""


def _rows(embedded: Embedded, clips: int | None, seed: int) -> NDArray[np.int64]:
    """The rows that are drawn."""
    fewest = projection.FEWEST_CLIPS
    if clips is not None and clips < fewest:
        raise AuricleError(f"a map needs at least {fewest} clips, got --clips {clips}")
    if embedded.rows < fewest:
        holds = "1 row" if embedded.rows == 1 else f"{embedded.rows} rows"
        raise AuricleError(f"{embedded.path} has {holds}: a map needs at least {fewest} clips")
    if not embedded.dim:
        raise AuricleError(f"{embedded.path}: its embeddings have no dimensions")
    drawn = embedded.rows if clips is None else min(embedded.rows, clips)
    if drawn > MOST_CLIPS:
        raise AuricleError(
            f"{embedded.path} has {embedded.rows:,} rows, but a map holds at most {MOST_CLIPS:,} clips: give --clips "
            f"{MOST_CLIPS // 2} to draw so many at random"
        )
    return np.sort(generator(seed, "map clips").permutation(embedded.rows)[:drawn])


def _vectors(embedded: Embedded, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The embeddings of some rows, in ascending order; the others are not held."""
    out = np.empty((len(rows), embedded.dim), dtype=np.float32)
    start = 0
    for block in embedded.blocks():
        low, high = np.searchsorted(rows, [start, start + len(block)])
        out[low:high] = block[rows[low:high] - start]
        start += len(block)
    return out


def _columns(table: pa.Table, colour: str | None, source: Path) -> list[Column]:
    """What can be coloured by, the wanted column first."""
    columns = columns_of(table, without=_UNSHOWN)
    folders = [Path(path).parent.as_posix() for path in table.column("path").to_pylist()]
    if len(set(folders)) > 1 and all(column.name != "folder" for column in columns):
        columns += columns_of(pa.table({"folder": folders}))
    names = [column.name for column in columns]
    if colour is not None and colour not in names:
        raise AuricleError(f"{source} has no column `{colour}` to colour by; it has {', '.join(names) or 'none'}")
    first = names.index(colour or "label") if (colour or "label") in names else 0
    if not columns:
        return []
    return [columns[first], *columns[:first], *columns[first + 1 :]]


def _seconds(table: pa.Table, name: str) -> Sequence[float | None] | None:
    if name not in table.column_names:
        return None
    values: list[float | None] = table.column(name).cast(pa.float64()).to_pylist()
    return values


def _subtitle(
    shown: SoundMap,
    metadata: dict[str, str],
    method: str,
    found: Excerpts | None,
    links: Sequence[str | None] | None,
    seed: int,
) -> str:
    model = f" as {name} hears them" if (name := encoder_name(metadata)) else ""
    layout = f"{_NAMES[method]}, seed {seed}: near means alike, axes mean nothing"
    if method == "pca":
        layout = "the first two principal components, left to right and bottom to top"
    said = [f"{len(shown):,} clips{model}", layout]
    if found is not None and found.heard:
        said.append(f"up to {found.seconds:g} s of {found.heard:,} clips inside")
    linked = sum(link is not None for link in links or ())
    if linked:
        said.append(f"{linked:,} played from their files")
    return " · ".join(said)


@dataclass(frozen=True)
class _Heard:
    """The sound files of the clips."""

    files: list[Path]
    starts: Sequence[float | None] | None
    ends: Sequence[float | None] | None
    there: list[bool]
    out: Path

    @classmethod
    def find(cls, table: pa.Table, root: Path, out: Path) -> "_Heard":
        paths = table.column("path").to_pylist()
        is_file = {path: (root / path).is_file() for path in dict.fromkeys(paths)}
        if not any(is_file.values()):
            raise AuricleError(
                f"none of the {len(is_file):,} sound files is there (the first is {root / paths[0]}): give --root, the "
                "folder that their paths start from, or --no-sound"
            )
        files, there = [root / path for path in paths], [is_file[path] for path in paths]
        return cls(files, _seconds(table, "start"), _seconds(table, "end"), there, out)

    def excerpts(self, budget: int, tell: Report) -> Excerpts:
        """Of the files that are there."""
        return excerpts(
            self.files,
            starts=self.starts,
            ends=self.ends,
            budget=budget,
            report=lambda share: tell("encoding sound", share),
        )

    def links(self, found: Excerpts) -> list[str | None]:
        """To the files of clips that have no excerpt, and can be read as far as is known."""
        unreadable = set(found.unreadable)
        return [
            self._link(row) if there and found.sounds[row] is None and row not in unreadable else None
            for row, there in enumerate(self.there)
        ]

    def silent(self, found: Excerpts, links: Sequence[str | None]) -> list[int]:
        """Rows that cannot be heard."""
        return [row for row, link in enumerate(links) if link is None and found.sounds[row] is None]

    def _link(self, row: int) -> str:
        file = self.files[row].resolve()
        try:
            relative = os.path.relpath(file, self.out.resolve().parent)
        except ValueError:  # on another drive of Windows
            return file.as_uri()
        return quote(Path(relative).as_posix())
