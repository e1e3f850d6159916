"""The command about tasks: list them, check or fetch a local copy."""

from pathlib import Path
from typing import Annotated

import typer


def tasks(
    name: Annotated[str | None, typer.Argument(help="A task; all of them are listed when none is given.")] = None,
    root: Annotated[Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch what may be fetched over HTTP and is not there yet.")
    ] = False,
    check_leaks: Annotated[
        bool, typer.Option("--check-leaks", help="Look for what stands on both sides of its splits or folds.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the pairs of --check-leaks: FILE.csv or .parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tasks; or say whether a local copy of one is the release, and what is missing.

    `auricle tasks`

    `auricle tasks esc50 --root /data --download`

    `auricle tasks nsynth --root /data --check-leaks --out leaks.csv`
    """
    from auricle.datasets import listing, registry

    if name is None:
        if download or check_leaks or out is not None:
            raise typer.BadParameter("--download, --check-leaks and --out need the name of a task")
        entries = [registry.dataset(known) for known in registry.list_datasets()]
        typer.echo(listing.as_json(entries) if as_json else listing.as_text(entries))
        return
    entry = registry.dataset(name)
    if root is None:
        if download or check_leaks:
            raise typer.BadParameter("give --root, the folder of all data, or set AURICLE_DATA")
        typer.echo(listing.as_json([entry]) if as_json else listing.facts(entry))
        return
    if out is not None and not check_leaks:
        raise typer.BadParameter("--out is for the pairs of --check-leaks")

    from auricle import progress
    from auricle.datasets.check import check
    from auricle.datasets.download import download as fetch
    from auricle.transfer.leaks import find_leaks

    with progress.TaskBar() as bar:
        if download:
            typer.echo(listing.describe_download(entry, fetch(entry, root, report=bar)), err=True)
        copy = check(entry, root)
        leaks = find_leaks(copy.manifest, exceptions=entry.exceptions, report=bar.search) if check_leaks else None
    if leaks is not None and out is not None:
        leaks.write(out)
    if as_json:
        typer.echo(listing.as_json_of_copy(copy, leaks=None if leaks is None else leaks.table.to_pylist()))
    else:
        typer.echo("\n".join([listing.describe(copy), *([] if leaks is None else [leaks.as_text()])]))
    if copy.missing:
        raise typer.Exit(1)
