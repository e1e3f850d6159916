import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import stats

from auricle import synth, synthesis
from auricle.errors import AuricleError
from auricle.manifest import Manifest

RATE = 16_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> synth.SoundWorld:
    return synth.make(tmp_path_factory.mktemp("world"), clips=480, seed=1)


@pytest.fixture(scope="module")
def tasks(world: synth.SoundWorld) -> dict[str, Manifest]:
    return {name: Manifest.read(path).validate(files=True) for name, path in world.tasks.items()}


def samples(manifest: Manifest, row: int) -> np.ndarray:
    waveform, rate = soundfile.read(manifest.files[row])
    assert rate == RATE
    return waveform


def period(waveform: np.ndarray, around: float) -> float:
    """Lag in seconds of the highest autocorrelation within a third of an octave of `around` Hz."""
    spectrum = np.abs(np.fft.rfft(waveform, 2 * len(waveform))) ** 2
    correlation = np.fft.irfft(spectrum)
    low, high = int(RATE / around / 2 ** (1 / 3)), int(np.ceil(RATE / around * 2 ** (1 / 3)))
    lag = low + int(np.argmax(correlation[low : high + 1]))
    left, centre, right = correlation[lag - 1 : lag + 2]
    return (lag + 0.5 * (left - right) / (left - 2 * centre + right)) / RATE


def centroid(waveform: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) ** 2
    return float((power * np.fft.rfftfreq(len(waveform), 1 / RATE)).sum() / power.sum())


@pytest.mark.parametrize("kind", ["tone", "hum", "noise", "flutter", "clicks", "chirp"])
def test_the_measured_pitch_is_the_stated_one(kind: str) -> None:
    tolerance = {"noise": 0.02, "flutter": 0.02, "chirp": 0.05}.get(kind, 0.003)
    for number, pitch in enumerate([101.0, 163.0, 250.0, 397.0, 640.0, 795.0]):
        rng = np.random.default_rng(number)
        sound = synthesis.event(rng, kind, pitch=pitch, brightness=-6.0, seconds=1.0)
        if kind == "chirp":  # which passes its pitch half way
            sound = sound[7600:8400]
            if not sound.any():
                continue
        assert 1 / period(sound, pitch) == pytest.approx(pitch, rel=tolerance)


def test_pitch_in_the_manifest_is_the_clips(tasks: dict[str, Manifest]) -> None:
    manifest = tasks["pitch"]
    checked = 0
    for row, (kind, pitch, snr) in enumerate(
        zip(manifest.column("event"), manifest.column("pitch"), manifest.column("snr"), strict=True)
    ):
        if kind in ("tone", "hum") and snr > 10:
            assert 1 / period(samples(manifest, row), pitch) == pytest.approx(pitch, rel=0.01)
            checked += 1
    assert checked > 20


def test_level_is_the_stated_one_and_nothing_is_clipped(tasks: dict[str, Manifest]) -> None:
    manifest = tasks["voice-activity"]
    stated = np.array(manifest.column("loudness"))
    waveforms = [samples(manifest, row) for row in range(len(manifest))]
    measured = 20 * np.log10([np.sqrt(np.mean(waveform**2)) for waveform in waveforms])
    assert np.abs(measured - stated).max() < 0.02
    assert max(np.abs(waveform).max() for waveform in waveforms) < 1.0
    assert stated.min() < -38
    assert stated.max() > -17


def test_brightness_is_the_slope_of_the_spectrum() -> None:
    rng = np.random.default_rng(0)
    sound = synthesis.noise(rng, 20.0, slope=-6.0)
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    power = np.abs(np.fft.rfft(sound)) ** 2
    octaves = [power[(frequency >= low) & (frequency < 2 * low)].mean() for low in (250, 500, 1000, 2000)]
    assert np.diff(10 * np.log10(octaves)) == pytest.approx([-6.0] * 3, abs=0.4)


def test_brighter_events_have_a_higher_centroid(tasks: dict[str, Manifest]) -> None:
    manifest = tasks["event"]
    chosen = [
        row
        for row, (kind, snr) in enumerate(zip(manifest.column("event"), manifest.column("snr"), strict=True))
        if kind == "tone" and snr > 5
    ]
    brightness = [manifest.column("brightness")[row] for row in chosen]
    found = stats.spearmanr(brightness, [centroid(samples(manifest, row)) for row in chosen]).statistic
    assert found > 0.8


def test_voices_differ_by_their_formants() -> None:
    peaks = []
    for tract in (0.84, 1.2):
        voice = synthesis.Voice(tract=tract, pitch=100.0, tilt=-6.0, upper=(3500.0, 4500.0))
        sound, _ = synthesis.speech(np.random.default_rng(2), voice, seconds=20.0, vowels=("a",))
        frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
        power = np.abs(np.fft.rfft(sound)) ** 2
        smooth = np.convolve(power, np.hanning(4000), mode="same")  # over 200 Hz, wider than the partials are apart
        band = (frequency > 400) & (frequency < 1050)
        peaks.append(frequency[band][np.argmax(smooth[band])])
    assert peaks[1] / peaks[0] == pytest.approx(1.2 / 0.84, rel=0.1)
    assert peaks[0] == pytest.approx(0.84 * 750, rel=0.1)


