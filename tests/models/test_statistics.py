from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from auricle.errors import AuricleError
from auricle.mel import LogMel
from auricle.models.statistics import normalisation_statistics, statistics_of_recordings

from .signals import chirps

RATE = 16_000


def test_statistics_are_numpys_over_all_bins_of_all_batches() -> None:
    batches = [torch.randn(3, 64, 96) * 2 - 8, torch.randn(1, 64, 5) - 3]
    values = np.concatenate([batch.numpy().ravel() for batch in batches]).astype(np.float64)
    mean, std = normalisation_statistics(iter(batches))
    assert mean == pytest.approx(values.mean(), rel=1e-9)
    assert std == pytest.approx(values.std(), rel=1e-9)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "no audio"),
        ([torch.full((2, 64, 96), -15.9)], "silent"),
        ([torch.full((2, 64, 96), torch.nan)], "make no sense"),
    ],
    ids=["none", "silence", "nan"],
)
def test_impossible_statistics_are_refused(batches: list[torch.Tensor], message: str) -> None:
    with pytest.raises(AuricleError, match=message):
        normalisation_statistics(batches)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three recordings of 3 s, all of one loudness, so that any crop has nearly the same statistics."""
    noise = np.random.default_rng(0).normal(size=(3, 3 * RATE)) * 0.1
    for index, samples in enumerate(noise):
        soundfile.write(tmp_path / f"{index}.wav", samples, RATE, subtype="FLOAT")
    return tmp_path


def test_crops_of_a_folder_have_the_statistics_of_its_sound(recordings: Path) -> None:
    sound = torch.from_numpy(np.stack([soundfile.read(path)[0] for path in sorted(recordings.iterdir())])).float()
    expected = normalisation_statistics([LogMel()(sound)[0]])
    assert statistics_of_recordings(recordings, LogMel()) == pytest.approx(expected, abs=0.05)


def test_the_same_seed_gives_the_same_crops(recordings: Path) -> None:
    first, same, other = (statistics_of_recordings(recordings, LogMel(), seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first != other


def test_short_clips_count_with_their_padding(tmp_path: Path) -> None:
    clip = chirps(1, 8000)
    soundfile.write(tmp_path / "short.wav", clip[0].numpy(), RATE, subtype="FLOAT")
    padded = torch.nn.functional.pad(clip, (0, 15_200 - 8000))
    expected = normalisation_statistics([LogMel()(padded)[0]])
    assert statistics_of_recordings(tmp_path, LogMel()) == pytest.approx(expected, rel=1e-6)


def test_only_the_stretches_of_a_manifest_are_read(tmp_path: Path) -> None:
    loud_then_quiet = np.concatenate([chirps(1, RATE)[0].numpy(), np.zeros(RATE, np.float32)])
    soundfile.write(tmp_path / "both.wav", loud_then_quiet, RATE, subtype="FLOAT")
    (tmp_path / "clips.csv").write_text("path,start,end\nboth.wav,0.0,0.95\n")
    expected = normalisation_statistics([LogMel()(torch.from_numpy(loud_then_quiet[None, :15_200]))[0]])
    assert statistics_of_recordings(tmp_path / "clips.csv", LogMel()) == pytest.approx(expected, rel=1e-4)


def test_broken_files_are_passed_over_unless_all_are(recordings: Path) -> None:
    expected = statistics_of_recordings(recordings, LogMel())
    (recordings / "broken.wav").write_bytes(b"RIFF")
    assert statistics_of_recordings(recordings, LogMel()) == pytest.approx(expected, abs=0.05)
    for path in recordings.glob("?.wav"):
        path.unlink()
    with pytest.raises(AuricleError, match="none of the 1 clips"):
        statistics_of_recordings(recordings, LogMel())


def test_no_more_crops_than_asked_for(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(original: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        return lambda path, **options: read.append(path) or original(path, **options)

    from auricle import audio

    monkeypatch.setattr(audio, "read", counted(audio.read))
    statistics_of_recordings(recordings, LogMel(), crops=2)
    assert len(read) == 2
    read.clear()
    statistics_of_recordings(recordings, LogMel())
    assert len(read) == 9  # as many as the recordings are long: three crops of 0.95 s in each
