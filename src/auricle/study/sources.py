"""Where a study's sound comes from: tasks and diets, from datasets, folders, manifests or the sound world."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from auricle import synth
from auricle.clips import Stretch, measure
from auricle.corpora.diets import clips_of_diet, load_diet
from auricle.corpora.registry import corpus
from auricle.datasets.registry import dataset, list_datasets, training_part
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.randomness import generator
from auricle.stages import fingerprint_of_sound
from auricle.study.base import DATASET_PREFIX, task_name
from auricle.transfer import task_source
from auricle.transfer.task import Clip, Task, clips_of

CORPUS_PREFIX = "corpus:"
DIET_PREFIX = "diet:"
_CLOCK = 16_000  # Hz: how finely clips are measured
_READERS = 4  # threads that read headers

LeaveOut = Mapping[str, Sequence[str]]  # column of a manifest → shell patterns of its values


@dataclass(frozen=True)
class Diet:
    """Unlabelled sound to pre-train on: the parts that the study names, in its order."""

    name: str
    sources: tuple[str, ...]
    parts: tuple[Manifest, ...]
    mixed: tuple[str, ...] = ()  # which other diet each source comes from, where it mixes diets in equal shares
    of: str | None = None  # the study's diet that this is a part of

    @property
    def title(self) -> str:
        """The study's diet that it stands for."""
        return self.of or self.name

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

    def without(self, name: str) -> "Diet | None":
        """The same without the dataset or manifest of a task; None where that is no part of it.

        Raises
        ------
        AuricleError
            When nothing would be left.
        """
        named = [task_name(source.removeprefix(DATASET_PREFIX)) for source in self.sources]
        kept = [place for place, source in enumerate(named) if source != name]
        if len(kept) == len(named):
            return None
        if not kept:
            raise AuricleError(f"diet {self.name} without {name} is nothing: {name} cannot be scored without it")
        return Diet(
            f"{self.name} without {name}",
            tuple(self.sources[place] for place in kept),
            tuple(self.parts[place] for place in kept),
            tuple(self.mixed[place] for place in kept) if self.mixed else (),
            of=self.title,
        )

    @cached_property
    def lengths(self) -> list[dict[Clip, float]]:
        """Every clip that can be used, once, and its seconds, for each of the diets that are mixed."""
        mixed = self.mixed or ("",) * len(self.parts)
        found = []
        for name in dict.fromkeys(mixed):
            parts = [part for part, of in zip(self.parts, mixed, strict=True) if of == name]
            clips = {Stretch(Path(clip[0]), *clip[1:]): clip for part in parts for clip in clips_of(part)}
            usable, lengths, _ = measure(list(clips), sample_rate=_CLOCK, workers=_READERS)
            found.append({clips[stretch]: samples / _CLOCK for stretch, samples in zip(usable, lengths, strict=True)})
        return found

    @property
    def most_seconds(self) -> float:
        """How long it can be: all of it, or as often the shortest of the diets that it mixes as there are."""
        return len(self.lengths) * min(sum(lengths.values()) for lengths in self.lengths)

    def shortened(self, seconds: float, *, seed: int) -> "Diet":
        """As many random clips as make up so many seconds, the last of them cut off; of mixed diets equally many."""
        rows: list[dict[str, str | float | None]] = []
        for number, lengths in enumerate(self.lengths):
            rest, clips = seconds / len(self.lengths), list(lengths.items())
            for place in generator(seed, f"hours of {self.title}", number).permutation(len(clips)):
                if rest <= 0:
                    break
                (path, start, end), length = clips[place]
                rows.append({"path": path, "start": start, "end": end if length <= rest else start + rest})
                rest -= length
        drawn = Manifest.from_rows(rows, root=Path("/"), source=f"diet {self.name}")
        return replace(self, parts=(drawn,), mixed=())


def served(diets: Sequence[Diet], tasks: Sequence[Task]) -> dict[tuple[str, str], Diet]:
    """By diet and task, what is heard before the task is scored: the diet, without the task's own dataset.

    Parameters
    ----------
    diets
        Whole ones.
    tasks
        All of a study.
    """
    variants: dict[str, Diet] = {}
    found = {}
    for diet in diets:
        for task in tasks:
            variant = diet.without(task.short_name) or diet
            found[diet.name, task.name] = variants.setdefault(variant.name, variant)
    return found


