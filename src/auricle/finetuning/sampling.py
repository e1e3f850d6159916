"""Which labelled clips a training sees and how often: nested shares of the labels, and rare classes drawn as often.

A share is a prefix of one random order, so that a smaller one lies within a larger one of the same seed, and classes
keep their proportions. Class-balanced sampling weighs a clip by the inverse frequencies of its labels, as is customary
for AudioSet (Kong et al. 2020, PANNs, section III-A); how draws follow from the weights is ours.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.crops import Crops
from auricle.errors import AuricleError

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def nested_share(labels: NDArray[np.bool_], *, share: float, seed: int) -> Rows:
    """A random share of some clips: ascending positions; a larger share of the same seed holds a smaller one.

    Parameters
    ----------
    labels
        ``(n, outputs)``: which outputs are true of each clip; a clip counts for the rarest of its labels.
    share
        In (0, 1].
    seed
        Of the choice.

    Raises
    ------
    AuricleError
        When the share has fewer clips than there are classes.
    """
    strata = _rarest(labels)
    wanted, classes = round(share * len(strata)), len(np.unique(strata))
    if wanted < classes:
        raise AuricleError(
            f"a label_share of {share:g} is {wanted} of {len(strata):,} training clips, fewer than the {classes} "
            f"classes: {classes / len(strata):.3g} is the least"
        )
    return np.sort(_nested_order(strata, seed)[:wanted])


def _nested_order(strata: Rows, seed: int) -> Rows:
    """Positions such that every prefix has about the same share of each stratum; first comes one of each."""
    generator = randomness.generator(seed, "share of labels")
    place = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = generator.permutation(np.flatnonzero(strata == stratum))
        rank = np.arange(len(members))
        place[members] = np.where(rank == 0, -1.0, 0.0) + (rank + generator.random(len(members))) / len(members)
    return np.argsort(place, kind="stable")


def _rarest(labels: NDArray[np.bool_]) -> Rows:
    """``(n,)`` the rarest label of each clip; -1 where there is none."""
    frequency = np.where(labels.any(axis=0), labels.sum(axis=0), len(labels) + 1)
    rarest = np.where(labels, frequency, len(labels) + 2).argmin(axis=1)
    return np.where(labels.any(axis=1), rarest, -1)


def balancing_weights(labels: NDArray[np.bool_], *, power: float) -> Floats:
    """How often each clip is to be drawn, relative to others: (Σ over its labels of 1 / clips with that label) ^ power.

    What has none of the labels counts as a class of its own. The mean is 1.

    Parameters
    ----------
    labels
        ``(n, outputs)``: which outputs are true of each clip.
    power
        0 draws all clips alike, 1 all classes (where each clip has one).
    """
    none = ~labels.any(axis=1, keepdims=True)
    classes = np.concatenate([labels, none], axis=1)
    found: Floats = (classes @ (1 / np.maximum(classes.sum(axis=0), 1))) ** power
    found /= found.mean()
    return found


class BalancedCrops(Crops):
    """Crops of clips that are drawn by weights: in an epoch each as often as its weight says, rounded at random.

    Parameters
    ----------
    weights
        ``(members,)`` of mean 1.
    options
        Of :class:`auricle.crops.Crops`, with ``sampling="clip"``.
    """

    def __init__(self, *args: Any, weights: Floats, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ends = np.cumsum(weights) / np.sum(weights)

    def _ordered(self, epoch: int, places: Rows) -> Rows:
        """Which members stand at these places of an epoch's order."""
        # Systematic sampling: one random number places a comb of equal distances on the weights laid end to end.
        offset = randomness.generator(self.seed, "balanced order", epoch).random()
        teeth = randomness.permuted(self.seed, "balanced order", epoch, places, len(self))
        return np.minimum(np.searchsorted(self._ends, (teeth + offset) / len(self), side="right"), len(self) - 1)
