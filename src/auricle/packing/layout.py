"""What lies where in a packed folder, and how sound is stored in it.

::

    pack.json         what was packed, and whether all of it is there
    index.arrow       one row per clip: where its samples are, and their checksum
    shards/00000.pcm  samples, 16 bits, 16 kHz, mono, clip after clip, with nothing between them
    rejected.csv      files that cannot be used, and why
    dropped.csv       clips that were left out because they are there already, or stand in a task's test part

A crop of a clip is one read of a few bytes at a place that the index tells. 16-bit files come through unchanged; what
lies beyond [-1, 1] is clipped, and counted in the index.
"""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.audio import Waveform
from auricle.clips import FULL_SCALE  # by which 16-bit files are read, too
from auricle.errors import AuricleError

SAMPLE_RATE = 16_000  # Hz
BYTES_PER_SAMPLE = 2
SHARD_BYTES = 1 << 30  # at which a shard is closed: 9.3 h
INDEX_BYTES = 160  # of a row of the index, about

INFO = "pack.json"
INDEX = "index.arrow"
REJECTED = "rejected.csv"
DROPPED = "dropped.csv"
FORMAT = "auricle-pack"
VERSION = 1

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # from the root that pack.json names
        ("start", pa.float64()),  # s, of the file
        ("end", pa.float64()),  # s, null for the file's end
        ("corpus", pa.string()),
        ("weight", pa.float64()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),  # samples from the shard's start
        ("samples", pa.int64()),
        ("clipped", pa.int64()),  # samples that were beyond [-1, 1]
        ("checksum", pa.binary(16)),  # BLAKE2b of the samples' bytes
    ]
)

Samples = NDArray[np.int16]


class PackError(AuricleError):
    """A packed folder that cannot be used; the sentence says what is wrong with it and what to do."""


def shard_name(number: int) -> str:
    """Name of a shard in its pack."""
    return f"shards/{number:05d}.pcm"


def part_name(number: int) -> str:
    """Name of a shard's part of the index, which is there until all shards are."""
    return f"parts/{number:05d}.arrow"


def to_samples(waveform: Waveform) -> tuple[Samples, int]:
    """A waveform ``(n,)`` as 16-bit samples, and how many of them had to be clipped."""
    scaled = np.rint(waveform * np.float32(FULL_SCALE))
    clipped = int(np.count_nonzero(np.abs(waveform) > 1.0))
    return scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype("<i2"), clipped


def checksum() -> Any:
    """A running checksum of samples' bytes; 16 bytes, so that equal ones mean equal sound."""
    return hashlib.blake2b(digest_size=16)
