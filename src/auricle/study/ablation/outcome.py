"""What an ablation found: how each changed recipe does against the recipe as it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from auricle.comparisons import Comparison, Judged, judged
from auricle.explain.invariance import Invariance
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.results import Result
from auricle.study.ablation.definition import BASE, Ablation, Variant
from auricle.study.encoders import Training
from auricle.transfer.probing import Probed
from auricle.transfer.task import Task
from auricle.words import listed

_LAST = 10  # metrics of the last so many lines are averaged
_WATCHED = ("accuracy", "chance")  # of the contrastive task


@dataclass(frozen=True)
class VariantEncoder:
    """The encoder of one row and seed."""

    variant: Variant
    seed: int
    source: str
    fingerprint: str
    recipe: str

    @property
    def label(self) -> str:
        """One line that tells it from all others."""
        return f"{self.variant.title}, seed {self.seed}"

    @property
    def names(self) -> dict[str, str | None]:
        """What results call it."""
        return {"model": f"{self.recipe} {self.variant.words}".rstrip()}

    def load(self, device: torch.device) -> Encoder:
        """The encoder itself, ready to embed."""
        return registry.load(self.source).to(device)


@dataclass(frozen=True)
class Outcome:
    """All that a report shows.

    Attributes
    ----------
    study, command
        Its definition, and what repeats it.
    variants, tasks, trainings
        What it was made of; trainings by row and seed.
    probed, comparisons
        Scores, and every row against the recipe as it is (named a, the recipe b).
    altered
        What the embeddings of each row do not change with, seed by seed, by its title; empty where it is not asked for.
    notices, seconds
        What a reader should know; time of all stages together.
    """

    study: Ablation
    command: str
    variants: list[Variant]
    tasks: list[Task]
    trainings: dict[str, list[Training]]
    probed: list[Probed[VariantEncoder]]
    comparisons: list[Comparison]
    altered: Mapping[str, list[list[Invariance]]]
    notices: list[str]
    seconds: float

    @property
    def results(self) -> list[Result]:
        """Every row of the results file."""
        return [result for probed in self.probed for result in probed.results]

    def summaries(self, variant: Variant, task: Task) -> list[Result]:
        """The scores of a row on a task, seed by seed."""
        return [one.summary for one in self.probed if one.task is task and one.encoder.variant.title == variant.title]

    def against(self) -> dict[tuple[str, str], Judged]:
        """(title, task) → the comparison with the recipe as it is, corrected for all of the study."""
        return {(one.compared.a, one.compared.task): one for one in judged(self.comparisons)}

    def watched(self, variant: Variant) -> dict[str, float]:
        """Contrastive accuracy and chance at the end of training, means over seeds; empty for another objective."""
        found = [last_metrics(training.stage.folder / "metrics.jsonl") for training in self.trainings[variant.title]]
        return {name: fmean(one[name] for one in found) for name in _WATCHED if all(name in one for one in found)}

    @property
    def sentences(self) -> list[str]:
        """The summary."""
        against = self.against()
        said = [f"{len(self.variants) - 1} changes of {self.probed[0].encoder.recipe}, each on its own."]
        for task in self.tasks:
            own = {title: one for (title, name), one in against.items() if name == task.name}
            for verdict, words in ((1, "better than"), (-1, "worse than")):
                titles = [f"{title} ({_signed(one)})" for title, one in own.items() if one.verdict == verdict]
                if titles:
                    said.append(f"{task.name}: {words} {BASE}, in points: {listed(titles)}.")
            if not any(one.verdict for one in own.values()):
                said.append(f"{task.name}: no change makes a difference that this test can see.")
        return said


def last_metrics(path: Path) -> dict[str, float]:
    """Means of what training was watched by, over its last lines."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][-_LAST:]
    return {name: fmean(row[name] for row in rows) for name in _WATCHED if all(name in row for row in rows)}


def _signed(one: Judged) -> str:
    return f"{100 * one.compared.difference:+.1f}".replace("-", "−")


def mean_of(results: Sequence[Result]) -> float:
    """Mean value."""
    return fmean(result.value for result in results)
