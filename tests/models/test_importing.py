"""Foreign files are made here from plain torch modules, after the description in the papers and in the fact sheet."""

from collections import OrderedDict
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

import auricle
from auricle.errors import AuricleError
from auricle.models.byola import BYOLA2020, BYOLA2022
from auricle.models.importing import import_weights

from .signals import chirps

MEAN, STD = -7.3, 4.2


class Published(nn.Module):
    """The authors' network as their papers describe it: features, fc, and pooling over time."""

    def __init__(self, blocks: int, width: int, *, channels: int = 64) -> None:
        super().__init__()
        self.concatenate = blocks == 2
        layers: list[nn.Module] = []
        for inputs in [1] + [channels] * (blocks - 1):
            layers += [nn.Conv2d(inputs, channels, 3, stride=1, padding=1), nn.BatchNorm2d(channels)]
            layers += [nn.ReLU(), nn.MaxPool2d(2, stride=2)]
        self.features = nn.Sequential(*layers)
        self.fc = nn.Sequential(
            nn.Linear(64 // 2**blocks * channels, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, width), nn.ReLU()
        )

    def forward(self, normalised: Tensor) -> Tensor:
        maps = self.features(normalised[:, None])
        frames = torch.stack([maps[:, :, :, t].transpose(1, 2).reshape(len(maps), -1) for t in range(maps.shape[3])], 1)
        hidden = self.fc(frames)
        if self.concatenate:
            hidden = torch.cat([frames, hidden], dim=-1)
        return hidden.max(dim=1).values + hidden.mean(dim=1)


def published(blocks: int = 3, width: int = 128) -> Published:
    torch.manual_seed(0)
    network = Published(blocks, width)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 64, 96) + 0.3)  # batch-norm sees something
    return network.eval()


def published_embedding(network: Published, waveform: Tensor, *, htk: bool = False) -> np.ndarray:
    """With librosa's front end in double precision."""
    mel = librosa.feature.melspectrogram(
        y=waveform.double().numpy(),
        sr=16_000,
        n_fft=1024,
        hop_length=160,
        n_mels=64,
        fmin=60,
        fmax=7800,
        htk=htk,
        norm=None if htk else "slaney",
        pad_mode="reflect",
        dtype=np.float64,
    )
    log_mel = torch.from_numpy(np.log(mel + np.finfo(np.float32).eps))
    with torch.inference_mode():
        embedding: np.ndarray = network.double()((log_mel - MEAN) / STD)[0].numpy()
    network.float()
    return embedding


def assert_same_embeddings(encoder: BYOLA2020 | BYOLA2022, network: Published, *, htk: bool = False) -> None:
    for samples in (15_200, 16_000, 47_123):
        waveform = chirps(1, samples)
        with torch.inference_mode():
            found = encoder(waveform)[0].double().numpy()
        expected = published_embedding(network, waveform, htk=htk)
        assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
        np.testing.assert_allclose(encoder.embed(waveform[0]), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("blocks", "width", "kind", "name"),
    [
        (3, 128, BYOLA2020, "byola-2020-128.weights"),
        (3, 512, BYOLA2020, "byola-2020-512.weights"),
        (2, 2048, BYOLA2022, "byola-2022.weights"),
    ],
)
def test_embeddings_are_those_of_the_published_network(
    blocks: int, width: int, kind: type, name: str, tmp_path: Path
) -> None:
    network = published(blocks, width)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    encoder = import_weights(tmp_path / "weights.pth", mean=MEAN, std=STD)
    assert type(encoder) is kind
    assert encoder.name == name
    assert encoder.config.mel.mel_scale == "slaney"
    assert encoder.config.mel.norm == "slaney"
    assert_same_embeddings(encoder, network)


def test_htk_means_htk_scale_and_no_norm(tmp_path: Path) -> None:
    network = published()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    encoder = import_weights(tmp_path / "weights.pth", mean=MEAN, std=STD, mel_scale="htk")
    assert_same_embeddings(encoder, network, htk=True)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "encoder.", "online_encoder.", "learner.online_encoder.net."]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_prefixes_and_wrapping_make_no_difference(prefix: str, wrapped: bool, tmp_path: Path) -> None:
    network = published()
    state = OrderedDict((prefix + name, value) for name, value in network.state_dict().items())
    state["projector.net.0.weight"] = torch.zeros(4, 128)
    if prefix == "online_encoder.":
        state.update({f"target_encoder.{name}": value + 1 for name, value in network.state_dict().items()})
    content = {"state_dict": state, "epoch": 3, "lr": [0.1]} if wrapped else state
    torch.save(content, tmp_path / "weights.pth")
    assert_same_embeddings(import_weights(tmp_path / "weights.pth", mean=MEAN, std=STD), network)


def test_old_files_without_batch_counts_load(tmp_path: Path) -> None:
    network = published()
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert_same_embeddings(import_weights(tmp_path / "weights.pth", mean=MEAN, std=STD), network)


