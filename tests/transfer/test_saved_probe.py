"""A probe on disk comes back as it was, with the encoder that it belongs to and with no other."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.models.pooled import pooled
from auricle.transfer.saved_probe import SavedProbe, load_probe, save_probe, window_of
from auricle.transfer.scored_encoder import ScoredEncoder

from .probes import ENCODER, folder_of, pitch_probe


def saved(folder: Path, *, model: str = ENCODER, fingerprint: str | None = None) -> SavedProbe:
    manifest = folder_of(folder / "clips", [0.4, 0.5, 2.0])
    save_probe(
        folder / "probe",
        pitch_probe(),
        model=model,
        weights_fingerprint=fingerprint or registry.load(model).weights_fingerprint,
        manifest=manifest,
        task="pitches",
        protocol="ogg2025",
        scores={"accuracy": 0.75},
    )
    return load_probe(folder / "probe")


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    back, first = saved(tmp_path), pitch_probe()
    assert np.array_equal(back.probe.weight, first.weight) and np.array_equal(back.probe.bias, first.bias)
    for name in ("classes", "kind", "seed", "fold", "learning_rate", "weight_decay", "calibration", "thresholds"):
        assert getattr(back.probe, name) == getattr(first, name)
    assert (back.task, back.protocol, back.scores) == ("pitches", "ogg2025", {"accuracy": 0.75})
    assert back.window == 0.5  # the median of 0.4, 0.5 and 2 s
    described = json.loads((tmp_path / "probe" / "probe.json").read_text())
    assert described["classes"] == ["high", "low", "silence"] and described["model"] == ENCODER


def test_the_window_is_that_of_excerpts_where_there_are_any(tmp_path: Path) -> None:
    manifest = folder_of(tmp_path, [2.0, 2.0, 2.0])
    assert window_of(manifest.with_column("start", [0.0, 0.5, 1.0]).with_column("end", [0.25, 0.75, None])) == 0.25


def test_probe_and_encoder_can_be_moved_together(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = BYOLA2022(BYOLA2022Config(channels=4, mlp_hidden=8))
    folder = tmp_path / "before"
    encoder.save_pretrained(folder / "model")
    saved(folder, model=str(folder / "model"))
    folder.rename(tmp_path / "after")
    back = load_probe(tmp_path / "after" / "probe")
    assert back.encoder().weights_fingerprint == encoder.weights_fingerprint
    assert load_probe(tmp_path / "after").model == back.model  # the folder that a fine-tuning run leaves


def test_a_layer_and_a_pooling_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = BYOLA2022(BYOLA2022Config(channels=4, mlp_hidden=8))
    encoder.save_pretrained(tmp_path / "model")
    used = pooled(encoder, layer="conv1", pooling="mean")
    manifest = folder_of(tmp_path / "clips", [0.5])
    save_probe(
        tmp_path / "probe",
        pitch_probe(),
        model=str(tmp_path / "model"),
        weights_fingerprint=used.weights_fingerprint,
        manifest=manifest,
        layer="conv1",
        pooling="mean",
    )
    back = load_probe(tmp_path / "probe").encoder()
    assert np.array_equal(back.embed(manifest.files[0]), used.eval().embed(manifest.files[0]))


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"trained on an encoder of fingerprint 0{16}, but logmel-stats has \w{16}"):
        saved(tmp_path, fingerprint="0" * 16).encoder()
    back = saved(tmp_path / "other")
    with pytest.raises(AuricleError, match="mfcc-stats has"):
        back.encoder("mfcc-stats")
    model = BYOLA2022(BYOLA2022Config(channels=4, mlp_hidden=8)).save_pretrained(tmp_path / "gone" / "model")
    back = saved(tmp_path / "gone", model=str(model))
    model.rename(tmp_path / "found")
    with pytest.raises(AuricleError, match=r"the probe needs its encoder: .*; give its place with --model"):
        back.encoder()
    assert back.encoder(tmp_path / "found").embedding_dim == 16 * 4 + 8


def test_a_folder_that_holds_no_probe_or_a_damaged_one_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"holds no probe: expected a probe\.json"):
        load_probe(tmp_path)
    saved(tmp_path)
    weights = load_file(tmp_path / "probe" / "probe.safetensors")
    save_file({**weights, "bias": weights["bias"][:2]}, tmp_path / "probe" / "probe.safetensors")
    with pytest.raises(AuricleError, match="is damaged: 2 outputs for 3 classes"):
        load_probe(tmp_path / "probe")
    (tmp_path / "probe" / "probe.safetensors").write_bytes(b"nothing")
    with pytest.raises(AuricleError, match=r"the probe in .* is damaged"):
        load_probe(tmp_path / "probe")
    described = json.loads((tmp_path / "probe" / "probe.json").read_text())
    (tmp_path / "probe" / "probe.json").write_text(json.dumps({**described, "format": 2}))
    with pytest.raises(AuricleError, match=r"is of format 2, this Auricle .* reads up to 1"):
        load_probe(tmp_path / "probe")


@pytest.mark.parametrize("kind", ["multi-class", "multi-label"])
def test_an_encoder_under_a_probe_gives_the_probes_scores(kind: str) -> None:
    probe = pitch_probe(kind=kind)
    encoder = registry.load(ENCODER)
    scored = ScoredEncoder(encoder, probe).eval()
    sound = 0.1 * np.random.default_rng(0).standard_normal((3, 16_000)).astype(np.float32)
    expected = probe.scores(np.stack([encoder.embed(clip) for clip in sound]))
    assert scored.embedding_dim == 3
    assert np.allclose(scored(torch.from_numpy(sound)).numpy(), expected, atol=1e-4)
    assert np.allclose(scored.embed(sound[0]), expected[0], atol=1e-4)
    other = ScoredEncoder(encoder, pitch_probe(kind=kind, bias=probe.bias + 1))
    assert len({scored.weights_fingerprint, other.weights_fingerprint, encoder.weights_fingerprint}) == 3
    with pytest.raises(AuricleError, match="takes embeddings of 192 dimensions, those of mfcc-stats have 60"):
        ScoredEncoder(registry.load("mfcc-stats"), probe)
