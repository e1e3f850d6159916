"""The commands about models: list those that there are, and make one of published weights."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from auricle.errors import AuricleError


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


def release(
    model: Annotated[str, typer.Argument(help="A run's or model's folder.")],
    name: Annotated[str, typer.Option(help="What it shall be called, for instance byola-2022.base.")],
    licence: Annotated[str, typer.Option(help="SPDX identifier of the weights' licence.")],
    data: Annotated[str, typer.Option(help="What it was trained on, with its licences, in a sentence.")],
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    about: Annotated[Path | None, typer.Option(help="Markdown for the card: scores, what was left out.")] = None,
    layers: Annotated[int | None, typer.Option(help="Keep the first so many layers of a conformer alone.")] = None,
) -> None:
    """Make of a trained encoder a folder to give to others: 16-bit weights, licence, data, card.

    `auricle release runs/forest --name byola-2022.forest --licence CC-BY-4.0 --data "2,110 h of forest" --out forest`
    """
    from auricle.models.conformer import Conformer
    from auricle.models.registry import load
    from auricle.models.releasing import release as write

    text = "" if about is None else about.read_text(encoding="utf-8")
    encoder = load(model)
    if layers is not None:
        if not isinstance(encoder, Conformer):
            raise AuricleError(f"--layers is for conformers, {model} is {encoder.architecture}")
        encoder = encoder.shortened(layers)
    given = write(encoder, out, name=name, licence=licence, data=data, about=text)
    size = sum(file.stat().st_size for file in out.iterdir())
    typer.echo(f"{given.name}: {size / 1e6:.1f} MB, weights fingerprint {given.weights_fingerprint}", err=True)
    typer.echo(out)


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
