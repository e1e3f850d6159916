"""The exported file says in onnxruntime what the encoder says in torch: of every family, of clips of any length."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

import auricle
from auricle import audio
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.integrations.onnx_export import export_onnx
from auricle.integrations.onnx_graph import BandPower
from auricle.manifest import Manifest
from auricle.models.conformer import Conformer, ConformerConfig
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from auricle.transfer.predict import predict
from auricle.transfer.saved_probe import load_probe, save_probe
from models.hub_models import transformers_folder
from models.signals import chirps, untrained, with_lively_batch_norm
from transfer.probes import ENCODER, RATE, folder_of, pitch_probe, planted

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


def test_a_probe_scores_in_onnxruntime_as_predict_does(tmp_path: Path) -> None:
    field = planted(tmp_path / "field" / "night.wav", 4.0, [(1.0, 2.0, 500.0), (2.0, 3.0, 4000.0)])
    probe = save_probe(
        tmp_path / "tones",
        pitch_probe(),
        model=ENCODER,
        weights_fingerprint=auricle.load(ENCODER).weights_fingerprint,
        manifest=folder_of(tmp_path / "training", [1.0]),
        task="tones",
    )
    done = CliRunner().invoke(app, ["export", str(probe), "--out", str(tmp_path / "tones.onnx")])
    assert done.exit_code == 0, done.output
    assert "scores (batch, 3)" in done.output
    session = onnxruntime.InferenceSession(str(tmp_path / "tones.onnx"))
    said = session.get_modelmeta().custom_metadata_map
    classes = json.loads(said["auricle.classes"])
    assert (classes, said["auricle.model"], said["auricle.task"]) == (["high", "low", "silence"], ENCODER, "tones")
    assert json.loads(said["auricle.thresholds"]) == [0.5] * 3 and float(said["auricle.window_seconds"]) == 1.0

    saved = load_probe(probe)
    predict(saved, saved.encoder(), Manifest.from_folder(field.parent), out=tmp_path / "e.csv", hop=1.0, workers=1)
    expected = np.stack(pq.read_table(tmp_path / "e.scores.parquet").column("scores").to_numpy())
    windows = audio.read(field, sample_rate=RATE).reshape(4, RATE)
    (scores,) = session.run(["scores"], {"waveform": windows, "lengths": np.full(4, RATE)})
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert [classes[best] for best in scores.argmax(axis=1)] == ["silence", "low", "high", "silence"]

    refused = CliRunner().invoke(app, ["export", str(probe), "--layer", "conv2", "--out", str(tmp_path / "x.onnx")])
    assert isinstance(refused.exception, AuricleError) and "leave those out" in str(refused.exception)
