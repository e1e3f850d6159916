"""The command that pre-trains an encoder."""

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    recipe: Annotated[
        str | None, typer.Argument(help="A built-in recipe (byola-2022, byola-2020, …) or a YAML file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, for instance data=/field steps=2000 views.mixup=0.4")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on if --out holds this very run, as a job does that starts again.")
    ] = False,
    log: Annotated[
        list[str] | None, typer.Option(help="tensorboard, wandb or mlflow, beside the bar; may be repeated.")
    ] = None,
) -> None:
    """Pre-train an encoder on unlabelled sound.

    `auricle pretrain byola-2022 data=/field --out runs/forest`

    `auricle pretrain --resume runs/forest --log tensorboard`
    """
    from auricle import progress
    from auricle.integrations.loggers import Reports
    from auricle.pretraining import run
    from auricle.pretraining.recipe import load_recipe
    from auricle.training import is_main_process

    folder = resume or out or Path()
    with progress.PretrainingBar() as bar, Reports(bar, names=log or (), folder=folder) as report:
        if resume is not None:
            if recipe is not None or out is not None or go_on:
                raise typer.BadParameter("--resume takes everything from the run's own recipe.yaml")
            model = run.resume(resume, report=report)
        elif recipe is None or out is None:
            raise typer.BadParameter("give a recipe and --out FOLDER, or --resume FOLDER")
        else:
            model = run.pretrain(load_recipe(recipe, overrides or ()), out, go_on=go_on, report=report)
    if is_main_process():
        typer.echo(model)
