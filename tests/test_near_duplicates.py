"""Copies of one recording are found in sets of any size, however few clips there are to learn from what is usual."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.manifest import Manifest
from auricle.near_duplicates import NearSearch

RATE = 16_000


def recording(seed: int, seconds: float = 10.0) -> np.ndarray:
    """Bursts of noise through resonances of its own."""
    draw = np.random.default_rng(seed)
    bursts = np.repeat(draw.uniform(0, 1, round(4 * seconds)) ** 3, RATE // 4)
    sound = draw.standard_normal(len(bursts)) * bursts
    spectrum = np.fft.rfft(sound) * np.interp(
        np.arange(len(sound) // 2 + 1), np.linspace(0, len(sound) // 2, 40), draw.uniform(0, 1, 40) ** 2
    )
    sound = np.fft.irfft(spectrum, len(sound))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def written(folder: Path, **sounds: np.ndarray) -> Manifest:
    for name, sound in sounds.items():
        stem, _, suffix = name.rpartition("_")
        with soundfile.SoundFile(folder / f"{stem}.{suffix}", "w", RATE, 1) as file:
            for start in range(0, len(sound), RATE):  # libsndfile's Vorbis encoder takes no long blocks
                file.write(sound[start : start + RATE])
    return Manifest.from_folder(folder)


def found(manifest: Manifest) -> set[frozenset[str]]:
    paths = [Path(path).stem for path in manifest.column("path")]
    return {frozenset((paths[pair.first], paths[pair.second])) for pair in NearSearch(manifest, workers=1).run()}


def test_two_files_that_are_one(tmp_path: Path) -> None:
    first = recording(0)
    assert found(written(tmp_path, a_wav=first, b_flac=0.5 * first)) == {frozenset("ab")}


def test_two_files_that_are_not(tmp_path: Path) -> None:
    assert found(written(tmp_path, a_wav=recording(0), b_flac=recording(1))) == set()


@pytest.mark.parametrize("others", [0, 30])
def test_levels_cuts_and_encodings_of_two_among_few(tmp_path: Path, others: int) -> None:
    first, second = recording(0), recording(1)
    manifest = written(
        tmp_path,
        p1_wav=first,
        p2_flac=0.5 * first,
        p3_ogg=first,
        p4_wav=first[2 * RATE :],
        q1_wav=second,
        q2_flac=0.5 * second,
        q3_wav=second[2 * RATE :],
        **{f"other{seed}_wav": recording(seed) for seed in range(10, 10 + others)},
    )
    pairs = found(manifest)
    assert {frozenset(("p1", other)) for other in ("p2", "p3", "p4")} <= pairs
    assert {frozenset(("q1", other)) for other in ("q2", "q3")} <= pairs
    assert all(len({name[0] for name in pair}) == 1 for pair in pairs)  # p with p, q with q
