"""The page about scaling says what its script computes, and the script's units are right."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def scaling() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scaling", REPOSITORY / "benchmarks" / "scaling.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_the_script(scaling: ModuleType) -> None:
    page = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
    for make in scaling.TABLES:
        assert make() in page, f"docs/scaling.md is not what benchmarks/scaling.py computes: {make.__name__}"


def test_every_assumption_is_named_on_the_page(scaling: ModuleType) -> None:
    page = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
    for said in (
        f"{scaling.GPU_PEAK_TFLOPS:g} TFLOP/s",
        f"{scaling.GPU_SHARE:.0%} of that peak",
        f"{scaling.CORES_PER_GPU} cores",
        f"{scaling.EPOCHS} epochs",
        f"{scaling.PACKED_CLIP_SECONDS:g}-s clips",
        f"{scaling.EFFICIENCY[8]:.0%} on 8 and {scaling.EFFICIENCY[64]:.0%} on 64",
        f"{scaling.FLAC_SHARE:.0%} of its samples",
    ):
        assert said in page, said


def test_arithmetic_by_hand(scaling: ModuleType) -> None:
    # 16-bit samples at 16 kHz are 115.2 MB an hour; ten thousand hours of 10-s clips are 3.6 million vectors.
    assert scaling.PACK_BYTES == 115_200_000
    assert "| 10,000 h | 1.9 TB | 1.2 TB | 44.2 GB | 88.5 GB | 28.8 MB | 187.2 MB | 1.2 GB |" in scaling.disks()
    # A core that takes 5 ms for 5 s hears 1,000 s, 0.278 h, in a second.
    hours = scaling.per_core()["pack, FLAC at 16 kHz"] * scaling.PACK_SECONDS["16 kHz"] / 0.005
    assert hours == pytest.approx(0.278, abs=0.001)
    assert scaling.seconds(10_000, 64)["pack"] == pytest.approx(scaling.seconds(1_000_000, 64)["pack"] / 100)
    assert scaling.duration(7200) == "2 h" and scaling.duration(100) == "100 s"