def of_equal_hours(diets: Sequence[Diet], *, seed: int) -> list[Diet]:
    """Every diet as long as the shortest of them.

    Raises
    ------
    AuricleError
        When one holds no sound.
    """
    for diet in diets:
        if not diet.most_seconds:
            raise AuricleError(f"nothing in diet {diet.name} can be read")
    shortest = min(diet.most_seconds for diet in diets)
    return [diet.shortened(shortest, seed=seed) for diet in diets]


def find_task(source: str, root: Path, *, hop: float | None = None) -> Task:
    """A task by the name of its dataset, its excerpts `hop` seconds apart, or by its manifest below the data's root."""
    task = task_source.find_task(source, root, hop=hop)
    return replace(task, name=task_name(source), title=task_name(source)) if task.is_own else task


def find_diets(diets: Mapping[str, Iterable[str]], part: Callable[[str], Manifest]) -> list[Diet]:
    """Diets by name, each made of sources, whose clips `part` finds, or of earlier diets, by their names."""
    found: dict[str, Diet] = {}
    for name, sources in diets.items():
        pieces: list[tuple[str, Manifest, str]] = []
        for source in sources:
            if (other := found.get(source)) is not None:
                pieces += [(*piece, source) for piece in zip(other.sources, other.parts, strict=True)]
            else:
                pieces.append((source, part(source), source))
        mixes = any(source in found for source in sources)
        found[name] = Diet(
            name,
            tuple(source for source, _, _ in pieces),
            tuple(clips for _, clips, _ in pieces),
            tuple(of for _, _, of in pieces) if mixes else (),
        )
    return list(found.values())


def find_diet(name: str, sources: Iterable[str], root: Path, *, leave_out: LeaveOut = MappingProxyType({})) -> Diet:
    """A diet from datasets (their training parts), folders and manifests, relative to the folder of all data."""
    (found,) = find_diets({name: sources}, lambda source: left_out(find_part(source, root), leave_out))
    return found


def left_out(part: Manifest, leave_out: LeaveOut) -> Manifest:
    """A part of a diet without the clips whose column bears a value of one of the patterns.

    Raises
    ------
    AuricleError
        When nothing would be left.
    """
    for column, patterns in leave_out.items():
        if not part.has(column):
            continue
        values = map(str, part.column(column))
        kept = [row for row, value in enumerate(values) if not any(fnmatchcase(value, one) for one in patterns)]
        if not kept:
            raise AuricleError(f"`leave_out` leaves nothing of {part.source}: every {column} is one of its own")
        part = part.select(kept)
    return part


def find_part(source: str, root: Path) -> Manifest:
    """What a diet takes of a dataset, corpus, folder or manifest, relative to the folder of all data."""
    for prefix, load in _NAMED.items():
        if source.startswith(prefix):
            return load(source.removeprefix(prefix), root)
    path = root / source
    if path.is_dir():
        return Manifest.from_folder(path)
    if not path.exists():
        hint = f"; did you mean {DATASET_PREFIX}{source}?" if source in list_datasets() else ""
        raise AuricleError(f"no source {source}: {path} is neither a folder nor a manifest{hint}")
    return training_part(Manifest.read(path))


def _mixture(name: str, root: Path) -> Manifest:
    """The clips of one of `auricle corpora`'s diets."""
    mixture = load_diet(name)
    if len(set(mixture.corpora.values())) > 1:
        raise AuricleError(f"diet {name} weights its corpora, which a study does not do: name them one by one")
    return clips_of_diet(mixture, root).manifest


_NAMED: Mapping[str, Callable[[str, Path], Manifest]] = {
    DATASET_PREFIX: lambda name, root: training_part(dataset(name).load(root)),
    CORPUS_PREFIX: lambda name, root: corpus(name).load(root),
    DIET_PREFIX: _mixture,
}


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


def world_part(world: synth.SoundWorld, source: str) -> Manifest:
    """Some of the sound world's unlabelled sound."""
    if source not in world.diets:
        raise AuricleError(f"the sound world has no unlabelled {source}; it has {', '.join(world.diets)}")
    return Manifest.read(world.diets[source])


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
