"""The command that hands embeddings to other programs that draw them."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def project(
    embeddings: Annotated[Path, typer.Argument(help="What `auricle embed` wrote: FILE.parquet.")],
    out: Annotated[Path, typer.Option(help="FILE.parquet for embedding-atlas, a folder for tensorboard.")],
    program: Annotated[
        Literal["embedding-atlas", "tensorboard"], typer.Option("--for", help="The program that will draw.")
    ] = "embedding-atlas",
    projection: Annotated[
        Literal["tsne", "umap", "pca"],
        typer.Option(help="How embeddings become two dimensions; TensorBoard does that itself."),
    ] = "tsne",
    k: Annotated[int, typer.Option("-k", help="Nearest neighbours of each clip, for embedding-atlas.")] = 15,
    seed: Annotated[int, typer.Option(help="Of the layout.")] = 0,
) -> None:
    """Write embeddings for Embedding Atlas, in two dimensions with their neighbours, or for TensorBoard's projector.

    `auricle project forest.parquet --out atlas.parquet`

    `auricle project forest.parquet --for tensorboard --out runs/projector`
    """
    from auricle import progress
    from auricle.explore.exports import export

    with progress.TaskBar() as bar:
        said = export(embeddings, out, program=program, method=projection, k=k, seed=seed, report=bar.search)
    typer.echo(said)
