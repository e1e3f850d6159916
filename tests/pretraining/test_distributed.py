"""Two and four processes under torchrun learn what one learns, from the same crops, and take over from each other."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from auricle.files import FolderLock
from packing.sounds import noise, write

from . import several

STEPS = 6
CLOSE = 5e-4  # relative: sums in another order, through so many updates
RECIPES = list(several.RECIPES)
# Who goes on with a run: from its start to step 2 one process, to step 4 two, to step 5 four, to the end one again.
CUTS = {2: 2, 4: 4, 1: 5}


@dataclass
class Trained:
    """What all the processes left: runs by name, and beside them what they noted."""

    root: Path

    def run(self, recipe: str, who: object) -> Path:
        return self.root / f"{recipe}-{who}"

    def notes(self, recipe: str, who: object) -> Path:
        return self.root / f"{recipe}-{who}-notes"

    def job(self, recipe: str, who: object, data: Path | None = None) -> dict[str, object]:
        job: dict[str, object] = {"out": str(self.run(recipe, who)), "notes": str(self.notes(recipe, who))}
        if data is not None:
            job |= {"recipe": recipe, "overrides": several.overrides_of(recipe, data, steps=STEPS)}
        return job


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 recordings of 0.5 to 2 s, in the formats and rates that people have; two cannot be read."""
    folder = tmp_path_factory.mktemp("sounds")
    kinds = [("wav", 16_000, 1), ("flac", 44_100, 2), ("ogg", 48_000, 1), ("mp3", 22_050, 1)]
    for number in range(24):
        suffix, rate, channels = kinds[number % 4]
        sound = noise(0.5 + number / 16, rate, channels, seed=number)
        tone = np.sin(2 * np.pi * (200 + 100 * number) * np.arange(len(sound)) / rate)[:, None]
        write(folder / f"{number:02d}.{suffix}", (sound + 0.2 * tone).astype(np.float32), rate)
    (folder / "broken.flac").write_bytes(b"fLaC....")
    (folder / "empty.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def trained(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Both recipes in one, two and four processes; and one run of each that all of them have a share in."""
    trained = Trained(tmp_path_factory.mktemp("trained"))
    several.do([trained.job(recipe, 1, sounds) for recipe in RECIPES], rank=0)
    for processes, step in CUTS.items():
        for recipe in RECIPES:
            chain = trained.run(recipe, "chain")
            if not chain.exists():
                shutil.copytree(trained.run(recipe, 1), chain)
            several.cut_back(chain, step)
        chains = [trained.job(recipe, "chain") for recipe in RECIPES]
        if processes == 1:
            several.do(chains, rank=0)
        else:
            whole = [trained.job(recipe, processes, sounds) for recipe in RECIPES]
            several.do_with(processes, [*whole, *chains], trained.root)
    return trained


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("recipe", RECIPES)
def test_losses_are_those_of_one_process(trained: Trained, recipe: str, processes: int) -> None:
    one, many = several.losses(trained.run(recipe, 1)), several.losses(trained.run(recipe, processes))
    assert len(one) == STEPS
    assert many[0] == pytest.approx(one[0], rel=1e-5)  # before any update only the order of sums differs
    assert many == pytest.approx(one, rel=CLOSE)
    assert np.ptp(one) > 10 * CLOSE * one[0]  # another batch or another update would show


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("recipe", RECIPES)
def test_crops_come_in_the_same_order_whoever_reads_them(trained: Trained, recipe: str, processes: int) -> None:
    one = several.crops_of_steps(trained.notes(recipe, 1), 1)
    many = several.crops_of_steps(trained.notes(recipe, processes), processes)
    assert len(one) == STEPS
    assert many == one
    indices = sorted(index for step in one for index, _, _ in step)
    assert len(set(indices)) == len(indices)
    first_epoch = [clip for step in one for index, clip, _ in step if index < 24]
    assert len(first_epoch) == len(set(first_epoch)) >= 22  # no clip twice while others have not been heard


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_goes_on_in_mid_epoch_with_more_processes_or_fewer(trained: Trained, recipe: str) -> None:
    one, chain = several.losses(trained.run(recipe, 1)), several.losses(trained.run(recipe, "chain"))
    assert len(chain) == STEPS
    assert chain == pytest.approx(one, rel=CLOSE)
    # The last share, of one process, is read from where four stopped.
    crops = several.crops_of_steps(trained.notes(recipe, 1), 1)
    assert several.crops_of_steps(trained.root / f"{recipe}-chain-notes", 1) == crops[CUTS[1] :]


def test_what_cannot_be_done_together_is_refused_by_all_and_said_by_one(sounds: Path, tmp_path: Path) -> None:
    recipe = RECIPES[0]
    overrides = [*several.overrides_of(recipe, sounds, steps=1), "cache_gib=0"]  # every process reads the files
    fewer, gone = tmp_path / "fewer", tmp_path / "gone"
    shutil.copytree(sounds, fewer)
    (fewer / "05.flac").unlink()
    cases = {
        "data": {"only": {"1": {"overrides": [*overrides, f"data={fewer}"]}}},
        "nothing": {"only": {"1": {"overrides": [*overrides, f"data={gone}"]}}},
        "recipe": {"only": {"1": {"overrides": [*overrides, "learning_rate=0.5"]}}},
        "batch": {"overrides": [*overrides, "batch_size=2", "accumulate=2"]},
        "locked": {},
        "folder": {"only": {"1": {"out": str(tmp_path / "elsewhere")}}, "environment": {"AURICLE_PATIENCE": "1"}},
        "well": {},
    }
    base = {"recipe": recipe, "overrides": overrides}
    jobs = [
        {**base, "out": str(tmp_path / name), "notes": str(tmp_path / f"{name}-notes"), **case}
        for name, case in cases.items()
    ]
    with FolderLock(tmp_path / "locked"):
        several.do_with(2, jobs, tmp_path)

    def said(name: str) -> str:
        return several.said(tmp_path / f"{name}-notes", 2)

    assert "the processes have different data: number of clips is 24 for process 0" in said("data")
    assert "but 23 for process 1" in said("data") and "a copy of the same pack" in said("data")
    assert said("nothing").startswith("process 1 on ")
    assert f"{gone} does not exist" in said("nothing")
    assert "different recipes: learning_rate is " in said("recipe")
    assert "but 0.5 for process 1" in said("recipe") and "the same command" in said("recipe")
    assert "2 processes cannot share a batch of 1 crops" in said("batch") and "start at most 1" in said("batch")
    assert f"{tmp_path / 'locked'} is being written by process " in said("locked")
    assert f"{tmp_path / 'elsewhere'} is not the folder that process 0 writes to" in said("folder")
    # …and none of this keeps the same processes from working together afterwards.
    assert not (tmp_path / "well-notes" / "said-0.json").exists()
    assert len(several.losses(tmp_path / "well")) == 1
