"""Pre-training hears a pack as it hears the folder that was packed."""

import json
from pathlib import Path

import pytest

from auricle.manifest import Manifest
from auricle.packing.run import pack
from auricle.pretraining.recipe import load_recipe
from auricle.pretraining.run import pretrain

from .sounds import noise, write


def test_losses_are_those_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(6):
        write(folder / f"{number}.wav", noise(1.0 + 0.3 * number, 16_000, seed=number), 16_000)
    pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1)
    losses = {}
    for name, data in (("folder", folder), ("pack", tmp_path / "pack")):
        overrides = [
            f"data={data}",
            "steps=3",
            "batch_size=4",
            "encoder.channels=4",
            "log_every=1",
            "workers=1",
            "device=cpu",
        ]
        pretrain(load_recipe("byola-2022-small", overrides), tmp_path / name)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
    assert len(losses["pack"]) == 3
    assert losses["pack"] == pytest.approx(losses["folder"], rel=1e-3)  # 16 bits of each sample
    assert not (tmp_path / "pack" / "audio").exists()
