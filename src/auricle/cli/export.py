"""The command that makes of an encoder a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(help="A name of `auricle models`, a model's or run's folder, or a hub id.")],
    out: Annotated[Path, typer.Option(help="The file to write: FILE.onnx.")],
    layer: Annotated[str | None, typer.Option(help="A layer instead of the last, or all.")] = None,
    pooling: Annotated[str | None, typer.Option(help="mean, max or mean+max; by default the model's own.")] = None,
) -> None:
    """Export an encoder to one ONNX file: waveform in, embedding out, the mel spectrogram inside.

    `auricle export byola-2022 --out model.onnx`

    `auricle export runs/forest/model --layer conv2 --pooling mean --out conv2.onnx`
    """
    from auricle.integrations.onnx_export import export_onnx
    from auricle.models.pooled import pooled
    from auricle.models.registry import load

    encoder = pooled(load(model), layer=layer, pooling=pooling)
    written = export_onnx(encoder, out)
    typer.echo(
        f"{written.path}: {written.size / 1e6:.1f} MB · waveform (batch, samples) at {encoder.sample_rate:,} Hz and "
        f"lengths (batch,) → embedding (batch, {encoder.embedding_dim}) · differs from torch by at most "
        f"{written.difference:.1g} on {written.clips} clips"
    )
