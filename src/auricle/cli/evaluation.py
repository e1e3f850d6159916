"""The commands that score models, show the scores, and put a saved probe to use."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Names of `auricle models`, models' or runs' folders, or hub ids.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The results file: FILE.parquet or FILE.csv; by default scores.parquet in --save-probe."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="A dataset's name, or several with commas; or your own: folder, manifest, hf:ORG/NAME."),
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
    over_time: Annotated[
        Literal["whole", "rows"] | None,
        typer.Option(
            help="Your rows are segments of recordings that are followed over time: where no row is, nothing sounds "
            "(whole), or nobody knows (rows)."
        ),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between excerpts of AVA-Speech; 0.01 as published.")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option(help="How to score: auricle (the default), ogg2025, evar, hear, knn.")
    ] = None,
    k_shot: Annotated[
        int | None, typer.Option(help="Learn from so many clips of each class, drawn many times.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Of the models that have it; `all` side by side, or `weighted`, learnt.")
    ] = None,
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

    `auricle evaluate runs/forest/model --manifest frogs.csv --k-shot 10 --save-probe frogs`
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
    if out is None:
        if save_probe is None:
            raise typer.BadParameter("give --out FILE.parquet for the results")
        out = save_probe / "scores.parquet"
    own = Own(label, group, positive, over_time)
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