def test_factors_are_independent(tasks: dict[str, Manifest]) -> None:
    table = tasks["event"].table.to_pandas()
    table["log_pitch"] = np.log(table.pitch)
    table["kind"] = table.event.astype("category").cat.codes
    numbers = table[["log_pitch", "brightness", "loudness", "snr"]]
    correlation = numbers.corr().to_numpy()[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 3.5 / np.sqrt(len(table))
    for name in numbers:
        assert stats.kruskal(*[part[name] for _, part in table.groupby("kind")]).pvalue > 0.001
    spoken = tasks["speaker"].table.to_pandas()
    assert stats.chi2_contingency(spoken.groupby(["speaker", "vowel"]).size().unstack()).pvalue > 0.9


def test_pitch_is_uniform_in_octaves(tasks: dict[str, Manifest]) -> None:
    octave = np.log2(np.array(tasks["pitch"].column("pitch")) / 100.0)
    assert octave.min() >= 0
    assert octave.max() <= 3
    assert stats.kstest(octave / 3, "uniform").pvalue > 0.01


def test_pitch_labels_are_bands_of_half_an_octave(tasks: dict[str, Manifest]) -> None:
    manifest = tasks["pitch"]
    assert len(set(manifest.column("label"))) == 6
    for pitch, label in zip(manifest.column("pitch"), manifest.column("label"), strict=True):
        low, high = (float(edge) for edge in label.removesuffix(" Hz").split("-"))
        assert low - 0.5 <= pitch <= high + 0.5
        assert high / low == pytest.approx(2**0.5, rel=0.01)


def test_splits_are_balanced_by_label(tasks: dict[str, Manifest]) -> None:
    for name in ("speaker", "pitch", "voice-activity"):
        table = tasks[name].table.to_pandas()
        share = table.groupby("label").split.value_counts(normalize=True).unstack()
        assert share.train.between(0.53, 0.67).all()
        assert share.test.between(0.13, 0.27).all()
        assert share.valid.between(0.13, 0.27).all()


def test_splits_do_not_follow_other_factors(tasks: dict[str, Manifest]) -> None:
    # Voices and vowels come in turn: parts that were dealt in the same order would hold one vowel only.
    table = tasks["speaker"].table.to_pandas()
    assert (table.groupby(["split", "vowel"]).size().unstack() > 0).all(axis=None)
    assert stats.chi2_contingency(table.groupby(["split", "vowel"]).size().unstack()).pvalue > 0.001


def test_folds_of_vowels_are_by_speaker(tasks: dict[str, Manifest]) -> None:
    table = tasks["vowel"].table.to_pandas()
    assert table.groupby("speaker").fold.nunique().max() == 1
    assert table.groupby("fold").speaker.nunique().tolist() == [2, 2, 2, 2]
    assert tasks["event"].table.to_pandas().fold.value_counts().min() > 0.15 * len(tasks["event"])


def test_the_diets_are_recordings_of_varied_length_and_never_silent(world: synth.SoundWorld) -> None:
    total = 0.0
    for diet in world.diets.values():
        manifest = Manifest.read(diet).validate(files=True)
        seconds = np.array([soundfile.info(file).duration for file in manifest.files])
        assert seconds == pytest.approx(manifest.column("seconds"))
        assert {"short": (seconds < 0.95).any(), "long": (seconds > 4).any()} == {"short": True, "long": True}
        assert 240 <= seconds.sum() < 250
        assert min(samples(manifest, row).std() for row in range(len(manifest))) > 0.009
        total += seconds.sum()
    assert world.clips == 480
    assert world.seconds == pytest.approx(480 + total)


def test_equal_seeds_give_equal_files_and_others_do_not(tmp_path: Path) -> None:
    def fingerprints(name: str, **arguments: int) -> dict[str, str]:
        root = tmp_path / name
        synth.make(root, clips=120, **arguments)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = fingerprints("first", seed=7)
    assert first == fingerprints("again", seed=7)
    other = fingerprints("other", seed=8)
    assert not set(first.values()) & set(other.values())


def test_a_clip_does_not_depend_on_how_many_there_are(world: synth.SoundWorld, tmp_path: Path) -> None:
    small = synth.make(tmp_path, clips=120, seed=1)
    for name in ("event-0003.wav", "speech-0041.wav"):
        assert (small.root / "clips" / name).read_bytes() == (world.root / "clips" / name).read_bytes()


def test_clips_can_have_another_length(tmp_path: Path) -> None:
    short = synth.make(tmp_path, clips=120, seconds=0.5)
    manifest = Manifest.read(short.tasks["event"])
    assert {len(samples(manifest, row)) for row in range(len(manifest))} == {8000}


def test_a_world_too_small_for_its_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"at least 120 clips of at least 0.5 s, got 50 of 1 s"):
        synth.make(tmp_path, clips=50)
    assert not list(tmp_path.iterdir())
