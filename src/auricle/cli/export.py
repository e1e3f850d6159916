"""The command that makes of an encoder or a probe a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[
        str, typer.Argument(help="A name of `auricle models`, a folder of a model, run or probe, or a hub id.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.onnx.")],
    layer: Annotated[str | None, typer.Option(help="A layer instead of the last, or all.")] = None,
    pooling: Annotated[str | None, typer.Option(help="mean, max or mean+max; by default the model's own.")] = None,
) -> None:
    """Export an encoder or a probe to one ONNX file: waveform in, embedding or scores out, the mel spectrogram inside.

    `auricle export byola-2022.base --out model.onnx`

    `auricle export frogs --out frogs.onnx`, of what `auricle evaluate … --save-probe frogs` or `auricle finetune` wrote

    `auricle export runs/forest/model --layer conv2 --pooling mean --out conv2.onnx`
    """
    from auricle.errors import AuricleError
    from auricle.integrations.onnx_export import export_onnx, export_probe
    from auricle.models.pooled import pooled
    from auricle.models.registry import load
    from auricle.transfer.saved_probe import holds_probe, load_probe

    if holds_probe(model):
        if layer is not None or pooling is not None:
            raise AuricleError(
                f"{model} holds a probe, which was trained on one layer and pooling: leave those out, or give the "
                "folder of the encoder alone"
            )
        written, gives = export_probe(load_probe(model), out), "scores"
    else:
        written, gives = export_onnx(pooled(load(model), layer=layer, pooling=pooling), out), "embedding"
    typer.echo(
        f"{written.path}: {written.size / 1e6:.1f} MB · waveform (batch, samples) at {written.sample_rate:,} Hz and "
        f"lengths (batch,) → {gives} (batch, {written.width}) · differs from torch by at most "
        f"{written.difference:.1g} on {written.clips} clips"
    )
