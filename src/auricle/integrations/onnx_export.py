"""An encoder, or a probe on one, as one ONNX file: waveform in, embedding or scores out, the mel spectrogram inside.

Inputs are ``waveform`` ``(batch, samples)`` float32 at the model's rate and ``lengths`` ``(batch,)`` int64, the true
samples of each clip; outputs are ``embedding`` ``(batch, embedding_dim)``, or ``scores`` ``(batch, classes)`` of a
probe, and ``frames`` ``(batch, time, frame_dim)``. What a caller must know stands in the file's metadata. Before a file
is put in its place, onnxruntime is asked for the embeddings of test sounds of many lengths, and they must be those of
torch. Needs the extra ``onnx``.
"""

import json
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auricle import __version__
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.integrations.onnx_graph import Graph
from auricle.models.encoder import Encoder
from auricle.transfer.saved_probe import SavedProbe
from auricle.transfer.scored_encoder import ScoredEncoder

OPSET = 18
TOLERANCE = 1e-4  # of the difference from torch, relative to an embedding's largest number where that is above 1
EXAMPLE_SECONDS = 2.0  # of the batch that the exporter follows
TEST_SECONDS = (0.01, 0.4, 1.0, 2.7, 6.3)
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Export:
    """A written file.

    Attributes
    ----------
    path, size
        Of the file; bytes.
    sample_rate
        Hz, of the waveforms that it takes.
    width
        Numbers that it gives for a clip: dimensions of an embedding, or scores.
    difference
        The largest between a number of onnxruntime's embeddings and torch's, relative as `TOLERANCE` is.
    clips
        That this was measured on.
    """

    path: Path
    size: int
    sample_rate: int
    width: int
    difference: float
    clips: int


def export_probe(saved: SavedProbe, path: str | Path, *, model: str | Path | None = None) -> Export:
    """Write a probe with its encoder to an ONNX file that gives calibrated scores, as ``auricle predict`` has them.

    Parameters
    ----------
    saved
        From :func:`auricle.transfer.saved_probe.load_probe`.
    path
        The file to write.
    model
        Where its encoder is, when it has moved.

    Raises
    ------
    AuricleError
        As :func:`export_onnx`, and when the encoder is not there or another one by now.
    """
    probe, encoder = saved.probe, saved.encoder(model)
    about = {
        "model": encoder.name,
        "architecture": encoder.architecture,
        "embedding_dim": encoder.embedding_dim,
        "task": saved.task,
        "kind": probe.kind,
        "classes": json.dumps(probe.outputs, ensure_ascii=False),
        "thresholds": json.dumps(probe.thresholds),
        "window_seconds": saved.window,
    }
    return export_onnx(ScoredEncoder(encoder, probe), path, output="scores", about=about)


def export_onnx(
    encoder: Encoder, path: str | Path, *, output: str = "embedding", about: Mapping[str, object] = MappingProxyType({})
) -> Export:
    """Write `encoder` to an ONNX file, after comparing it with torch.

    Parameters
    ----------
    encoder
        Any whose front end is a mel spectrogram.
    path
        The file to write.
    output
        What its embedding is called.
    about
        More for its metadata.

    Raises
    ------
    AuricleError
        When the extra is missing, the encoder has another front end, or the file would compute something else.

    Examples
    --------
    >>> from auricle.models.registry import load
    >>> export_onnx(load("logmel-stats"), "model.onnx")  # doctest: +SKIP
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise AuricleError(f"{path} is not the name of an ONNX file: expected one that ends in .onnx")
    graph = Graph(encoder).eval()
    program = _program(graph, encoder.sample_rate, output)
    program.model.metadata_props.update(metadata(encoder) | {f"auricle.{name}": str(of) for name, of in about.items()})
    with atomic_write(path) as temporary:
        program.save(temporary, external_data=False)
        clips = _test_clips(encoder)
        difference = largest_difference(encoder, temporary, clips)
        if not difference <= TOLERANCE:
            raise AuricleError(
                f"{encoder.name} gives another {output} in onnxruntime than in torch "
                f"(by {difference:.2g}, expected at most {TOLERANCE:g}): no file was written; please report it"
            )
    return Export(path, path.stat().st_size, encoder.sample_rate, encoder.embedding_dim, difference, len(clips))


def metadata(encoder: Encoder) -> dict[str, str]:
    """What a caller of the file must know, as text; names, seconds and Hz as of an encoder's own attributes."""
    values = {
        "model": encoder.name,
        "architecture": encoder.architecture,
        "weights_fingerprint": encoder.weights_fingerprint,
        "licence": encoder.card.licence,
        "sample_rate": encoder.sample_rate,
        "embedding_dim": encoder.embedding_dim,
        "frame_dim": encoder.frame_dim,
        "frame_rate": encoder.frame_rate,
        "first_frame_seconds": encoder.first_centre / encoder.sample_rate,
        "min_seconds": encoder.min_seconds,
        "auricle_version": __version__,
    }
    if not math.isinf(encoder.max_seconds):
        values["max_seconds"] = encoder.max_seconds
    return {f"auricle.{name}": str(value) for name, value in values.items()}


