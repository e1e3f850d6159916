"""Where a study's sound comes from: tasks and diets, from datasets, folders, manifests or the sound world."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from auricle import synth
from auricle.datasets.registry import dataset, list_datasets, training_part
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.stages import fingerprint_of_sound
from auricle.study.base import DATASET_PREFIX, task_name
from auricle.transfer import task_source
from auricle.transfer.task import Clip, Task, clips_of


@dataclass(frozen=True)
class Diet:
    """Unlabelled sound to pre-train on: the parts that the study names, in its order."""

    name: str
    sources: tuple[str, ...]
    parts: tuple[Manifest, ...]

    @cached_property
    def sound(self) -> list[str]:
        """Fingerprint of what is heard, part by part."""
        return [fingerprint_of_sound(part) for part in self.parts]

    def manifest(self) -> Manifest:
        """All clips in one table, by absolute paths, so that it can lie anywhere."""
        rows = [{"path": path, "start": start, "end": end} for path, start, end in dict.fromkeys(self.clips())]
        return Manifest.from_rows(rows, root=Path("/"), source=f"diet {self.name}")

    def clips(self) -> Iterator[Clip]:
        """Every clip; one that several sources hold comes several times."""
        for part in self.parts:
            yield from clips_of(part)


def find_task(source: str, root: Path) -> Task:
    """A task by the name of its dataset or by its manifest, relative to the folder of all data."""
    task = task_source.find_task(source, root)
    return replace(task, name=task_name(source), title=task_name(source)) if task.is_own else task


def find_diet(name: str, sources: Iterable[str], root: Path) -> Diet:
    """A diet from datasets (their training parts), folders and manifests, relative to the folder of all data."""
    sources = tuple(sources)
    return Diet(name, sources, tuple(_part(source, root) for source in sources))


def _part(source: str, root: Path) -> Manifest:
    if source.startswith(DATASET_PREFIX):
        return training_part(dataset(source.removeprefix(DATASET_PREFIX)).load(root))
    path = root / source
    if path.is_dir():
        return Manifest.from_folder(path)
    if not path.exists():
        hint = f"; did you mean {DATASET_PREFIX}{source}?" if source in list_datasets() else ""
        raise AuricleError(f"no source {source}: {path} is neither a folder nor a manifest{hint}")
    return training_part(Manifest.read(path))


def world_tasks(world: synth.SoundWorld, names: Iterable[str]) -> list[Task]:
    """Tasks of the sound world by name."""
    known = {task.name: task for task in synth.TASKS}
    tasks = []
    for name in names:
        if name not in known:
            raise AuricleError(f"the sound world has no task {name}; it has {', '.join(known)}")
        task = known[name]
        tasks.append(
            Task(
                name=name,
                title=name,
                manifest=Manifest.read(world.tasks[name]),
                kind=task.kind,
                positive=task.positive,
                metric="average_precision" if task.kind == "binary" else "accuracy",
                about=f"{task.description}; made by auricle.synth",
            )
        )
    return tasks


def world_diet(world: synth.SoundWorld, name: str, sources: Iterable[str]) -> Diet:
    """A diet of the sound world's unlabelled sound."""
    sources = tuple(sources)
    for source in sources:
        if source not in world.diets:
            raise AuricleError(f"the sound world has no unlabelled {source}; it has {', '.join(world.diets)}")
    return Diet(name, sources, tuple(Manifest.read(world.diets[source]) for source in sources))


def overlap(diet: Diet, task: Task) -> int:
    """Number of a task's validation and test clips whose files stand in a diet."""
    files = {path for path, _, _ in diet.clips()}
    held_out = task.manifest
    splits = held_out.column("split") if held_out.has("split") and not held_out.has("fold") else None
    clips = [1] * len(held_out) if task.rows is None else np.bincount(task.rows, minlength=len(held_out)).tolist()
    return sum(
        clips[row]
        for row, (path, _, _) in enumerate(clips_of(held_out))
        if path in files and (splits is None or splits[row] != "train")
    )
