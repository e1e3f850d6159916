"""The embeddings file: Parquet that anything reads, one row per clip, window or frame.

A row holds the manifest's columns, ``start`` and ``end`` (seconds) and ``embedding`` (a fixed-size list of float32).
The file's metadata says as plain text which model made it, and how; beside it ``FILE.rejected.csv`` names what could
not be embedded.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from auricle import __version__
from auricle.errors import AuricleError
from auricle.files import atomic_write

SUFFIX = ".parquet"
REJECTED_SUFFIX = ".rejected.csv"

_ABOUT_CONTENT = {  # what makes two jobs different, and how an error calls it
    "weights_fingerprint": "model",
    "manifest_fingerprint": "clips",
    "root": "root folder",
    "window": "window",
    "hop": "hop",
    "frames": "frames",
    "precision": "precision",
    "share": "share of the clips",
}
_INSIDE_A_RUN = ("model.safetensors", "config.json", "model")  # what is not said of an encoder's place


class Share(NamedTuple):
    """The rows of a manifest that a shard, the `number`-th of so many, holds: from `first` on, up to before `end`."""

    number: int
    of: int
    first: int
    end: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}, rows {self.first} to {self.end}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text."""
        return cls(*map(int, re.findall(r"\d+", text)))


@dataclass(frozen=True, kw_only=True)
class Job:
    """What decides the content of an embeddings file; its fields are the keys of the file's metadata.

    Attributes
    ----------
    model, weights_fingerprint
        The encoder.
    manifest_fingerprint, root
        The clips, and the folder that their paths start from.
    window, hop
        Seconds; None for one row per clip.
    frames
        Whether a row is a frame.
    precision
        ``float32`` or ``bfloat16``: what the encoder computed in. Embeddings are stored as float32.
    sample_rate
        Hz.
    embedding_dim
        Length of `embedding`.
    names
        What the entries of the vectors are called where they are scores of something and no embedding; their column is
        then ``scores``.
    apart
        Whether each name is a column of its own, in which values may be missing.
    share
        Of a shard, which one of how many, and its rows of the manifest; no key of files that hold everything.
    place
        Where the encoder was: a name, a hub id or a path; the same job may have found it elsewhere.
    """

    model: str
    weights_fingerprint: str
    manifest_fingerprint: str
    root: str
    window: float | None
    hop: float | None
    frames: bool
    precision: str
    sample_rate: int
    embedding_dim: int
    names: tuple[str, ...] = ()
    apart: bool = False
    share: Share | None = None
    place: str = ""

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> Self:
        """The job whose :meth:`metadata` this is.

        Raises
        ------
        KeyError, ValueError
            When it is of something else.
        """
        window, hop = (float(metadata[name]) if metadata[name] else None for name in ("window", "hop"))
        return cls(
            model=metadata["model"],
            weights_fingerprint=metadata["weights_fingerprint"],
            manifest_fingerprint=metadata["manifest_fingerprint"],
            root=metadata["root"],
            window=window,
            hop=hop,
            frames=metadata["frames"] == "true",
            precision=metadata["precision"],
            sample_rate=int(metadata["sample_rate"]),
            embedding_dim=int(metadata["embedding_dim"]),
            names=tuple(json.loads(metadata["names"])) if metadata["names"] else (),
            apart=metadata["apart"] == "true",
            share=Share.parse(metadata["share"]) if "share" in metadata else None,
            place=metadata.get("place", ""),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns of what is computed are called: one of vectors, or one for each name."""
        if self.apart:
            return self.names
        return ("scores",) if self.names else ("embedding",)

    def fields(self) -> list[pa.Field]:
        """Those columns, of float32."""
        kind = pa.float32() if self.apart else pa.list_(pa.float32(), self.embedding_dim)
        return [pa.field(name, kind) for name in self.columns]

    def arrays(self, values: NDArray[np.float32]) -> list[pa.Array]:
        """Values ``(rows, embedding_dim)`` as those columns; a NaN of columns apart is missing."""
        if self.apart:
            return [pa.array(np.ascontiguousarray(column), from_pandas=True) for column in values.T]
        return [pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), self.embedding_dim)]

    def metadata(self) -> dict[str, str]:
        """All fields as text, empty where there is none; `frames` and `apart` are ``true`` or ``false``."""
        texts = {key: "" if value is None else str(value) for key, value in asdict(self).items()}
        texts["names"] = json.dumps(self.names, ensure_ascii=False) if self.names else ""
        flags = {"frames": str(self.frames).lower(), "apart": str(self.apart).lower()}
        if self.share is None:
            del texts["share"]
        return texts | flags | {"auricle_version": __version__}

    def difference(self, metadata: dict[str, str]) -> str | None:
        """What another file's metadata says otherwise, as a phrase; None when it is of the same job."""
        mine = {"share": ""} | self.metadata()
        for key, name in _ABOUT_CONTENT.items():
            theirs = metadata.get(key, "" if key == "share" else None)
            if theirs is None:
                return f"it does not say its {name}"
            if theirs != mine[key]:
                if key == "manifest_fingerprint":
                    return "its clips are not these"
                theirs, now = theirs or "none", mine[key] or "none"
                if key == "weights_fingerprint":
                    theirs, now = f"{encoder_name(metadata)} {theirs}", f"{encoder_name(mine)} {now}"
                return f"its {name} is {theirs}, not {now}"
        return None


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be embedded, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class EmbedSummary:
    """What an embeddings file holds.

    Attributes
    ----------
    path
        The file.
    rows
        Its embeddings.
    clips
        Rows of the manifest.
    seconds
        Of audio that was read.
    rejected
        Clips that could not be embedded; they are named in `rejected_path`.
    was_complete
        Whether the file was there already, so that there was nothing to do.
    """

    path: Path
    rows: int
    clips: int
    seconds: float
    rejected: int
    was_complete: bool = False

    @property
    def rejected_path(self) -> Path:
        """``FILE.rejected.csv``, which exists if anything was rejected."""
        return rejected_path(self.path)


def rejected_path(out: Path) -> Path:
    """The table of what could not be embedded into `out`."""
    return out.with_name(out.name.removesuffix(SUFFIX) + REJECTED_SUFFIX)


def read_embeddings(path: Path | str) -> tuple[pa.Table, NDArray[np.float32]]:
    """Read an embeddings file.

    Parameters
    ----------
    path
        Parquet with a column ``embedding``: lists of one length.

    Returns
    -------
    table
        All other columns, with the file's metadata in ``table.schema.metadata``.
    embeddings
        ``(rows, dim)`` float32.

    Raises
    ------
    AuricleError
        When the file is missing, no Parquet, or has no such column.
    """
    path = Path(path)
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if "embedding" not in names:
                raise AuricleError(f"{path} has no column `embedding`: expected what `auricle embed` writes")
            table = file.read([name for name in names if name != "embedding"])
            return table, _embeddings(file, path)
    except FileNotFoundError:
        raise AuricleError(f"{path} does not exist: expected an embeddings file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise AuricleError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _embeddings(file: pq.ParquetFile, path: Path) -> NDArray[np.float32]:
    """The column ``embedding``, filled in batch by batch: the file's copy and the result are never both whole."""
    found = np.empty((file.metadata.num_rows, 0), dtype=np.float32)
    row = 0
    for batch in batches(file, ["embedding"]):
        column = batch.column(0)
        dims = pc.unique(pc.list_value_length(column)).to_pylist()
        if row == 0 and dims != [None]:
            found = np.empty((len(found), dims[0]), dtype=np.float32)
        if dims != [found.shape[1]]:
            raise AuricleError(f"{path}: column `embedding` holds lists of different lengths")
        found[row : row + len(column)] = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        row += len(column)
    return found


def batches(file: pq.ParquetFile, columns: list[str] | None = None, *, rows: int = 1 << 16) -> Iterator[pa.RecordBatch]:
    """All rows of some columns, else of all, in order, at most `rows` at a time; no more than a row group is held.

    An iterator over the whole file keeps all that it has read, and reads all of it for the first row.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, row_groups=[group], columns=columns)


def finished(out: Path, job: Job) -> EmbedSummary | None:
    """What is in `out` when it was made by this very job; None when there is no such file.

    Raises
    ------
    AuricleError
        When `out` is something else, which must not be overwritten.
    """
    if out.suffix != SUFFIX:
        raise AuricleError(f"the output is Parquet: give a file that ends in {SUFFIX}, not {out}")
    if not out.exists():
        return None
    try:
        metadata = metadata_of(out)
    except (pa.ArrowInvalid, OSError) as error:
        raise AuricleError(f"{out} exists and is no embeddings file; choose another output") from error
    different = job.difference(metadata)
    if different is not None:
        raise AuricleError(f"{out} is of another job ({different}); delete it or choose another output")
    return summary_of(out, metadata, was_complete=True)


def summary_of(out: Path, metadata: dict[str, str], *, was_complete: bool) -> EmbedSummary:
    """What the metadata of the finished file `out` says."""
    rows, clips, rejected = (int(metadata[key]) for key in ("rows", "clips", "rejected"))
    return EmbedSummary(out, rows, clips, float(metadata["seconds"]), rejected, was_complete)


def metadata_of(path: Path) -> dict[str, str]:
    """The plain text that a Parquet file carries."""
    pairs = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in pairs.items() if key != b"ARROW:schema"}


def encoder_name(metadata: dict[str, str]) -> str | None:
    """What its user calls the encoder of a file with this metadata; None where the file does not say.

    Of a folder or file of one's own the end of its path, for what is in it bears the name of its recipe, as the random
    weights do; of a hub its id.
    """
    place, name = metadata.get("place"), metadata.get("model")
    if not place or "=" in place:
        return name or None
    if not Path(place).is_absolute():
        return place.removeprefix("hf:")
    parts = Path(place).parts[1:]
    for inside in _INSIDE_A_RUN:
        if len(parts) > 1 and parts[-1] == inside:
            parts = parts[:-1]
    return "/".join(parts[-2:])


def read_rejected(path: Path) -> list[Rejected]:
    """What :func:`write_rejected` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Rejected(**row) for row in csv.DictReader(file)]


def write_rejected(rejected: Sequence[Rejected], path: Path) -> None:
    """Write a table of what cannot be used: path, reason."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason"])
        writer.writerows([entry.path, entry.reason] for entry in rejected)