def largest_difference(encoder: Encoder, path: Path, clips: Sequence[FloatArray]) -> float:
    """By how much onnxruntime's embeddings of clips ``(samples,)`` differ from torch's, each alone and all together.

    The largest over all numbers, relative to the embedding's largest number where that is above 1.
    """
    session = open_session(path)
    lengths = np.array([len(clip) for clip in clips])
    batch = np.zeros((len(clips), lengths.max()), dtype=np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    was_training = encoder.training
    encoder.eval()
    device = next(iter(encoder.state_dict().values()), torch.empty(0)).device
    with torch.inference_mode():
        expected = [encoder(torch.from_numpy(clip).to(device)).float().cpu().numpy() for clip in clips]
    encoder.train(was_training)
    together = run(session, batch, lengths)
    alone = [run(session, clip[None], np.array([len(clip)]))[0] for clip in clips]
    found = 0.0
    for reference, *others in zip(expected, together, alone, strict=True):
        scale = max(1.0, float(np.abs(reference).max()))
        found = max(found, *(float(np.abs(other - reference).max()) / scale for other in others))
    return found


def open_session(path: Path) -> Any:
    """An onnxruntime session of the file, on the CPU."""
    try:
        import onnxruntime
    except ImportError as error:
        raise AuricleError('ONNX needs the `onnx` extra: pip install "auricle[onnx]"') from error
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(session: Any, waveform: FloatArray, lengths: NDArray[np.int64]) -> FloatArray:
    """Embeddings ``(batch, embedding_dim)`` of a padded batch ``(batch, samples)``."""
    inputs = {"waveform": waveform, "lengths": lengths.astype(np.int64)}
    (embedding,) = session.run([session.get_outputs()[0].name], inputs)
    return np.asarray(embedding)


def _program(graph: Graph, sample_rate: int, output: str) -> Any:
    """The graph as torch's exporter sees it."""
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise AuricleError('ONNX needs the `onnx` extra: pip install "auricle[onnx]"') from error
    samples = round(EXAMPLE_SECONDS * sample_rate)
    example = torch.zeros(2, samples), torch.tensor([samples, samples - 1])
    batch, length = torch.export.Dim("batch"), torch.export.Dim("samples")
    names = logging.getLogger("torch.onnx")
    level = names.level
    names.setLevel(logging.ERROR)  # it regrets that torchvision is not there
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.onnx.export(
                graph,
                example,
                dynamo=True,
                dynamic_shapes=({0: batch, 1: length}, {0: batch}),
                input_names=["waveform", "lengths"],
                output_names=[output, "frames"],
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    finally:
        names.setLevel(level)


def _test_clips(encoder: Encoder) -> list[FloatArray]:
    """Coloured noise under a beat, of every length that matters: below the shortest, and one sample more or less."""
    generator = np.random.default_rng(0)
    rate, hop = encoder.sample_rate, encoder.samples_per_frame
    lengths = [round(seconds * rate) for seconds in TEST_SECONDS]
    lengths += [1, max(1, encoder.min_samples), lengths[-1] - 1, lengths[-1] - hop]
    clips = []
    for length in lengths:
        noise = generator.standard_normal(length).cumsum()
        noise -= noise.mean()
        beat = np.sin(np.arange(length) * (2 * np.pi * 3 / rate)) ** 2
        clips.append((noise * beat / max(1e-6, np.abs(noise).max()) * 0.5).astype(np.float32))
    return clips
