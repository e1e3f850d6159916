"""docs/new-encoder.md: what its code promises."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers

import auricle
from auricle.models import registry

from .signals import chirps

PAGE = Path(__file__).parents[2] / "docs" / "new-encoder.md"


@cache
def encodec() -> Any:
    """EnCodec for 24 kHz, which is what its configuration defaults to, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.EncodecModel(transformers.EncodecConfig()).eval()


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The page's code blocks; nothing is fetched, and the registry forgets the model afterwards."""

    def from_pretrained(name: str) -> Any:
        assert name == "facebook/encodec_24khz"
        return encodec()

    monkeypatch.setattr(transformers.EncodecModel, "from_pretrained", from_pretrained)
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_twenty_lines_add_an_encoder(code: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len([line for line in code[0].splitlines() if line.strip()]) <= 20
    monkeypatch.chdir(tmp_path)
    soundfile.write("dog.wav", chirps(2, 44_100).numpy().T, 44_100)
    names: dict[str, Any] = {"waveform": chirps(1, 30_000)[0]}
    for block in code:
        exec(block, names)
    model, frames, times = names["model"], names["frames"], names["times"]
    assert frames.shape == (30_000 // 320, 128)
    np.testing.assert_allclose(times[:2], [160 / 24_000, 480 / 24_000])
    entry = registry.entry("encodec-24khz")
    assert (entry.parameters, entry.frame_rate) == (model.parameters_count, model.frame_rate)
    assert model.embed("dog.wav").shape == (entry.embedding_dim,)
    with torch.inference_mode():
        reference = encodec().encoder(names["waveform"][None, None, : 30_000 // 320 * 320])[0].T
        torch.testing.assert_close(frames, reference)


def test_the_encoder_of_the_page_needs_no_care_about_lengths(code: list[str]) -> None:
    names: dict[str, Any] = {}
    exec(code[0], names)
    names["EnCodec"].max_seconds = 5.0
    model = auricle.load("encodec-24khz")
    lengths = [12_000, 11_999, 5000, 1]
    batch = chirps(len(lengths), 12_300)
    with torch.inference_mode():
        together = model(batch, torch.tensor(lengths))
        for row, length in enumerate(lengths):
            torch.testing.assert_close(together[row], model(batch[row, :length]), rtol=1e-4, atol=1e-4)
        long = chirps(1, 144_000)[0]  # 6 s: windows
        np.testing.assert_allclose(model.embed(long), model(long).numpy(), rtol=1e-4, atol=1e-4)
