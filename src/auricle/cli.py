"""The command ``auricle``: one thin function per job, no logic.

Every command turns its arguments into one library call, shows progress on stderr, prints its result on stdout or writes it
where it was told, and exits with 0 (done), 1 (one clear sentence) or 2 (usage).
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from auricle import __version__
from auricle.errors import AuricleError

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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line; the entry point of ``auricle`` and ``python -m auricle``."""
    try:
        app()
    except AuricleError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"auricle: {error}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        typer.echo("auricle: interrupted; what was done is kept", err=True)
        raise SystemExit(130) from None