@pytest.mark.parametrize("csv", ["mean,std\n-7.3,4.2\n", ",mean,std\n0,-7.3,4.2\n", "std, mean\r\n4.2,-7.3\r\n"])
def test_the_studys_folder_brings_its_statistics_and_its_scale(csv: str, tmp_path: Path) -> None:
    network = published()
    folder = tmp_path / "checkpoints_sp"
    folder.mkdir()
    torch.save(network.state_dict(), folder / "checkpoint.pth")
    (folder / "stats.csv").write_text(csv)
    encoder = import_weights(folder)
    assert encoder.statistics == pytest.approx({"mean": MEAN, "std": STD})
    assert encoder.name == "byola-2020-128.checkpoints_sp"
    assert_same_embeddings(encoder, network, htk=True)
    assert import_weights(folder, mel_scale="slaney").config.mel.norm == "slaney"
    assert import_weights(folder, mean=0.0, std=1.0).statistics == {"mean": 0.0, "std": 1.0}


def test_statistics_come_from_recordings(tmp_path: Path) -> None:
    torch.save(published().state_dict(), tmp_path / "weights.pth")
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    clip = chirps(1, 15_200)
    soundfile.write(sounds / "a.wav", clip[0].numpy(), 16_000, subtype="FLOAT")
    encoder = import_weights(tmp_path / "weights.pth", stats_from=sounds, mel_scale="htk")
    log_mel, _ = encoder.log_mel(clip)
    expected = {"mean": log_mel.double().mean().item(), "std": log_mel.double().std(unbiased=False).item()}
    assert encoder.statistics == pytest.approx(expected, rel=1e-5)


def test_an_imported_model_survives_saving(tmp_path: Path) -> None:
    torch.save(published().state_dict(), tmp_path / "weights.pth")
    encoder = import_weights(tmp_path / "weights.pth", mean=MEAN, std=STD)
    loaded = auricle.load(encoder.save_pretrained(tmp_path / "model"))
    assert torch.equal(loaded(chirps(1, 16_000)), encoder(chirps(1, 16_000)))
    assert "evaluation only" in loaded.card.licence


class Runs:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must never be printed",))


def refusal(source: Path, **options: object) -> str:
    with pytest.raises(AuricleError) as caught:
        import_weights(source, **{"mean": MEAN, "std": STD, **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_not_read(
    zipped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {**published().state_dict(), "extra": Runs()}
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert "code that would run on loading" in refusal(tmp_path / "weights.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("keep", [0, 10, 1000, -1000])
def test_a_damaged_file_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(published().state_dict(), path)
    path.write_bytes(path.read_bytes()[:keep])
    assert "damaged or no PyTorch weight file" in refusal(path)


@pytest.mark.parametrize("content", [b"not a weight file, only text\n", b"\x00" * 64, b"RIFF$\x00\x00\x00WAVE"])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    assert "damaged or no PyTorch weight file" in refusal(tmp_path / "weights.pth")


def state_without(*names: str) -> dict[str, Tensor]:
    return {name: value for name, value in published().state_dict().items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "holds no named tensors"),
        ([torch.zeros(3)], "holds no named tensors"),
        ({"conv1.weight": torch.zeros(3)}, "no tensor is called features.0.weight"),
        (state_without("fc.3"), "is no BYOL-A encoder"),
        (state_without("features.4"), "is no BYOL-A encoder"),
        (state_without("features.5.running_var"), "is incomplete: features.5.running_var is missing"),
        ({**state_without(), "fc.3.weight": torch.zeros(3, 3)}, "fc.3.weight has shape (3, 3), expected (128, 128)"),
        (
            {f"{p}.{name}": value + i for i, p in enumerate("ab") for name, value in state_without().items()},
            "several encoders (a., b.)",
        ),
    ],
    ids=["empty", "list", "other", "no-fc3", "gap", "no-running-var", "shape", "two"],
)
def test_other_networks_are_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    assert message in refusal(tmp_path / "weights.pth")


def test_missing_statistics_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(published().state_dict(), path)
    asked = refusal(path, mean=None, std=None)
    assert "statistics are not in" in asked
    assert "give --mean and --std, or --stats-from" in asked
    assert "give both --mean and --std" in refusal(path, std=None)
    assert "not both" in refusal(path, stats_from=tmp_path)
    assert "std above 0" in refusal(path, std=0.0)


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert "absent.pth does not exist" in refusal(tmp_path / "absent.pth")
    assert "holds no checkpoint.pth" in refusal(tmp_path)
    torch.save(published().state_dict(), tmp_path / "checkpoint.pth")
    assert "statistics are not in" in refusal(tmp_path, mean=None, std=None)
    (tmp_path / "stats.csv").write_text("average\n3\n")
    assert "columns mean and std" in refusal(tmp_path, mean=None, std=None)
