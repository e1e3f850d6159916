"""What every descriptor must satisfy, and how descriptors are asked for."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import signal

from auricle.errors import AuricleError
from auricle.explain.descriptors import COLUMNS, DESCRIPTORS, columns_of, describe, list_descriptors

from .sounds import click, harmonic, noise, padded, silence, swinging, times, tone

FAMILIES = ("level", "spectral shape", "spectral variability", "harmonicity", "envelope", "modulation")

SOUNDS = [
    harmonic(220.0, seconds=0.77),
    noise(seconds=1.0),
    noise(seconds=2.5, octave=-6.0) + 0.1 * tone(300.0, seconds=2.5),
    click(0.5),
    silence(0.3),
    signal.chirp(times(3.1), 80, 3.1, 6000),
    np.ones(5000),
    swinging(harmonic(110.0, seconds=1.3), 5.0, 0.9),
    swinging(noise(seconds=4.0), 0.96, 0.9),
    np.sign(tone(70.0, seconds=0.9)),
    tone(2500.0, seconds=0.02),
    np.array([0.5]),
    np.array([0.1, -0.2, 0.3]),
    harmonic(1900.0, seconds=0.5) * np.exp(-20 * times(0.5)),
]


@pytest.fixture(scope="module")
def alone() -> list[dict[str, float]]:
    """Every sound described by itself."""
    return [{name: value.item() for name, value in describe(*padded([sound])).items()} for sound in SOUNDS]


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_every_descriptor_says_what_it_is(name: str) -> None:
    entry = DESCRIPTORS[name]
    assert entry.name == name and re.fullmatch("[a-z][a-z0-9_]*", name)
    assert entry.family in FAMILIES
    assert entry.definition and entry.source
    assert entry.range[0] < entry.range[1]
    assert entry.columns and all(COLUMNS[column] is entry for column in entry.columns)


def test_the_families_are_complete() -> None:
    assert tuple(dict.fromkeys(entry.family for entry in DESCRIPTORS.values())) == FAMILIES
    assert [name for family in FAMILIES for name in list_descriptors(family)] == list_descriptors()
    assert len(COLUMNS) == sum(len(entry.columns) for entry in DESCRIPTORS.values())
    assert [entry.name for entry in DESCRIPTORS.values() if entry.pitch] == ["f0", "f0_range", "f0_slope"]


def test_values_lie_in_the_range_that_is_stated_or_are_nan(alone: list[dict[str, float]]) -> None:
    for number, values in enumerate(alone):
        for column, value in values.items():
            low, high = COLUMNS[column].range
            if column.endswith("_iqr"):
                low, high = 0.0, high - low
            assert math.isnan(value) or low <= value <= high, (number, column, value)


def test_every_column_is_defined_for_some_sound_and_differs_between_sounds(alone: list[dict[str, float]]) -> None:
    for column in COLUMNS:
        values = [described[column] for described in alone if not math.isnan(described[column])]
        assert len(values) > 1 and max(values) > min(values), column


@pytest.mark.parametrize("fill", [0.0, 0.9, math.nan])
def test_a_clips_values_depend_on_nothing_but_the_clip(alone: list[dict[str, float]], fill: float) -> None:
    batch, lengths = padded(SOUNDS, fill=fill)
    together = describe(batch, lengths)
    for number, expected in enumerate(alone):
        for column, value in expected.items():
            found = together[column][number].item()
            scale = COLUMNS[column].range[1] if math.isfinite(COLUMNS[column].range[1]) else 1.0
            assert found == pytest.approx(value, rel=1e-3, abs=1e-5 * min(scale, 100.0), nan_ok=True), (number, column)


def test_few_descriptors_are_the_same_as_among_all(alone: list[dict[str, float]]) -> None:
    for column in COLUMNS:
        found = describe(*padded([SOUNDS[2]]), names=[column])
        assert list(found) == [column]
        assert found[column].item() == pytest.approx(alone[2][column], rel=1e-4, abs=1e-6, nan_ok=True)


def test_many_clips_go_through_in_parts() -> None:
    sounds = [noise(seconds=8.0, seed=seed) for seed in range(5)]  # more than is described together
    together = describe(*padded(sounds), names=["spectral_centroid", "f0"])
    for number, sound in enumerate(sounds):
        for column, value in describe(*padded([sound]), names=["spectral_centroid", "f0"]).items():
            assert together[column][number].item() == pytest.approx(value.item(), rel=1e-4, nan_ok=True)


def test_names_are_descriptors_families_or_columns() -> None:
    assert columns_of(["f0_median", "spectral_centroid", "f0_median"]) == (
        "f0_median",
        "spectral_centroid_median",
        "spectral_centroid_iqr",
    )
    assert columns_of(["envelope"]) == tuple(list_descriptors("envelope"))
    assert columns_of(None) == tuple(COLUMNS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: columns_of(["spectral_centriod"]),
            "no descriptor is called 'spectral_centriod'; did you mean spectral_",
        ),
        (lambda: columns_of(["loudness of it all"]), "see docs/descriptors.md"),
        (lambda: list_descriptors("timbre"), "no family of descriptors is called 'timbre'.*level, spectral shape"),
        (lambda: describe(torch.zeros(3, 0)), r"at least one sample, got \(3, 0\)"),
        (lambda: describe(torch.zeros(100)), r"\(batch, samples\).*got \(100,\)"),
    ],
)
def test_what_cannot_be_described_is_one_sentence(call, message: str) -> None:
    with pytest.raises(AuricleError, match=message):
        call()


def test_no_clips_have_no_values() -> None:
    assert {value.shape for value in describe(torch.zeros(0, 1000)).values()} == {(0,)}


def test_equal_intervals_are_equal_distances_in_pitch() -> None:
    octaves = DESCRIPTORS["f0"].comparable(np.array([110.0, 220.0, 440.0, np.nan]))
    assert np.diff(octaves)[:2].tolist() == [1.0, 1.0] and np.isnan(octaves[3])
    assert DESCRIPTORS["rms_level"].comparable(np.array([-20.0])).tolist() == [-20.0]


def test_the_documentation_lists_every_descriptor_as_it_is() -> None:
    text = (Path(__file__).parents[3] / "docs" / "descriptors.md").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if line.startswith("| `")]
    assert listed == [table_row(name) for name in DESCRIPTORS]


def table_row(name: str) -> str:
    entry = DESCRIPTORS[name]
    low, high = (f"{bound:g}".replace("inf", "∞") for bound in entry.range)
    over_time = ", ".join(entry.statistics) or "one value"
    return f"| `{name}` | {entry.unit or '–'} | {low} … {high} | {over_time} | {entry.definition} | {entry.source} |"
