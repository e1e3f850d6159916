"""The command that fine-tunes an encoder."""

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    model: Annotated[
        str | None, typer.Argument(help="A name of `auricle models`, a model's or run's folder, or a hub id.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, for instance epochs=50 mixup=0.3 layer_decay=0.6")
    ] = None,
    task: Annotated[str | None, typer.Option(help="A dataset's name, or a folder with one folder per label.")] = None,
    root: Annotated[Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Your own labels (.csv, .parquet) instead of a task.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of your labels to predict.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of what must not stand on both sides of a split: site, speaker.")
    ] = None,
    positive: Annotated[str | None, typer.Option(help="The label to detect, of your own.")] = None,
    fold: Annotated[int | None, typer.Option(help="The fold to test, of a task that has folds.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    log: Annotated[
        list[str] | None, typer.Option(help="tensorboard, wandb or mlflow, beside the bar; may be repeated.")
    ] = None,
) -> None:
    """Fine-tune a whole encoder on a labelled task.

    `auricle finetune byola-2022 --task esc50 --root DATA --out runs/esc50 epochs=50 mixup=0.3`

    `auricle finetune --resume runs/esc50`
    """
    from auricle import progress
    from auricle.finetuning import run
    from auricle.finetuning.recipe import make_recipe
    from auricle.integrations.loggers import Reports
    from auricle.training import is_main_process

    folder = resume or out or Path()
    with progress.FineTuningBar() as bar, Reports(bar, names=log or (), folder=folder) as report:
        if resume is not None:
            if model is not None or out is not None:
                raise typer.BadParameter("--resume takes everything from the run's own recipe.yaml")
            written = run.resume(resume, report=report)
        elif model is None or out is None or (task is None) == (manifest is None):
            raise typer.BadParameter("give a model, --task or --manifest, and --out FOLDER; or --resume FOLDER")
        else:
            recipe = make_recipe(
                overrides or (),
                model=model,
                task=task or str(manifest),
                root=None if root is None else str(root),
                label=label,
                group=group,
                positive=positive,
                fold=fold,
            )
            written = run.finetune(recipe, out, report=report)
    if is_main_process():
        typer.echo(written)
