"""The command ``auricle``: one thin function per job, no logic.

Every command turns its arguments into one library call, shows progress on stderr, prints its result on stdout or
writes it where it was told, and exits with 0 (done), 1 (one clear sentence) or 2 (usage). What a command needs it
imports when it runs, so that ``auricle --help`` is there at once.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from auricle import __version__
from auricle.cli.corpora import corpora
from auricle.cli.curation import duplicates, outliers
from auricle.cli.embedding import describe, embed, merge
from auricle.cli.evaluation import evaluate, merge_results, predict
from auricle.cli.explanation import explain
from auricle.cli.export import export
from auricle.cli.finetuning import finetune
from auricle.cli.map import draw_map
from auricle.cli.models import import_model, models, release
from auricle.cli.pack import pack
from auricle.cli.pretraining import pretrain
from auricle.cli.projection import project
from auricle.cli.search import search
from auricle.cli.study import studies
from auricle.cli.tasks import tasks
from auricle.errors import AuricleError, Interrupted
from auricle.threads import wait_politely

STOPPED = 130  # exit status after Ctrl-C

app = typer.Typer(
    name="auricle",
    help="Self-supervised, general-purpose audio representations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"auricle {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = {"debug": debug}


# In the order of `auricle --help`.
app.command()(pretrain)
app.command()(finetune)
app.command()(models)
app.command()(tasks)
app.command()(corpora)
app.command()(pack)
app.command(name="import")(import_model)
app.command()(embed)
app.command()(merge)
app.command()(describe)
app.command()(predict)
app.command()(evaluate)
app.command()(explain)
app.command(name="map")(draw_map)
app.command()(project)
app.command()(search)
app.command()(outliers)
app.command()(duplicates)
app.command(name="results")(merge_results)
app.command()(export)
app.command()(release)
app.add_typer(studies, name="study", rich_help_panel="Commands")


def main() -> None:
    """Run the command line; the entry point of ``auricle`` and ``python -m auricle``."""
    wait_politely()
    try:
        app()
    except AuricleError as error:
        if "--debug" in sys.argv:
            raise
        status = STOPPED if isinstance(error, Interrupted) else 1
        if error.everywhere and os.environ.get("RANK", "0") != "0":  # the first process of a training says it
            raise SystemExit(status) from None
        _fail(str(error), status)
    except SystemExit as exit:
        if exit.code == STOPPED:  # Ctrl-C where nothing had begun of which there would be more to say
            typer.echo("auricle: stopped", err=True)
        raise
    except OSError as error:  # what a disk does in the middle of work, where nothing better is known than the file
        if "--debug" in sys.argv or not error.filename:
            raise
        _fail(f"{error.filename} cannot be used: {error.strerror}", 1)


def _fail(sentence: str, status: int) -> NoReturn:
    typer.echo(f"auricle: {sentence}", err=True)
    raise SystemExit(status)
