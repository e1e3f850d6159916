"""The command about corpora: list them, count a local copy, write its manifest."""

from pathlib import Path
from typing import Annotated

import typer


def corpora(
    name: Annotated[str | None, typer.Argument(help="A corpus; all are listed when none is given.")] = None,
    root: Annotated[Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data.")] = None,
    without_speech: Annotated[
        bool, typer.Option("--without-speech", help="Leave out the part of MUSAN that is speech.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the manifest of the clips: FILE.csv or .parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the corpora that the study pre-trains on; or count a local copy beside the paper.

    `auricle corpora`

    `auricle corpora musan --root /data --without-speech --out musan.csv`
    """
    from auricle.corpora import registry, report

    if name is None:
        if without_speech or out is not None:
            raise typer.BadParameter("--without-speech and --out need the name of a corpus")
        entries = [registry.corpus(known) for known in registry.list_corpora()]
        typer.echo(report.as_json(entries) if as_json else report.as_text(entries))
        return
    entry = registry.corpus(name)
    if without_speech and entry.without_speech is None:
        raise typer.BadParameter(f"--without-speech: {entry.name} has no such part, musan has")
    if root is None:
        if out is not None:
            raise typer.BadParameter("give --root, the folder of all data, or set AURICLE_DATA")
        typer.echo(report.as_json([entry]) if as_json else report.facts(entry))
        return

    from auricle.cli.packing_bar import PackBar

    with PackBar() as bar:
        copy = report.measure_corpus(
            entry, root, without_speech=without_speech, report=lambda share: bar.share("measuring", share)
        )
    if out is not None:
        report.write_manifest(copy, out)
    typer.echo(report.as_json_of_copy(copy) if as_json else report.describe(copy))
