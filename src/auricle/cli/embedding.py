"""The commands that make one vector per clip: of an encoder, or of acoustic descriptors."""

from pathlib import Path
from typing import Annotated, Any

import typer


def embed(
    model: Annotated[str, typer.Argument(help="A name of `auricle models`, a model's or run's folder, or a hub id.")],
    inputs: Annotated[list[Path], typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.parquet.")],
    window: Annotated[float | None, typer.Option(help="One row per window of so many seconds.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default the window.")
    ] = None,
    frames: Annotated[bool, typer.Option("--frames", help="One row per frame.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    shard: Annotated[
        str | None, typer.Option(help="Embed this share only, I/N, for array jobs; then `auricle merge`.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Embed on a Ray cluster: HOST:PORT, auto for the one here, or local.")
    ] = None,
) -> None:
    """Embed sound into one Parquet file; the same command goes on where a stopped one was.

    `auricle embed byola-2022 /field --out forest.parquet`

    `auricle embed runs/forest/model labels.csv --window 5 --hop 2.5 --out windows.parquet`

    `auricle embed byola-2022 /field --out forest.parquet --shard $SLURM_ARRAY_TASK_ID/8`

    `auricle embed byola-2022 /field --out forest.parquet --ray auto`
    """
    from auricle import progress
    from auricle.embedding import choose_device, embed_manifest
    from auricle.embedding.on_ray import embed_on_ray
    from auricle.embedding.shares import Shard
    from auricle.inputs import manifest_of
    from auricle.models.registry import load
    from auricle.training import keep_freed_memory

    share = None if shard is None else Shard.parse(shard)
    manifest = manifest_of(inputs)
    keep_freed_memory()
    with progress.EmbeddingBar() as bar:
        options: dict[str, Any] = {
            "out": out,
            "window": window,
            "hop": hop,
            "frames": frames,
            "workers": workers,
            "precision": precision,
            "shard": share,
            "progress": bar,
        }
        if ray is None:
            summary = embed_manifest(load(model).to(choose_device(device)), manifest, **options)
        else:
            summary = embed_on_ray(load(model), manifest, address=ray, device=device, **options)
    typer.echo(progress.embedding_summary(summary))


def merge(
    out: Annotated[Path, typer.Argument(help="The file that all jobs were told to write: FILE.parquet.")],
) -> None:
    """Join the shards that array jobs made with `auricle embed --shard` into the file that one job would have made.

    `auricle merge forest.parquet`
    """
    from auricle import progress
    from auricle.embedding.merging import merge_shards

    typer.echo(progress.embedding_summary(merge_shards(out)))


def describe(
    inputs: Annotated[list[Path], typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.parquet.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A descriptor, family or column that is wanted; may be repeated.")
    ] = None,
    window: Annotated[float | None, typer.Option(help="One row per window of so many seconds.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default the window.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Describe sound by level, pitch, brightness and more; the same command goes on where a stopped one was.

    `auricle describe /field --out forest.parquet`

    `auricle describe labels.csv --only level --only f0_median --window 1 --out windows.parquet`
    """
    from auricle import progress
    from auricle.embedding import choose_device
    from auricle.explain.describe import describe_manifest
    from auricle.inputs import manifest_of
    from auricle.training import keep_freed_memory

    manifest = manifest_of(inputs)
    keep_freed_memory()
    with progress.EmbeddingBar("describing") as bar:
        summary = describe_manifest(
            manifest,
            out=out,
            names=only,
            window=window,
            hop=hop,
            workers=workers,
            device=choose_device(device),
            progress=bar,
        )
    typer.echo(progress.embedding_summary(summary, "descriptions"))
