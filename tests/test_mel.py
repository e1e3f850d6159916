import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.mel import LogMel, MelRecipe, hz_to_mel, mel_filter_bank, mel_to_hz

SLANEY = MelRecipe()
HTK = MelRecipe(mel_scale="htk", norm=None)


def sound(seconds: float = 1.3, *, sample_rate: int = 16_000) -> NDArray[np.float64]:
    """A sweep over decaying noise: every band gets something, at very different levels."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    sweep = 0.5 * np.sin(2 * np.pi * (100 * time + 0.5 * 5000 / seconds * time**2))
    noise = np.random.default_rng(0).normal(size=len(time)) * 0.1 * np.exp(-3 * time)
    return sweep + noise


def librosa_power(waveform: NDArray[np.float64], recipe: MelRecipe) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = librosa.feature.melspectrogram(
        y=waveform,
        sr=recipe.sample_rate,
        n_fft=recipe.n_fft,
        win_length=recipe.win_length,
        hop_length=recipe.hop_length,
        n_mels=recipe.n_mels,
        fmin=recipe.f_min,
        fmax=recipe.f_max,
        power=recipe.power,
        htk=recipe.mel_scale == "htk",
        norm=recipe.norm,
        pad_mode=recipe.padding,
        dtype=np.float64,
    )
    return mel


@pytest.mark.parametrize(
    "recipe",
    [
        SLANEY,
        HTK,
        MelRecipe(padding="constant"),
        MelRecipe(mel_scale="htk", norm="slaney"),
        MelRecipe(win_length=400, hop_length=200, n_mels=40, power=1.0),
        MelRecipe(sample_rate=44_100, n_fft=2048, win_length=2048, hop_length=441, f_min=0.0, f_max=22_050.0),
    ],
)
def test_power_agrees_with_librosa(recipe: MelRecipe) -> None:
    waveform = sound(sample_rate=recipe.sample_rate)
    expected = librosa_power(waveform, recipe)
    log_mel, lengths = LogMel(recipe).double()(torch.from_numpy(waveform)[None])
    power = log_mel[0].exp().numpy() - recipe.log_floor
    audible = expected > 1e-6 * expected.max()
    assert power.shape == expected.shape
    assert lengths.tolist() == [expected.shape[1]]
    np.testing.assert_allclose(power[audible], expected[audible], rtol=1e-4)


@pytest.mark.parametrize("recipe", [SLANEY, HTK])
def test_filter_bank_agrees_with_librosa(recipe: MelRecipe) -> None:
    expected = librosa.filters.mel(
        sr=16_000, n_fft=1024, n_mels=64, fmin=60, fmax=7800, htk=recipe is HTK, norm=recipe.norm, dtype=np.float64
    )
    np.testing.assert_allclose(mel_filter_bank(recipe), expected, atol=1e-12)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_mel_scale_agrees_with_librosa_and_inverts(scale: str) -> None:
    hz = np.array([0.0, 60.0, 999.0, 1000.0, 1001.0, 4000.0, 8000.0])
    np.testing.assert_allclose(hz_to_mel(hz, scale=scale), librosa.hz_to_mel(hz, htk=scale == "htk"))
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, scale=scale), scale=scale), hz, atol=1e-9)


def test_float32_agrees_with_float64() -> None:
    waveform = torch.from_numpy(sound())[None]
    double, _ = LogMel().double()(waveform)
    single, _ = LogMel()(waveform.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=2e-3, rtol=0)


def test_training_unit_of_byol_a_has_96_frames() -> None:
    assert SLANEY.frames_of(15_200) == 96
    assert SLANEY.frame_rate == 100.0
    log_mel, lengths = LogMel()(torch.zeros(3, 15_200))
    assert log_mel.shape == (3, 64, 96)
    assert lengths.tolist() == [96, 96, 96]


def test_silence_is_the_log_of_the_floor() -> None:
    log_mel, _ = LogMel()(torch.zeros(1, 1600))
    torch.testing.assert_close(log_mel, torch.full_like(log_mel, np.log(np.finfo(np.float32).eps)))


@pytest.mark.parametrize("hz", [250.0, 1000.0, 5000.0])
def test_a_tone_is_loudest_in_the_band_around_it(hz: float) -> None:
    tone = torch.sin(2 * torch.pi * hz * torch.arange(16_000) / 16_000)
    log_mel, _ = LogMel()(tone[None])
    centres = librosa.mel_frequencies(n_mels=66, fmin=60, fmax=7800)[1:-1]
    loudest = int(log_mel[0].mean(dim=1).argmax())
    assert abs(loudest - int(np.argmin(np.abs(centres - hz)))) <= 1


def test_ten_times_the_amplitude_adds_log_100() -> None:
    waveform = torch.from_numpy(sound()).float()[None]
    quiet, loud = LogMel()(waveform)[0], LogMel()(10 * waveform)[0]
    audible = quiet > -5
    torch.testing.assert_close((loud - quiet)[audible], torch.full_like(loud, np.log(100))[audible], atol=1e-3, rtol=0)


@pytest.mark.parametrize("padding", ["reflect", "constant"])
@pytest.mark.parametrize("length", [1, 2, 100, 511, 512, 513, 514, 8000, 8159, 8160, 15_199, 15_200])
def test_a_clip_does_not_depend_on_its_batch(length: int, padding: str) -> None:
    front_end = LogMel(MelRecipe.from_dict({"padding": padding})).double()
    clip = torch.randn(length, dtype=torch.float64)
    alone, frames_alone = front_end(clip[None])
    batch = torch.full((2, 15_200), torch.nan, dtype=torch.float64)  # whatever lies beyond the end
    batch[0, :length] = clip
    batch[1] = torch.randn(15_200)
    together, frames = front_end(batch, torch.tensor([length, 15_200]))
    true = length // 160 + 1
    assert frames.tolist() == [true, 96]
    assert frames_alone.tolist() == [true]
    torch.testing.assert_close(together[0, :, :true], alone[0])
    assert (together[0, :, true:] == 0).all()


@pytest.mark.parametrize("length", [1, 2, 3, 100, 513])
def test_very_short_clips_are_mirrored_as_numpy_mirrors(length: int) -> None:
    clip = np.random.default_rng(1).normal(size=length)
    mirrored = np.pad(clip, 512, mode="reflect") if length > 1 else np.full(1025, clip[0])
    window = np.hanning(1025)[:-1]
    expected = mel_filter_bank(SLANEY) @ np.abs(np.fft.rfft(mirrored[:1024] * window)) ** 2
    log_mel, _ = LogMel().double()(torch.from_numpy(clip)[None])
    np.testing.assert_allclose(log_mel[0, :, 0].exp().numpy(), expected + SLANEY.log_floor, rtol=1e-5)


def test_many_clips_at_once_are_as_one_by_one() -> None:
    # More frames than are transformed at once.
    batch = torch.randn(30, 15_200)
    together, _ = LogMel()(batch)
    alone = torch.cat([LogMel()(clip[None])[0] for clip in batch])
    torch.testing.assert_close(together, alone)


def test_autocast_does_not_touch_it() -> None:
    waveform = torch.randn(2, 16_000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_mel, _ = LogMel()(waveform)
    assert log_mel.dtype == torch.float32
    torch.testing.assert_close(log_mel, LogMel()(waveform)[0])


def test_gradient_reaches_the_waveform() -> None:
    waveform = torch.randn(2, 1700, dtype=torch.float64, requires_grad=True)
    front_end = LogMel(MelRecipe(n_mels=4)).double()
    lengths = torch.tensor([1700, 900])
    assert torch.autograd.gradcheck(lambda x: front_end(x, lengths)[0].sum(dim=2), (waveform,), fast_mode=True)


def test_recipe_survives_json_types_and_refuses_nonsense() -> None:
    assert MelRecipe.from_dict(HTK.to_dict()) == HTK
    with pytest.raises(AuricleError, match="unknown key 'hop'"):
        MelRecipe.from_dict({"hop": 160})
    with pytest.raises(AuricleError, match="half the sample rate"):
        MelRecipe(f_max=9000.0)
    with pytest.raises(AuricleError, match="win_length"):
        MelRecipe(win_length=2048)
    with pytest.raises(AuricleError, match="hop_length must be above 0"):
        MelRecipe(hop_length=0)
    with pytest.raises(AuricleError, match="mel_scale must be slaney or htk, got 'mel'"):
        MelRecipe.from_dict({"mel_scale": "mel"})
