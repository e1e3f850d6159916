"""What a bulk embedding is asked for, checked and made definite before anything is decoded, wherever it will run."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pyarrow as pa

from auricle.embedding.file import EmbedSummary, Job, Share, finished
from auricle.embedding.parts import Parts, Position
from auricle.embedding.pools import Windows
from auricle.embedding.shares import Blocks, Shard, shard_path
from auricle.embedding.work import EmbedProgress, Writer
from auricle.errors import AuricleError, Interrupted
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder


@dataclass(frozen=True)
class Assignment:
    """What is to be embedded, checked, with all that decides the result.

    Attributes
    ----------
    job
        What the file says of itself.
    out
        The file: of a shard, its own.
    manifest
        The clips.
    carried
        Their columns, without those that embedding makes.
    windows
        How clips are cut.
    blocks
        In which clips are embedded each for itself.
    first, end
        The rows of the manifest that are asked for.
    """

    job: Job
    out: Path
    manifest: Manifest
    carried: pa.Table
    windows: Windows | None
    blocks: Blocks
    first: int
    end: int

    @classmethod
    def checked(
        cls,
        model: Encoder,
        manifest: Manifest,
        *,
        out: Path | str,
        window: float | None,
        hop: float | None,
        frames: bool,
        precision: str,
        names: Sequence[str] = (),
        apart: bool = False,
        shard: Shard | None = None,
    ) -> Self:
        """From the arguments of :func:`embed_manifest`."""
        out = Path(out)
        windows = Windows.checked(window, hop)
        if windows is not None and frames:
            raise AuricleError("give window or frames, not both: a row is either a window or a frame")
        if precision not in ("float32", "bfloat16"):
            raise AuricleError(f"precision is {precision!r}: expected float32 or bfloat16")
        job = Job(
            model=model.name,
            weights_fingerprint=model.weights_fingerprint,
            manifest_fingerprint=manifest.fingerprint,
            root=str(manifest.root.resolve()),
            window=None if windows is None else windows.window,
            hop=None if windows is None else windows.hop,
            frames=frames,
            precision=precision,
            sample_rate=model.sample_rate,
            embedding_dim=model.frame_dim if frames else model.embedding_dim,
            names=tuple(names),
            apart=apart,
            place=model.place,
        )
        own = ("start", "end", *job.columns)
        carried = manifest.table.drop_columns([name for name in own if manifest.has(name)]).combine_chunks()
        blocks = Blocks.of(manifest)
        first, end = 0, len(manifest)
        return cls(job, out, manifest, carried, windows, blocks, first, end)._of_shard(shard)

    def _of_shard(self, shard: Shard | None) -> Self:
        if shard is None or finished(self.out, self.job) is not None:  # what shards were joined into is complete
            return self
        first, end = self.blocks.share(shard)
        job = replace(self.job, share=Share(*shard, first, end))
        return replace(self, job=job, out=shard_path(self.out, shard), first=first, end=end)

    @contextlib.contextmanager
    def begun(self, progress: Callable[[EmbedProgress], None] | None) -> Iterator[tuple[Parts, Writer] | EmbedSummary]:
        """The parts of this job and what writes them, their folder being this process's own; or the finished file.

        Raises
        ------
        AuricleError
            When `out` or its parts are of another job or being written by another process.
        Interrupted
            With a sentence about what is done, for Ctrl-C that comes while it is being done.
        """
        parts = Parts(self.out, self.job, self.carried.schema, begin=Position(self.first))
        if (complete := finished(self.out, self.job)) is not None and not parts.folder.exists():
            yield complete
            return
        try:
            with parts:
                if (complete := finished(self.out, self.job)) is not None:  # killed before it could clean up
                    parts.discard()
                    yield complete
                    return
                writer = Writer(parts, self.manifest, self.carried, first=self.first, end=self.end, progress=progress)
                writer.report()
                yield parts, writer
        except KeyboardInterrupt:
            done = parts.position.row - self.first
            raise Interrupted(
                f"stopped after {done:,} of {self.end - self.first:,} clips; the same command goes on from there"
            ) from None
