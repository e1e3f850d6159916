"""The command that makes a map to click and listen to."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def draw_map(
    embeddings: Annotated[Path, typer.Argument(help="What `auricle embed` wrote: FILE.parquet.")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.html.")],
    projection: Annotated[
        Literal["tsne", "umap", "pca"], typer.Option(help="How embeddings become two dimensions.")
    ] = "tsne",
    colour: Annotated[
        str | None, typer.Option(help="Column to colour by at first; by default `label`, else the first.")
    ] = None,
    clips: Annotated[int | None, typer.Option(help="Draw only so many, at random.")] = None,
    audio_budget: Annotated[
        float, typer.Option(help="MB of sound inside the file; what does not fit is played from its own file.")
    ] = 50.0,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Whether clips can be heard.")] = True,
    root: Annotated[
        Path | None, typer.Option(help="Folder that paths start from, when it is elsewhere by now.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="By default the name of the embeddings file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the layout and of --clips.")] = 0,
) -> None:
    """Make a map to click and listen to, in one HTML file that needs no server: near means alike.

    `auricle map forest.parquet --out forest.html`

    `auricle map forest.parquet --colour folder --projection umap --audio-budget 20 --out umap.html`
    """
    from auricle import progress
    from auricle.explore.map_file import write_map

    with progress.TaskBar() as bar:
        summary = write_map(
            embeddings,
            out,
            method=projection,
            colour=colour,
            clips=clips,
            seed=seed,
            root=root,
            sound=sound,
            audio_budget=audio_budget,
            title=title,
            report=bar.search,
        )
    typer.echo(summary.as_text())
