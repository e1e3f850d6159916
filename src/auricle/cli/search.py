"""The command that finds recordings by sound."""

from pathlib import Path
from typing import Annotated

import typer


def search(
    embeddings: Annotated[Path, typer.Argument(help="What `auricle embed` wrote: FILE.parquet.")],
    queries: Annotated[list[Path], typer.Argument(help="Sounds: audio files, folders or manifests (.csv, .parquet).")],
    k: Annotated[int, typer.Option("-k", help="Clips wanted for each query.")] = 10,
    start: Annotated[float | None, typer.Option(help="Second of a query file from which it is meant.")] = None,
    end: Annotated[float | None, typer.Option(help="Second of a query file up to which it is meant.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all rows: FILE.csv or .parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the clips to listen to.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that the clips' paths start from, when it is elsewhere by now.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The file's encoder, when it lies elsewhere by now.")] = None,
    index: Annotated[
        Path | None, typer.Option(help="Search by an index in this folder; it is built when it is not there.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every row, however many there are.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Find the clips that sound most like a query: sound in, ranked clips out.

    `auricle search forest.parquet frog.wav -k 20 --html frogs.html`

    `auricle search forest.parquet night.flac --start 61.5 --end 63 --out frogs.csv`
    """
    from auricle import progress
    from auricle.explore.hunts import search_by_sound

    with progress.TaskBar() as bar:
        found = search_by_sound(
            embeddings,
            queries,
            k,
            start=start,
            end=end,
            model=model,
            root=root,
            index=index,
            exact=exact,
            device=device,
            report=bar.search,
        )
        found.write_all(out, html, report=bar.search)
    typer.echo(found.as_text())
