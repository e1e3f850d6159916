"""The commands that clean data: what is like nothing else, and what is there twice."""

from pathlib import Path
from typing import Annotated

import typer


def outliers(
    embeddings: Annotated[Path, typer.Argument(help="What `auricle embed` wrote: FILE.parquet.")],
    k: Annotated[int, typer.Option("-k", help="Nearest others whose distance counts.")] = 10,
    top: Annotated[int, typer.Option(help="Clips wanted.")] = 100,
    out: Annotated[Path | None, typer.Option(help="Write all rows: FILE.csv or .parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the clips to listen to.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that the clips' paths start from, when it is elsewhere by now.")
    ] = None,
) -> None:
    """List the clips that are like no others: by their mean cosine distance to the k nearest.

    `auricle outliers forest.parquet --html odd.html`

    `auricle outliers forest.parquet -k 5 --top 1000 --out odd.csv`
    """
    from auricle import progress
    from auricle.explore.hunts import find_outliers

    with progress.TaskBar() as bar:
        found = find_outliers(embeddings, k=k, top=top, root=root, report=bar.search)
        found.write_all(out, html, report=bar.search)
    typer.echo(found.as_text())


def duplicates(
    embeddings: Annotated[list[Path], typer.Argument(help="What `auricle embed` wrote, by one encoder: FILE.parquet.")],
    out: Annotated[Path | None, typer.Option(help="Write all rows: FILE.csv or .parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the clips to listen to.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that the clips' paths start from, when it is elsewhere by now.")
    ] = None,
) -> None:
    """List groups of clips that are one recording, encoded, levelled or cut otherwise, within files and across them.

    `auricle duplicates train.parquet test.parquet --out groups.csv --html groups.html`
    """
    from auricle import progress
    from auricle.explore.hunts import find_duplicates

    with progress.TaskBar() as bar:
        found = find_duplicates(embeddings, root=root, report=bar.search)
        found.write_all(out, html, report=bar.search)
    typer.echo(found.as_text())
