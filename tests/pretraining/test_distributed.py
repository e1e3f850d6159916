"""Two and four processes under torchrun learn what one learns, from the same crops, and take over from each other."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.files import FolderLock
from packing.sounds import noise, write

from . import several

STEPS = 6
CLOSE = 5e-4  # relative: sums in another order, through so many updates
KINDS = ["byol", "conformer"]
# Who goes on with a run: from its start to step 2 one process, to step 4 two, to step 5 four, to the end one again.
CUTS = {2: 2, 4: 4, 1: 5}


@dataclass
class Trained:
    """What all the processes left: runs by kind, and beside them what they noted."""

    root: Path
    data: Path

    def run(self, kind: str, who: object) -> Path:
        return self.root / f"{kind}-{who}"

    def notes(self, kind: str, who: object) -> Path:
        return self.root / f"{kind}-{who}-notes"

    def job(self, kind: str, who: object) -> dict[str, Any]:
        """A new run."""
        overrides = several.overrides_of(kind, self.data, steps=STEPS)
        return self.chain(kind, who) | {"recipe": several.KINDS[kind][0], "overrides": overrides}

    def chain(self, kind: str, who: object = "chain") -> dict[str, Any]:
        """The rest of one that is there."""
        return {"out": str(self.run(kind, who)), "notes": str(self.notes(kind, who))}


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


def refused(trained: Trained) -> list[dict[str, Any]]:
    """Runs that two processes cannot do together, each for another reason, and then one that they can.

    In the very last one process hangs, which the other does not wait for.
    """
    base = trained.job("byol", "refused")
    overrides = [*base["overrides"], "steps=1", "cache_gib=0"]  # every process reads the files
    fewer = trained.root / "fewer"
    shutil.copytree(trained.data, fewer)
    (fewer / "05.flac").unlink()
    cases: dict[str, dict[str, Any]] = {
        "data": {"only": {"1": {"overrides": [*overrides, f"data={fewer}"]}}},
        "nothing": {"only": {"1": {"overrides": [*overrides, f"data={trained.root / 'gone'}"]}}},
        "recipe": {"only": {"1": {"overrides": [*overrides, "learning_rate=0.5"]}}},
        "batch": {"overrides": [*overrides, "batch_size=2", "accumulate=2"]},
        "locked": {},
        "folder": {"only": {"1": trained.chain("elsewhere")}, "patience": 1},
        "well": {},
        "hanging": {"patience": 2, "only": {"1": {"hang": 5}}},
    }
    return [{**base, "overrides": overrides, **trained.chain(name), **case} for name, case in cases.items()]


@pytest.fixture(scope="module")
def trained(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All kinds in one, two and four processes; and one run of each that all of them have a share in.

    Starting processes is what takes long here, so they do everything in turn.
    """
    trained = Trained(tmp_path_factory.mktemp("trained"), sounds)
    several.do([trained.job(kind, 1) for kind in [*KINDS, "quantised"]], rank=0)
    for processes, step in CUTS.items():
        for kind in KINDS:
            chain = trained.run(kind, "chain")
            if not chain.exists():
                shutil.copytree(trained.run(kind, 1), chain)
            several.cut_back(chain, step)
        jobs = [trained.chain(kind) for kind in KINDS]
        if processes == 1:
            several.do(jobs, rank=0)
            continue
        jobs += [trained.job(kind, processes) for kind in KINDS]
        if processes == 2:
            jobs += [trained.job("quantised", 2), *refused(trained)]
        with FolderLock(trained.run("locked", "chain")):
            several.do_with(processes, jobs, trained.root)
    return trained


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_of_one_process(trained: Trained, kind: str, processes: int) -> None:
    one, many = several.losses(trained.run(kind, 1)), several.losses(trained.run(kind, processes))
    assert len(one) == STEPS
    assert many[0] == pytest.approx(one[0], rel=1e-5)  # before any update only the order of sums differs
    assert many == pytest.approx(one, rel=CLOSE)
    assert np.ptp(one) > 10 * CLOSE * one[0]  # another batch or another update would show


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_crops_come_in_the_same_order_whoever_reads_them(trained: Trained, kind: str, processes: int) -> None:
    one = several.crops_of_steps(trained.notes(kind, 1), 1)
    many = several.crops_of_steps(trained.notes(kind, processes), processes)
    assert len(one) == STEPS
    assert many == one
    indices = sorted(index for step in one for index, _, _ in step)
    assert len(set(indices)) == len(indices)
    first_epoch = [clip for step in one for index, clip, _ in step if index < 24]
    assert len(first_epoch) == len(set(first_epoch)) >= 22  # no clip twice while others have not been heard


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_in_mid_epoch_with_more_processes_or_fewer(trained: Trained, kind: str) -> None:
    one, chain = several.losses(trained.run(kind, 1)), several.losses(trained.run(kind, "chain"))
    assert len(chain) == STEPS
    assert chain == pytest.approx(one, rel=CLOSE)
    # The last share, of one process, is read from where four stopped.
    crops = several.crops_of_steps(trained.notes(kind, 1), 1)
    assert several.crops_of_steps(trained.notes(kind, "chain"), 1) == crops[CUTS[1] :]


def test_codes_are_those_of_one_process(trained: Trained) -> None:
    one, two = (several.losses(trained.run("quantised", who)) for who in (1, 2))
    assert two[0] == pytest.approx(one[0], rel=1e-5)
    assert two == pytest.approx(one, rel=0.03)  # a last bit may choose another code


def test_what_cannot_be_done_together_is_refused_by_all_and_said_by_one(trained: Trained) -> None:
    def said(name: str) -> str:
        return several.said(trained.notes(name, "chain"), 2)

    assert "the processes have different data: number of clips is 24 for process 0" in said("data")
    assert "but 23 for process 1" in said("data") and "a copy of the same pack" in said("data")
    assert said("nothing").startswith("process 1 on ")
    assert f"{trained.root / 'gone'} does not exist" in said("nothing")
    assert "different recipes: learning_rate is " in said("recipe")
    assert "but 0.5 for process 1" in said("recipe") and "the same command" in said("recipe")
    assert "2 processes cannot share a batch of 1 crops" in said("batch") and "start at most 1" in said("batch")
    assert f"{trained.run('locked', 'chain')} is being written by process " in said("locked")
    # …and none of this keeps the same processes from working together afterwards.
    assert not (trained.notes("well", "chain") / "said-0.json").exists()
    assert len(several.losses(trained.run("well", "chain"))) == 1


def test_a_folder_that_is_not_shared_is_refused(trained: Trained) -> None:
    first, second = (
        (trained.notes(name, "chain") / f"said-{rank}.json").read_text()
        for rank, name in enumerate(["folder", "elsewhere"])
    )
    assert first == second
    assert f"{trained.run('elsewhere', 'chain')} is not the folder that process 0 writes to" in first


def test_a_process_that_hangs_is_not_waited_for(trained: Trained) -> None:
    said = (trained.notes("hanging", "chain") / "said-0.json").read_text()
    assert "process 0 of 2 on " in said
    assert "has heard nothing of another one for 2 s, which hangs or cannot be reached" in said
    assert f"auricle pretrain --resume {trained.run('hanging', 'chain')}" in said
