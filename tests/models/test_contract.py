"""What every encoder must satisfy (DESIGN.md, *Encoder*), for every registered model and for models of others."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch

import auricle
from auricle import audio
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.conformer import Conformer
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from auricle.models.releasing import released

from .hub_models import TRANSFORMERS, transformers_folder
from .signals import chirps, untrained, with_lively_batch_norm

RATE = 16_000
BFLOAT16_TOLERANCE = 0.01  # relative, of the embedding's norm
ALL_LAYERS = "every-layer"


@pytest.fixture(params=[*auricle.list_models(), *TRANSFORMERS, ALL_LAYERS], scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    if request.param == ALL_LAYERS:
        return pooled(with_lively_batch_norm(untrained("byola-2020-512")), layer="all", pooling="mean+max").eval()
    if request.param in TRANSFORMERS:
        return auricle.load(transformers_folder(request.param, tmp_path_factory.mktemp("models") / request.param))
    return with_lively_batch_norm(untrained(request.param)).eval()


@pytest.fixture(autouse=True)
def _no_grad(request: pytest.FixtureRequest) -> Iterator[None]:
    with torch.set_grad_enabled("gradient" in request.node.name):
        yield


@pytest.mark.parametrize("name", auricle.list_models())
def test_says_what_its_entry_says(name: str) -> None:
    model, entry = untrained(name), registry.entry(name)
    assert entry.parameters == model.parameters_count
    assert entry.embedding_dim == model.embedding_dim
    assert entry.sample_rate == model.sample_rate
    assert entry.frame_rate == model.frame_rate


def test_shapes(model: Encoder) -> None:
    waveform = chirps(3, 20_000)
    assert model(waveform).shape == (3, model.embedding_dim)
    frames, times = model.frames(waveform)
    assert frames.shape == (3, len(times), model.frame_dim)
    assert model.frame_lengths(torch.tensor([20_000])).item() == len(times)
    one, _ = model.frames(waveform[0])
    torch.testing.assert_close(one, frames[0])
    torch.testing.assert_close(model(waveform[0]), model(waveform)[0])


@pytest.mark.parametrize(
    "lengths",
    [
        [32_000, 31_999],  # a sample
        [32_000, 31_840],  # a log-mel frame
        [32_000, 32_000 - 640],  # a frame embedding of 2022
        [32_000, 32_000 - 1280],  # a frame embedding of 2020
        [15_200, 15_199],
        [32_000, 20_011, 15_360, 15_199, 4000, 1],
    ],
    ids=str,
)
def test_an_embedding_depends_neither_on_batch_nor_on_padding(model: Encoder, lengths: list[int]) -> None:
    batch = chirps(len(lengths), max(lengths) + 700)  # what lies beyond the lengths must not matter
    together = model(batch, torch.tensor(lengths))
    frames, _ = model.frames(batch, torch.tensor(lengths))
    true = model.frame_lengths(torch.tensor(lengths))
    for row, length in enumerate(lengths):
        clip = batch[row : row + 1, :length]
        torch.testing.assert_close(together[row : row + 1], model(clip), rtol=1e-4, atol=1e-4)
        alone, _ = model.frames(clip)
        assert alone.shape[1] == true[row]
        torch.testing.assert_close(frames[row, : true[row]], alone[0], rtol=1e-4, atol=1e-4)
        assert (frames[row, true[row] :] == 0).all()


def test_padding_does_not_matter_where_it_could(model: Encoder) -> None:
    """The test above has teeth: taking the padding for sound changes the embedding."""
    clip = chirps(1, 20_000)
    padded = torch.nn.functional.pad(clip, (0, 12_000))
    assert (model(padded) - model(clip)).norm() > 0.01 * model(clip).norm()


def test_chunks_of_a_minute_are_the_whole(model: Encoder, tmp_path: Path) -> None:
    minute = chirps(6, 160_077).reshape(-1)
    path = tmp_path / "minute.wav"
    soundfile.write(path, minute.numpy(), RATE, subtype="FLOAT")
    whole = model(minute[None])[0].numpy()
    np.testing.assert_allclose(model.embed(path), whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.embed(minute.numpy()), whole, rtol=1e-4, atol=1e-4)
    frames, times = model.frames(minute)
    parts = list(model.stream_frames(block.numpy() for block in minute.split(23_456)))
    assert len(parts) > 3
    torch.testing.assert_close(torch.cat([part for part, _ in parts]), frames, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.cat([seconds for _, seconds in parts]), times)


@pytest.mark.parametrize("samples", [159_999, 160_000, 160_001, 175_199, 191_000])
def test_chunks_are_the_whole_around_a_chunk_boundary(model: Encoder, samples: int) -> None:
    waveform = chirps(1, samples)
    np.testing.assert_allclose(model.embed(waveform[0]), model(waveform)[0].numpy(), rtol=1e-4, atol=1e-4)


def test_short_clips_are_zero_padded_at_the_tail(model: Encoder) -> None:
    clip = chirps(1, 8000)
    padded = torch.nn.functional.pad(clip, (0, max(0, model.min_samples - 8000)))
    torch.testing.assert_close(model(clip), model(padded))


def test_odd_inputs_give_finite_numbers(model: Encoder) -> None:
    time = np.arange(RATE, dtype=np.float32) / RATE
    tone = np.sin(2 * np.pi * 440 * time, dtype=np.float32)
    for name, samples in {
        "silence": np.zeros(RATE, np.float32),
        "one sample": np.ones(1, np.float32),
        "10 ms": tone[:160],
        "clipped": np.clip(5 * tone, -1, 1),
        "beyond full scale": 5 * tone,
        "constant": np.full(RATE, 0.5, np.float32),
        "float64": tone.astype(np.float64),
    }.items():
        embedding = model.embed(samples)
        assert embedding.shape == (model.embedding_dim,), name
        assert embedding.dtype == np.float32, name
        assert np.isfinite(embedding).all(), name


def test_stereo_is_averaged(model: Encoder) -> None:
    left, right = chirps(2, RATE).numpy()
    np.testing.assert_allclose(
        model.embed(np.stack([left, right])), model.embed((left + right) / 2), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("rate", [8000, 48_000])
def test_other_rates_are_resampled(model: Encoder, rate: int, tmp_path: Path) -> None:
    samples = chirps(1, rate)[0].numpy()
    embedding = model.embed(samples, sample_rate=rate)
    assert np.isfinite(embedding).all()
    soundfile.write(tmp_path / "other.wav", samples, rate, subtype="FLOAT")
    np.testing.assert_allclose(model.embed(tmp_path / "other.wav"), embedding, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([0.1, np.nan] * 8000, np.float32), "NaN or infinity"),
        (np.array([0.1, np.inf] * 8000, np.float32), "NaN or infinity"),
        (np.zeros(0, np.float32), "empty"),
        (np.zeros((RATE, 2), np.float32), "transpose"),
        (np.zeros((1, 2, RATE), np.float32), "shape"),
        (np.zeros(RATE, np.int16), "int16"),
    ],
    ids=["nan", "inf", "empty", "transposed", "3-d", "int16"],
)
def test_bad_arrays_are_refused_in_one_sentence(model: Encoder, samples: np.ndarray, message: str) -> None:
    with pytest.raises(AuricleError, match=message) as caught:
        model.embed(samples)
    assert "\n" not in str(caught.value)


def test_bad_batches_are_refused_in_one_sentence(model: Encoder) -> None:
    with pytest.raises(AuricleError, match="NaN or infinity"):
        model(torch.full((1, RATE), torch.nan))
    with pytest.raises(AuricleError, match="empty"):
        model(torch.zeros(2, 0))
    with pytest.raises(AuricleError, match="exceeds the waveform's 16000"):
        model(torch.zeros(1, RATE), torch.tensor([RATE + 1]))
    with pytest.raises(AuricleError, match="at least 1 sample"):
        model(torch.zeros(2, RATE), torch.tensor([RATE, 0]))
    with pytest.raises(AuricleError, match=r"\(batch, samples\)"):
        model(torch.zeros(1, 1, RATE))
    with pytest.raises(AuricleError, match="int64"):
        model(torch.zeros(1, RATE, dtype=torch.int64))


def test_an_unreadable_file_is_refused_in_one_sentence(model: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF nothing")
    with pytest.raises(AuricleError, match=r"broken\.wav"):
        model.embed(path)
    with pytest.raises(AuricleError, match=r"absent\.wav"):
        model.embed(tmp_path / "absent.wav")
    with pytest.raises(AuricleError, match="for arrays"):
        model.embed(path, sample_rate=RATE)


def test_saved_and_loaded_it_gives_the_same_numbers(model: Encoder, tmp_path: Path) -> None:
    waveform = chirps(2, 20_000)
    loaded = auricle.load(model.save_pretrained(tmp_path / "model"))
    assert torch.equal(loaded(waveform), model(waveform))
    assert loaded.weights_fingerprint == model.weights_fingerprint
    assert loaded.name == model.name
    assert not loaded.training
    assert torch.equal(type(model).from_pretrained(tmp_path / "model")(waveform), model(waveform))


def test_bfloat16_agrees_with_float32(model: Encoder) -> None:
    waveform = chirps(4, 20_000)
    expected = model(waveform)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(waveform)
    assert found.dtype == torch.float32
    assert ((found - expected).norm(dim=1) < BFLOAT16_TOLERANCE * expected.norm(dim=1)).all()


def test_gradient_flows_to_the_waveform(model: Encoder) -> None:
    waveform = chirps(2, 16_000).requires_grad_()
    model(waveform, torch.tensor([16_000, 15_500])).sum().backward()
    assert waveform.grad is not None
    assert torch.isfinite(waveform.grad).all()
    assert (waveform.grad.abs().sum(dim=1) > 0).all()
    model.zero_grad()


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5])
def test_a_click_shows_at_the_frame_whose_time_is_its_own(model: Encoder, seconds: float) -> None:
    silence = torch.zeros(1, 3 * RATE)
    background, times = model.frames(silence)
    frame = int((times - seconds).abs().argmin())
    click = silence.clone()
    click[0, round(float(times[frame]) * RATE)] = 1.0
    changes = {"frames": (model.frames(click)[0] - background)[0]}
    if isinstance(model, Conformer):
        changes["latents"] = (model.layers(click)["latents"] - model.layers(silence)["latents"])[0]
        if model.name in released():  # where in its context a trained one says what it heard, it has learnt
            del changes["frames"]
    for name, change in changes.items():
        assert int(change.norm(dim=1).argmax()) == frame, name


def test_times_are_a_frame_period_apart(model: Encoder) -> None:
    _, times = model.frames(torch.zeros(1, 4 * RATE))
    np.testing.assert_allclose(np.diff(times.numpy()), 1 / model.frame_rate)
    assert 0 <= times[0] < 1 / model.frame_rate or times[0] == model.min_seconds / 2  # frames may overlap


def test_training_mode_survives_embedding(model: Encoder) -> None:
    expected = model.embed(chirps(1, RATE)[0])
    model.train()
    try:
        np.testing.assert_array_equal(model.embed(chirps(1, RATE)[0]), expected)
        assert model.training
    finally:
        model.eval()


def test_fingerprint_tells_models_apart() -> None:
    prints = {auricle.load(name, seed=seed).weights_fingerprint for name in ("byola-2020-512",) for seed in (0, 1)}
    prints |= {auricle.load(name).weights_fingerprint for name in ("logmel-stats", "mfcc-stats")}
    assert len(prints) == 4
    assert auricle.load("byola-2020-512", seed=1).weights_fingerprint in prints


def test_an_hour_is_embedded_in_the_memory_of_a_minute() -> None:
    model = auricle.load("logmel-stats")
    process = psutil.Process()
    block = chirps(1, 60 * RATE)[0].numpy()
    memory: list[int] = []

    def hour() -> Iterator[np.ndarray]:
        for _ in range(60):
            memory.append(process.memory_info().rss)
            yield block

    embedding = model.embed_stream(hour())
    assert max(memory[5:]) - memory[5] < 50e6  # the hour's samples alone are 230 MB
    np.testing.assert_allclose(embedding[:64], model.embed(block)[:64], atol=0.05)


@pytest.mark.real
@pytest.mark.parametrize("name", ["byola-2020-512", "mfcc-stats"])
def test_real_recordings_of_many_lengths_batch_and_stream_alike(name: str, real_data: Path) -> None:
    model = with_lively_batch_norm(auricle.load(name)).eval()
    folders = ("unlabelled", "emodb", "digits", "nsynth", "ESC-50-master")
    files = [path for folder in folders for path in audio.find(real_data / folder)[:40:8]]
    clips = [torch.from_numpy(audio.read(path, sample_rate=RATE)[: 10 * RATE]) for path in files]
    lengths = torch.tensor([len(clip) for clip in clips])
    assert len(set(lengths.tolist())) > 10
    together = model(torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), lengths).numpy()
    for row, (path, clip) in enumerate(zip(files, clips, strict=True)):
        np.testing.assert_allclose(model.embed(clip), together[row], rtol=1e-3, atol=1e-3)
        if len(clip) < 10 * RATE:
            np.testing.assert_allclose(model.embed(path), together[row], rtol=1e-3, atol=1e-3)
