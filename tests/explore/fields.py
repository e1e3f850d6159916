"""A small field of recordings whose places on a map are known: a row of tones, and one clip far from all others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

NASTY = ("<script>alert(1)<script>.wav", "<img src=x onerror=alert(2)>.wav", "quote\" and 'quote, & comma; #1?%20.wav")
SECONDS = 0.8
CLIPS = 24


@dataclass(frozen=True)
class Field:
    """An embeddings file.

    Attributes
    ----------
    file
        Parquet; embeddings have four dimensions, of which the first two hold nearly all that differs.
    folder
        Of the sounds.
    names
        Of the files.
    vectors
        ``(CLIPS, 4)``.
    odd
        The row that is like no other.
    """

    file: Path
    folder: Path
    names: list[str]
    vectors: np.ndarray
    odd: int


def ponds() -> list[str]:
    """Where each clip was recorded: two in every pond."""
    return [f"pond {number // 2}" for number in range(CLIPS)]


def make_field(folder: Path) -> Field:
    """Two kinds of twelve clips each: frogs on the left of the first dimension, birds on the right."""
    generator = np.random.default_rng(3)
    names = [*NASTY, *(f"clip {number:02d}.wav" for number in range(len(NASTY), CLIPS))]
    kinds = ["frog"] * (CLIPS // 2) + ["bird"] * (CLIPS // 2)
    sounds = folder / "sounds"
    sounds.mkdir()
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        hertz = (300 if kind == "frog" else 1500) + 10 * number
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(SECONDS * 16000)) / 16000)
        soundfile.write(sounds / name, tone + 0.01 * generator.standard_normal(len(tone)), 16000)
    side = np.where(np.array(kinds) == "frog", -10.0, 10.0)
    vectors = np.stack([side, 3 * generator.standard_normal(CLIPS), *generator.standard_normal((2, CLIPS))], axis=1)
    odd = CLIPS - 1
    vectors[odd] = [2.0, 0.0, 0.0, -25.0]
    table = pa.table(
        {
            "path": names,
            "start": np.zeros(CLIPS),
            "end": np.full(CLIPS, SECONDS),
            "label": kinds,
            "level": np.linspace(-60, 0, CLIPS),
            "fold": np.arange(CLIPS) % 3 + 1,
            "group": ponds(),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), 4),
        }
    ).replace_schema_metadata({"root": str(sounds), "model": "made by hand"})
    file = folder / "field.parquet"
    pq.write_table(table, file)
    return Field(file, sounds, names, vectors, odd)
