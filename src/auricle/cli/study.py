"""The commands `auricle study …`: whole studies."""

from pathlib import Path
from typing import Annotated

import typer

studies = typer.Typer(help="Whole studies, from a file of questions to results and a report.", no_args_is_help=True)


@studies.command(name="run")
def run_study(
    study: Annotated[str, typer.Argument(help="A built-in study (demo, …) or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, for instance data=/corpora pretraining.overrides.steps=500")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; by default runs/NAME.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of all data; the same as data=FOLDER.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it takes and what is missing; run nothing.")] = False,
) -> None:
    """Run a study: train, embed, probe, analyse, report; the same command goes on where a stopped one was.

    `auricle study run demo --out runs/demo`

    `auricle study run label-efficiency weights=runs/forest/model data=/corpora --out runs/labels`

    `auricle study run study.yaml --data /corpora --out runs/study`

    `auricle study run ogg2025 --data /corpora --plan`
    """
    import shlex

    from auricle import progress
    from auricle.study.definition import load_study, plan_of
    from auricle.study.run import run_study
    from auricle.training import keep_freed_memory

    given = [*(overrides or ()), *([] if data is None else [f"data={data}"])]
    definition = load_study(study, given)
    if plan:
        for line in plan_of(definition):
            typer.echo(line)
        return
    folder = out or Path("runs") / definition.name
    command = shlex.join(["auricle", "study", "run", study, *given, "--out", str(folder)])
    keep_freed_memory()
    with progress.StudyBar() as bar:
        end = run_study(definition, folder, command=command, report=bar)
    typer.echo(progress.study_summary(end))


@studies.command(name="list")
def list_studies() -> None:
    """List the built-in studies: name, kind, question."""
    from auricle.study.definition import list_studies, load_study

    found = [load_study(name) for name in list_studies()]
    names, kinds = (max(len(getattr(study, what)) for study in found) for what in ("name", "kind"))
    for study in found:
        typer.echo(f"{study.name:{names}}  {study.kind:{kinds}}  {study.title or ''}".rstrip())
