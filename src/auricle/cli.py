"""The command ``auricle``: one thin function per job, no logic.

Every command turns its arguments into one library call, shows progress on stderr, prints its result on stdout or
writes it where it was told, and exits with 0 (done), 1 (one clear sentence) or 2 (usage).
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from auricle import __version__
from auricle.errors import AuricleError, Interrupted
from auricle.threads import wait_politely

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


@app.command()
def pretrain(
    recipe: Annotated[
        str | None, typer.Argument(help="A built-in recipe (byola-2022, byola-2020, …) or a YAML file.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, for instance data=/field steps=2000 views.mixup=0.4")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
) -> None:
    """Pre-train an encoder on unlabelled sound.

    `auricle pretrain byola-2022 data=/field --out runs/forest`

    `auricle pretrain --resume runs/forest`
    """
    from auricle import progress
    from auricle.pretraining import run
    from auricle.pretraining.recipe import load_recipe
    from auricle.training import is_main_process

    with progress.PretrainingBar() as bar:
        if resume is not None:
            if recipe is not None or out is not None:
                raise typer.BadParameter("--resume takes everything from the run's own recipe.yaml")
            model = run.resume(resume, report=bar)
        elif recipe is None or out is None:
            raise typer.BadParameter("give a recipe and --out FOLDER, or --resume FOLDER")
        else:
            model = run.pretrain(load_recipe(recipe, overrides or ()), out, report=bar)
    if is_main_process():
        typer.echo(model)


@app.command()
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
) -> None:
    """Fine-tune a whole encoder on a labelled task.

    `auricle finetune byola-2022 --task esc50 --root DATA --out runs/esc50 epochs=50 mixup=0.3`

    `auricle finetune --resume runs/esc50`
    """
    from auricle import progress
    from auricle.finetuning import run
    from auricle.finetuning.recipe import make_recipe
    from auricle.training import is_main_process

    with progress.FineTuningBar() as bar:
        if resume is not None:
            if model is not None or out is not None:
                raise typer.BadParameter("--resume takes everything from the run's own recipe.yaml")
            written = run.resume(resume, report=bar)
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
            written = run.finetune(recipe, out, report=bar)
    if is_main_process():
        typer.echo(written)


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="Shell pattern, for instance 'byola-*'.")] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that can be loaded by name.

    `auricle models`

    `auricle models 'byola-*' --json`
    """
    from auricle.models import registry

    entries = [registry.entry(name) for name in registry.list_models(pattern)]
    typer.echo(registry.as_json(entries) if as_json else registry.as_text(entries))


@app.command()
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


@app.command(name="import")
def import_model(
    source: Annotated[Path, typer.Argument(help="The authors' .pth file, or the study's folder of checkpoint.pth.")],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    mean: Annotated[float | None, typer.Option(help="Mean of the log-mel that the weights were trained on.")] = None,
    std: Annotated[float | None, typer.Option(help="Its standard deviation.")] = None,
    stats_from: Annotated[
        Path | None, typer.Option(help="Manifest or folder of recordings to compute mean and std of instead.")
    ] = None,
    mel_scale: Annotated[
        Literal["slaney", "htk"] | None,
        typer.Option(help="slaney: with area norm; htk: without norm. Default: slaney, htk for the study's folder."),
    ] = None,
) -> None:
    """Make a model folder of published BYOL-A weights.

    `auricle import AudioNTT2020-BYOLA-64x96d2048.pth --out byola-2020-published --mean -5.5 --std 5.0`
    """
    from auricle.models.importing import import_weights, report

    encoder = import_weights(source, mean=mean, std=std, stats_from=stats_from, mel_scale=mel_scale)
    encoder.save_pretrained(out)
    typer.echo(report(encoder), err=True)
    typer.echo(out)


