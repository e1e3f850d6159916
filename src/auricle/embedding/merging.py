"""From the shards of array jobs to the file that one job would have written: the same rows, order and values."""

import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding.file import (
    SUFFIX,
    EmbedSummary,
    Job,
    finished,
    metadata_of,
    read_rejected,
    rejected_path,
    summary_of,
)
from auricle.embedding.joining import join
from auricle.embedding.shares import Shard, shard_path, shards_folder
from auricle.errors import AuricleError
from auricle.files import FolderLock

_NAME = re.compile(rf"(\d+)-of-(\d+){re.escape(SUFFIX)}")
_NAMED = 8  # missing shards that an error names


def merge_shards(out: Path | str) -> EmbedSummary:
    """Join the shards of a file into it, and remove them.

    Parameters
    ----------
    out
        The file that every shard was to be a share of.

    Returns
    -------
    EmbedSummary
        As of the undivided job.

    Raises
    ------
    AuricleError
        When shards are missing, or are not of one job, or cover the clips twice or not at all; when another process
        joins them; when every clip was rejected; when the disk cannot hold the file beside them; when `out` is there
        already and is of another job.
    """
    out = Path(out)
    folder = shards_folder(out)
    if not folder.is_dir() and out.exists():
        return _complete(out)
    if not folder.is_dir():
        raise AuricleError(f"{out} has no shards: expected {folder}, which `auricle embed … --shard 1/N` makes")
    with FolderLock(folder):
        shards = _all_shards(folder, out)
        found = [_metadata(path) for path in shards]
        jobs = [job for job, _ in found]
        job = replace(jobs[0], share=None)
        for path, other in zip(shards[1:], jobs[1:], strict=True):
            different = job.difference(replace(other, share=None).metadata())
            if different is not None:
                raise AuricleError(
                    f"{path} is of another job than {shards[0]} ({different}); delete the wrong one and run it again"
                )
        _refuse_gaps(shards, jobs)
        if (complete := finished(out, job)) is None:
            summaries = [
                summary_of(path, text, was_complete=False) for path, (_, text) in zip(shards, found, strict=True)
            ]
            summary = join(
                shards,
                out,
                job=job,
                schema=pq.read_schema(shards[0]).remove_metadata(),
                folder=folder,
                clips=sum(shard.clips for shard in summaries),
                seconds=sum(shard.seconds for shard in summaries),
                rejected=[
                    entry for shard in summaries if shard.rejected for entry in read_rejected(shard.rejected_path)
                ],
            )
        else:
            summary = complete  # killed before it could clean up
        for path in shards:
            path.unlink()
            rejected_path(path).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return summary


def _complete(out: Path) -> EmbedSummary:
    job, metadata = _metadata(out)
    finished(out, job)
    return summary_of(out, metadata, was_complete=True)


def _all_shards(folder: Path, out: Path) -> list[Path]:
    """The shards of `out` in order, none missing."""
    numbers = defaultdict(set)
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            numbers[int(match[2])].add(int(match[1]))
    begun = [path.name.removesuffix(".parts") for path in folder.glob(f"*-of-*{SUFFIX}.parts")]
    if not numbers:
        of = next((match[2] for name in begun if (match := _NAME.fullmatch(name))), "N")
        raise AuricleError(f"none of the {of} shards of {out} is finished; run `auricle embed … --shard 1/{of}` first")
    if len(numbers) > 1:
        counts = " and ".join(str(of) for of in sorted(numbers))
        raise AuricleError(f"{folder} holds shards of {counts}: delete those that are not wanted")
    [(of, there)] = numbers.items()
    if missing := [number for number in range(1, of + 1) if number not in there]:
        names = ", ".join(f"{number}/{of}" for number in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise AuricleError(
            f"{len(missing)} of the {of} shards of {out} {'is' if len(missing) == 1 else 'are'} not finished: "
            f"run `auricle embed … --shard` with {names}{more} first"
        )
    return [shard_path(out, Shard(number, of)) for number in range(1, of + 1)]


def _metadata(path: Path) -> tuple[Job, dict[str, str]]:
    try:
        metadata = metadata_of(path)
        return Job.from_metadata(metadata), metadata
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        raise AuricleError(f"{path} is no embeddings file, or damaged; delete it and run its job again") from error


def _refuse_gaps(shards: list[Path], jobs: list[Job]) -> None:
    for (path, one), (other_path, other) in pairwise(zip(shards, jobs, strict=True)):
        if one.share is None or other.share is None or one.share.end != other.share.first:
            raise AuricleError(
                f"{path} ends where {other_path} does not begin: files changed between their jobs; "
                "delete both, and run all jobs again"
            )
