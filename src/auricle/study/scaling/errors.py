"""The errors of all points on one task: one minus the score, and what it would be with other test clips.

Where models are compared by another metric than a table shows (of several labels, or over time), the error changes with
other clips by the factor by which that one does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from auricle.stages import Stage, Stages
from auricle.study.intervals import Floats
from auricle.transfer.bootstrap import REPLICATES
from auricle.transfer.paired import answers_of, compared_by
from auricle.transfer.probing import Probed

ERRORS_VERSION = 1
_ERRORS = "errors.npy"


@dataclass(frozen=True)
class Errors:
    """What is measured of one task.

    Attributes
    ----------
    values
        ``(1 + draws, points, seeds)``: errors, then those with other test clips, drawn alike for all points.
    clips, clusters
        How many were scored, and how many units of the bootstrap they make.
    """

    values: Floats
    clips: int
    clusters: int


def errors_of(stages: Stages, probed: Sequence[Sequence[Probed[Any]]], *, seed: int) -> Errors:
    """Errors of every point and seed, unless they are there.

    Parameters
    ----------
    stages
        Where they are kept.
    probed
        Scores on one task, for each point seed by seed.
    seed
        Of the bootstrap.
    """
    task = probed[0][0].task

    def work(folder: Path) -> dict[str, Any]:
        found = [[one.evaluation() for one in of_point] for of_point in probed]
        metric = compared_by(task.metric, found[0][0])
        answers = [[answers_of([one], metric) for one in of_point] for of_point in found]
        known = [one for of_point in answers for one in of_point if one is not None]
        clusters = 1
        values = np.empty((1 + REPLICATES, len(probed), len(probed[0])))
        for place, of_point in enumerate(probed):
            values[:, place] = [1 - one.summary.value for one in of_point]
        if len(known) == values[0].size:  # every metric but AUROC, of which nothing is known clip by clip
            common = reduce(np.intersect1d, [one.rows for one in known])
            clusters = len(set(known[0].at(common).cluster) - {None}) + known[0].at(common).cluster.count(None)
            for (point, seed_row), one in np.ndenumerate(np.array(answers, dtype=object)):
                drawn = 1 - one.at(common).resampled(metric, seed=seed)
                least = _least(len(common))
                ratio = np.maximum(drawn, least) / max(drawn[0], least)
                values[1:, point, seed_row] *= np.where(np.isnan(ratio[1:]), 1.0, ratio[1:])
        clips = probed[0][0].summary.n
        np.save(folder / _ERRORS, np.maximum(values, _least(clips)))
        return {"clips": clips, "clusters": clusters}

    inputs = {"probes": [[one.key for one in of_point] for of_point in probed], "metric": task.metric, "seed": seed}
    done = stages.run(Stage("errors", task.name, ERRORS_VERSION, inputs), work)
    return Errors(np.load(done.folder / _ERRORS), **done.facts)


def _least(clips: int) -> float:
    """An error of none has no logarithm: half a clip stands for it."""
    return 0.5 / clips
