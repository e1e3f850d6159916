"""The command that packs corpora for pre-training, and checks packs."""

from pathlib import Path
from typing import Annotated

import typer


def pack(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Audio files, folders or manifests (.csv, .parquet).")
    ] = None,
    out: Annotated[str | None, typer.Option(help="The folder to write, or a URL: s3://bucket/pack")] = None,
    diet: Annotated[str | None, typer.Option(help="speech, non-speech, all, or a YAML file; needs --root.")] = None,
    root: Annotated[Path | None, typer.Option(envvar="AURICLE_DATA", help="Folder of all data.")] = None,
    drop: Annotated[str, typer.Option(help="Duplicates to leave out: nothing, exact or near.")] = "nothing",
    against: Annotated[
        list[str] | None, typer.Option(help="A task whose validation and test clips are left out; may be repeated.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that decode; by default one per processor.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say hours and size, and pack nothing.")] = False,
    verify: Annotated[str | None, typer.Option(help="Check every clip of the pack in this folder or URL.")] = None,
) -> None:
    """Decode sound once, into 16 kHz, 16-bit shards that `auricle pretrain data=DIR` reads without decoding.

    `auricle pack /field --out /fast/field --drop exact`

    `auricle pack --diet all --root /data --against esc50 --out /fast/all`

    `auricle pack --verify /fast/all`
    """
    from auricle.cli.packing_bar import PackBar, pack_summary, plan_line, verified_summary
    from auricle.packing import sources
    from auricle.packing.run import pack as pack_clips
    from auricle.packing.run import plan_of
    from auricle.packing.verify import verify as verify_pack

    if verify is not None:
        if inputs or out or diet:
            raise typer.BadParameter("--verify takes nothing else")
        with PackBar() as bar:
            found = verify_pack(verify, workers=workers, report=lambda share: bar.share("verifying", share))
        typer.echo(verified_summary(found))
        raise typer.Exit(0 if found.is_whole else 1)
    if out is None and not dry_run:
        raise typer.BadParameter("give --out, the folder or URL of the pack")
    clips, absent = sources.clips_to_pack(inputs or [], diet=diet, root=root, repeated=drop != "nothing")
    for name, missing in absent.items():
        typer.echo(f"note: {name}: {len(missing):,} recordings are missing or unreadable ({missing[0]}, …)", err=True)
    with PackBar() as bar:
        if dry_run:
            typer.echo(plan_line(plan_of(clips, workers=workers, report=bar)))
            return
        assert out is not None
        summary = pack_clips(
            clips, out, drop=drop, against=sources.tasks_to_keep_out(against or [], root), workers=workers, report=bar
        )
    typer.echo(pack_summary(summary))
