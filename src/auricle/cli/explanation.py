"""The command that says what a model hears."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def explain(
    models: Annotated[
        list[str], typer.Argument(help="Names of `auricle models`, models' or runs' folders, or hub ids.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to: rsa.parquet, report.html and finished stages.")],
    task: Annotated[list[str] | None, typer.Option(help="A dataset's name.")] = None,
    manifest: Annotated[
        list[Path] | None, typer.Option(help="Your own sound: a .csv or .parquet manifest, or a folder.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data, for tasks by name.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A descriptor or family, by its medians, or a column; may be repeated."),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers/--no-layers", help="Explain every layer too.")] = True,
    pooling: Annotated[
        str | None, typer.Option(help="Over time: mean, max or mean+max; by default each model's own.")
    ] = None,
    clips: Annotated[int, typer.Option(help="At most so many of a task's validation part, at random.")] = 1000,
    permutations: Annotated[int, typer.Option(help="Of clips, for the tests.")] = 1000,
    draws: Annotated[int, typer.Option(help="Of the bootstrap, for the intervals; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of clips, permutations and draws.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Say which acoustic properties order what models make of sounds, by layer, and how sure that is.

    `auricle explain byola-2022 logmel-stats --task nsynth --root /data --out why`

    `auricle explain runs/forest/model --manifest labels.csv --out why`
    """
    import shlex

    from auricle import progress
    from auricle.explain.run import explain_models
    from auricle.explain.task_clips import task_clips
    from auricle.training import keep_freed_memory

    sources = [*(task or ()), *(str(path) for path in manifest or ())]
    if not sources:
        raise typer.BadParameter("give --task NAME (see `auricle tasks`) or --manifest FILE")
    keep_freed_memory()
    with progress.ExplanationBar() as bar:
        explained = explain_models(
            models,
            [task_clips(source, root, clips=clips, seed=seed) for source in dict.fromkeys(sources)],
            out=out,
            descriptors=only,
            layers=layers,
            pooling=pooling,
            clips=clips,
            permutations=permutations,
            draws=draws,
            seed=seed,
            workers=workers,
            device=device,
            command=shlex.join(["auricle", *sys.argv[1:]]),
            report=bar,
        )
    typer.echo(progress.explanation_summary(explained.table, explained.report))
