"""The exported file says in onnxruntime what the encoder says in torch: of every family, of clips of any length."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

import auricle
from auricle import audio
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.integrations.onnx_export import export_onnx
from auricle.integrations.onnx_graph import BandPower
from auricle.models.conformer import Conformer, ConformerConfig
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from models.hub_models import transformers_folder
from models.signals import chirps, untrained, with_lively_batch_norm

TOLERANCE = 1e-4
FAMILIES = ("byola-2022", "conformer", "yamnet", "mfcc-stats, max")


def build(family: str) -> Encoder:
    if family == "conformer":
        torch.manual_seed(0)
        return Conformer(ConformerConfig(layers=2, dim=64, heads=4, feed_forward=96)).eval()
    if family == "mfcc-stats, max":
        return pooled(auricle.load("mfcc-stats"), pooling="mean+max").eval()
    return with_lively_batch_norm(untrained(family)).eval()


@pytest.fixture(scope="module", params=FAMILIES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """An encoder and a session of its file."""
    encoder = build(request.param)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    written = export_onnx(encoder, path)
    assert [found.name for found in path.parent.iterdir()] == ["model.onnx"]
    assert written.size == path.stat().st_size
    return encoder, onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("size", "hop"), [(1024, 160), (400, 160), (512, 37), (45, 10), (13, 13)])
def test_band_power_is_that_of_a_fourier_transform(size: int, hop: int) -> None:
    generator = np.random.default_rng(0)
    window = generator.random(size)
    bank = generator.random((size // 2 + 1, 5))
    waveform = generator.standard_normal((2, size + 7 * hop))
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size, axis=1)[:, ::hop]
    expected = np.abs(np.fft.rfft(frames * window)) ** 2 @ bank
    module = BandPower(torch.tensor(window).float(), torch.tensor(bank), hop=hop, power=2.0)
    found = module(torch.tensor(waveform).float(), 8).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_padded_batch_of_any_lengths(exported) -> None:
    encoder, session = exported
    lengths = torch.tensor([1, 90, 8_000, 15_599, 15_600, 31_999, 32_000])
    batch = chirps(len(lengths), 32_100)  # what lies beyond the lengths must not matter
    embedding, frames = session.run(["embedding", "frames"], {"waveform": batch.numpy(), "lengths": lengths.numpy()})
    with torch.inference_mode():
        expected_frames, _ = encoder.frames(batch, lengths)
        np.testing.assert_allclose(embedding, encoder(batch, lengths).numpy(), atol=TOLERANCE)
    shared = min(frames.shape[1], expected_frames.shape[1])
    np.testing.assert_allclose(frames[:, :shared], expected_frames[:, :shared].numpy(), atol=TOLERANCE)
    assert not frames[:, shared:].any()


def test_the_file_says_what_a_caller_must_know(exported) -> None:
    encoder, session = exported
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["auricle.model"] == encoder.name
    assert facts["auricle.sample_rate"] == "16000"
    assert facts["auricle.weights_fingerprint"] == encoder.weights_fingerprint
    assert int(facts["auricle.embedding_dim"]) == session.get_outputs()[0].shape[1] == encoder.embedding_dim
    assert facts.get("auricle.max_seconds") == ("10.0" if isinstance(encoder, Conformer) else None)
    assert {put.name: put.shape for put in session.get_inputs()} == {
        "waveform": ["batch", "samples"],
        "lengths": ["batch"],
    }


@pytest.mark.real
def test_real_clips_of_several_lengths(exported, real_data: Path) -> None:
    encoder, session = exported
    words = sorted((real_data / "speech_commands").glob("[a-z]*/*.ogg"))[::2000]
    sounds = sorted((real_data / "ESC-50-master" / "audio").glob("*.ogg"))[::700]
    utterances = sorted((real_data / "VCTK-Corpus-0.92").rglob("*.ogg"))[::1100]
    lengths = set()
    for path in [*words, *sounds, *utterances]:
        waveform = audio.read(path, sample_rate=16_000)
        lengths.add(len(waveform))
        inputs = {"waveform": waveform[None], "lengths": np.array([len(waveform)])}
        (embedding,) = session.run(["embedding"], inputs)
        np.testing.assert_allclose(embedding[0], encoder.embed(path), atol=TOLERANCE, err_msg=str(path))
    assert len(lengths) > 3


def test_what_cannot_become_a_graph_is_said(tmp_path: Path) -> None:
    encoder = auricle.load(transformers_folder("wavlm", tmp_path / "wavlm"))
    with pytest.raises(AuricleError, match="only encoders with a mel front end can"):
        export_onnx(encoder, tmp_path / "model.onnx")
    with pytest.raises(AuricleError, match=r"ends in \.onnx"):
        export_onnx(auricle.load("logmel-stats"), tmp_path / "model.pt")
    assert not list(tmp_path.glob("model*"))


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    done = CliRunner().invoke(app, ["export", "logmel-stats", "--out", str(out)])
    assert done.exit_code == 0, done.output
    difference = re.search(r"embedding \(batch, 192\) · differs from torch by at most (\S+)", done.output)
    assert difference and float(difference[1]) <= TOLERANCE
    assert onnxruntime.InferenceSession(str(out)).get_outputs()[0].name == "embedding"
