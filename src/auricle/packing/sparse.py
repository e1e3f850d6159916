"""A pack of silence that takes no room on the disk: its shards are holes.

It stands in for corpora of thousands of hours where what counts is their number of clips: the memory that training
takes, the order in which it draws, the time that an index takes to open. Whoever needs sound writes it where the index
says that a clip lies.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from auricle.packing.layout import (
    BYTES_PER_SAMPLE,
    FORMAT,
    INDEX,
    INFO,
    SAMPLE_RATE,
    SCHEMA,
    SHARD_BYTES,
    VERSION,
    shard_name,
)

CLIP_SAMPLES = 10 * SAMPLE_RATE
CLIPS_PER_SHARD = SHARD_BYTES // (CLIP_SAMPLES * BYTES_PER_SAMPLE)


def write_sparse_pack(folder: Path, *, hours: float) -> None:
    """Write a pack of clips of 10 s, all of them silent.

    Parameters
    ----------
    folder
        Of the pack; it must not be there.
    hours
        Of all clips.
    """
    clips = round(hours * 3600 * SAMPLE_RATE / CLIP_SAMPLES)
    number = np.arange(clips)
    shards = number // CLIPS_PER_SHARD
    sizes = (np.bincount(shards) * CLIP_SAMPLES * BYTES_PER_SAMPLE).tolist()
    (folder / "shards").mkdir(parents=True)
    for shard, size in enumerate(sizes):
        with (folder / shard_name(shard)).open("wb") as file:
            file.truncate(size)
    columns = {
        "path": pa.array([f"{clip:07d}.flac" for clip in number]),
        "start": pa.array(np.zeros(clips)),
        "end": pa.nulls(clips, pa.float64()),
        "corpus": pa.array(["silence"] * clips),
        "weight": pa.array(np.ones(clips)),
        "shard": pa.array(shards.astype(np.int32)),
        "offset": pa.array((number % CLIPS_PER_SHARD) * CLIP_SAMPLES),
        "samples": pa.array(np.full(clips, CLIP_SAMPLES)),
        "clipped": pa.array(np.zeros(clips, dtype=np.int64)),
        "checksum": pa.array([bytes(16)] * clips, pa.binary(16)),
    }
    with pa.ipc.new_file(folder / INDEX, SCHEMA) as writer:
        writer.write_table(pa.table(columns, schema=SCHEMA))
    info = {
        "format": FORMAT,
        "version": VERSION,
        "complete": True,
        "root": "/",
        "clips": clips,
        "shards": sizes,
        "files": clips,
    }
    (folder / INFO).write_text(json.dumps(info))