@app.command()
def embed(
    model: Annotated[str, typer.Argument(help="A name of `auricle models`, a model's or run's folder, or a hub id.")],
    inputs: Annotated[list[Path], typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.parquet.")],
    window: Annotated[float | None, typer.Option(help="One row per window of so many seconds.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default the window.")
    ] = None,
    frames: Annotated[bool, typer.Option("--frames", help="One row per frame.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Embed sound into one Parquet file; the same command goes on where a stopped one was.

    `auricle embed byola-2022 /field --out forest.parquet`

    `auricle embed runs/forest/model labels.csv --window 5 --hop 2.5 --out windows.parquet`
    """
    from auricle import progress
    from auricle.embedding import choose_device, embed_manifest
    from auricle.inputs import manifest_of
    from auricle.models.registry import load
    from auricle.training import keep_freed_memory

    manifest = manifest_of(inputs)
    keep_freed_memory()
    encoder = load(model).to(choose_device(device))
    with progress.EmbeddingBar() as bar:
        summary = embed_manifest(
            encoder,
            manifest,
            out=out,
            window=window,
            hop=hop,
            frames=frames,
            workers=workers,
            precision=precision,
            progress=bar,
        )
    typer.echo(progress.embedding_summary(summary))


@app.command()
def describe(
    inputs: Annotated[list[Path], typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.parquet.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A descriptor, family or column that is wanted; may be repeated.")
    ] = None,
    window: Annotated[float | None, typer.Option(help="One row per window of so many seconds.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default the window.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Describe sound by level, pitch, brightness and more; the same command goes on where a stopped one was.

    `auricle describe /field --out forest.parquet`

    `auricle describe labels.csv --only level --only f0_median --window 1 --out windows.parquet`
    """
    from auricle import progress
    from auricle.embedding import choose_device
    from auricle.explain.describe import describe_manifest
    from auricle.inputs import manifest_of
    from auricle.training import keep_freed_memory

    manifest = manifest_of(inputs)
    keep_freed_memory()
    with progress.EmbeddingBar("describing") as bar:
        summary = describe_manifest(
            manifest,
            out=out,
            names=only,
            window=window,
            hop=hop,
            workers=workers,
            device=choose_device(device),
            progress=bar,
        )
    typer.echo(progress.embedding_summary(summary, "descriptions"))


@app.command()
def predict(
    probe: Annotated[Path, typer.Argument(help="Folder of a probe (evaluate --save-probe), or of a fine-tuning run.")],
    inputs: Annotated[list[Path], typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")],
    out: Annotated[Path, typer.Option(help="FILE.parquet, FILE.csv or FILE.txt; or a folder of Audacity's labels.")],
    window: Annotated[float | None, typer.Option(help="Seconds heard at a time; by default as in training.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; by default half a window.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Score of an event, in place of those chosen.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A class whose events are wanted; may be repeated.")] = None,
    merge: Annotated[bool, typer.Option(help="Join windows of one class that overlap or touch.")] = True,
    program: Annotated[Literal["raven", "audacity"], typer.Option("--format", help="Of FILE.txt.")] = "raven",
    model: Annotated[str | None, typer.Option(help="The probe's encoder, when it lies elsewhere by now.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Find what a probe knows in recordings; the same command goes on where a stopped one was.

    `auricle predict frogs /field --out frogs.csv`

    `auricle predict frogs /field --window 2 --hop 1 --only frog --out frogs.raven.txt`
    """
    from auricle import progress
    from auricle.embedding import choose_device
    from auricle.inputs import manifest_of
    from auricle.training import keep_freed_memory
    from auricle.transfer.predict import predict
    from auricle.transfer.saved_probe import load_probe

    saved = load_probe(probe)
    manifest = manifest_of(inputs)
    keep_freed_memory()
    encoder = saved.encoder(model).to(choose_device(device))
    with progress.EmbeddingBar("listening") as bar:
        summary = predict(
            saved,
            encoder,
            manifest,
            out=out,
            window=window,
            hop=hop,
            threshold=threshold,
            only=only or (),
            merge=merge,
            program=program,
            workers=workers,
            precision=precision,
            progress=bar,
        )
    typer.echo(progress.prediction_summary(summary))


@app.command()
def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Names of `auricle models`, models' or runs' folders, or hub ids.")
    ],
    out: Annotated[Path, typer.Option(help="The results file: FILE.parquet or FILE.csv.")],
    task: Annotated[
        list[str] | None, typer.Option(help="A dataset's name, or your own: folder, manifest, hf:ORG/NAME.")
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(help="Your own labels: a .csv or .parquet manifest, or a folder with one folder per label."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data, for tasks by name.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of your own labels to predict; by default `label`.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of what must not stand on both sides of a split: site, speaker, film.")
    ] = None,
    positive: Annotated[str | None, typer.Option(help="Label to detect; the task is then one of detection.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between excerpts of AVA-Speech; 0.01 as published.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option(help="How to score: auricle (the default), ogg2025, evar, hear, knn.")
    ] = None,
    k_shot: Annotated[
        int | None, typer.Option(help="Learn from so many clips of each class, drawn many times.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Of the models that have it; `all` for every layer.")] = None,
    pooling: Annotated[str | None, typer.Option(help="Over time: mean, max or mean+max.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of probes per fold; by default the protocol's.")] = None,
    check_leaks: Annotated[
        bool, typer.Option(help="First look what stands on both sides of the splits of your own labels.")
    ] = True,
    save_probe: Annotated[
        Path | None, typer.Option(help="Write a probe for `auricle predict` to this folder: one model, one task.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Score models on tasks, and say which cannot be told apart; the same command goes on where a stopped one was.

    `auricle evaluate byola-2022 logmel-stats --task esc50 --task nsynth --root /data --out results.parquet`

    `auricle evaluate runs/forest/model logmel-stats --manifest labels.csv --group site --out which.parquet`
    """
    from auricle import progress
    from auricle.training import keep_freed_memory
    from auricle.transfer.run import DEFAULT_PROTOCOL, evaluate_models
    from auricle.transfer.run_files import work_folder
    from auricle.transfer.task_source import Own, find_tasks

    names = [name for entry in task or () for name in ([entry] if Path(entry).exists() else entry.split(","))]
    sources = [*names, *(str(path) for path in manifest or ())]
    if not sources:
        raise typer.BadParameter("give --task NAME (see `auricle tasks`) or --manifest FILE")
    own = Own(label, group, positive)
    keep_freed_memory()
    with progress.EvaluationBar() as bar:
        tasks = find_tasks(sources, root, own=own, hop=hop, cache=work_folder(out) / "datasets")
        summary = evaluate_models(
            models,
            tasks,
            out=out,
            protocols=protocol or (DEFAULT_PROTOCOL,),
            seeds=None if seeds is None else range(seeds),
            k=k_shot,
            layer=layer,
            pooling=pooling,
            probe_folder=save_probe,
            check_leaks=check_leaks,
            workers=workers,
            device=device,
            report=bar,
        )
    progress.show_scores(summary.tables)
    typer.echo(f"results: {summary.out}")
    if save_probe is not None:
        typer.echo(f"probe: {save_probe}   use it with `auricle predict {save_probe} RECORDINGS --out FILE.csv`")


@app.command()
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
        list[str] | None, typer.Option(help="A descriptor, family or column that is wanted; may be repeated.")
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


@app.command(name="results")
def merge_results(
    files: Annotated[list[Path], typer.Argument(help="Results files of `auricle evaluate` or a study.")],
    output_format: Annotated[
        Literal["markdown", "csv", "html", "latex"] | None, typer.Option("--format", help="By default as --out ends.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write there: .md, .csv, .html, .tex, or .parquet for all rows.")
    ] = None,
) -> None:
    """Show one or merge several results files: a table with intervals, ranks and paired tests.

    `auricle results a.parquet b.parquet`

    `auricle results a.parquet b.parquet --out table.tex`
    """
    from auricle import progress, score_formats
    from auricle.transfer.run_files import merged, write_merged

    rows, tables = merged(files)
    if out is not None:
        write_merged(rows, tables, out, output_format)
        typer.echo(out)
    elif output_format is not None:
        typer.echo(score_formats.FORMATS[output_format](tables), nl=False)
    else:
        progress.show_scores(tables)


studies = typer.Typer(help="Whole studies: diets × models × tasks, to results and a report.", no_args_is_help=True)
app.add_typer(studies, name="study", rich_help_panel="Commands")


@studies.command(name="run")
def run_study(
    study: Annotated[str, typer.Argument(help="A built-in study (demo, …) or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, for instance data=/corpora pretraining.overrides.steps=500")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; by default runs/NAME.")] = None,
) -> None:
    """Run a study: pre-train, embed, probe, analyse, report; the same command goes on where a stopped one was.

    `auricle study run demo --out runs/demo`

    `auricle study run study.yaml data=/corpora --out runs/study`
    """
    import shlex

    from auricle import progress
    from auricle.study.definition import load_study
    from auricle.study.run import run_study
    from auricle.training import keep_freed_memory

    definition = load_study(study, overrides or ())
    folder = out or Path("runs") / definition.name
    command = shlex.join(["auricle", "study", "run", study, *(overrides or ()), "--out", str(folder)])
    keep_freed_memory()
    with progress.StudyBar() as bar:
        end = run_study(definition, folder, command=command, report=bar)
    typer.echo(progress.study_summary(end))


@studies.command(name="list")
def list_studies() -> None:
    """List the built-in studies."""
    from auricle.study.definition import list_studies

    typer.echo("\n".join(list_studies()))


def main() -> None:
    """Run the command line; the entry point of ``auricle`` and ``python -m auricle``."""
    wait_politely()
    try:
        app()
    except AuricleError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"auricle: {error}", err=True)
        raise SystemExit(130 if isinstance(error, Interrupted) else 1) from None
