"""How tasks are scored, under names that results carry.

A protocol is named only when it was followed: a result that was made with other settings says which.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from auricle.errors import AuricleError
from auricle.transfer.probe_settings import ProbeSettings
from auricle.transfer.splits import Division


@dataclass(frozen=True)
class Protocol:
    """A way to train and score a probe.

    Attributes
    ----------
    name : str
        What results call it.
    settings : ProbeSettings
    source : str
        Where it comes from and what in it is our choice.
    seeds : tuple of int
        One probe per seed and fold.
    division : str
        Where validation clips come from; see :func:`auricle.transfer.splits.partitions`.
    fold_by_fold : bool
        Whether a score is the mean over folds; else clips of all folds are pooled, where the metric allows it.
    learning_rates : Mapping of str to float
        Those of single tasks, by the names of our registry.
    """

    name: str
    settings: ProbeSettings
    source: str
    seeds: tuple[int, ...] = (0, 1, 2)
    division: Division = "next fold"
    fold_by_fold: bool = False
    learning_rates: Mapping[str, float] = field(default_factory=dict)

    def settings_for(self, task: str) -> ProbeSettings:
        """The settings for a task, by its name in results."""
        rate = self.learning_rates.get(task.split(" ")[0])
        return self.settings if rate is None else dataclasses.replace(self.settings, learning_rate=rate)

    def label(self, settings: ProbeSettings, *, task: str = "") -> str:
        """The name, followed by every setting in which `settings` depart from the protocol (for a task)."""
        own = self.settings_for(task)
        changes = [
            f"{entry.name}={getattr(settings, entry.name)}"
            for entry in dataclasses.fields(settings)
            if getattr(settings, entry.name) != getattr(own, entry.name)
        ]
        return f"{self.name} ({', '.join(changes)})" if changes else self.name


_EVAR_RATES = {
    "esc50": 1e-3,
    "urbansound8k": 3e-5,
    "speech-commands": 3e-5,
    "nsynth": 1e-3,
    "voxceleb1": 4e-5,
    "voxforge": 1e-4,
    "gtzan": 1e-3,
    "surge": 3e-5,
}

PROTOCOLS = {
    "auricle": Protocol(
        name="auricle",
        settings=ProbeSettings(
            epochs=200,
            learning_rate=(1.0, 5.0, 25.0),
            batch_size=512,
            patience=None,
            class_weighted=False,
            standardise=True,
            weight_decay=(0.0, 1e-5, 1e-4),
            early_stopping=15,
            optimiser="descent",
        ),
        source=(
            "Ours: official folds or splits, standardised embeddings, one linear layer, gradient descent with "
            "momentum; learning rate, weight decay and epoch are chosen for every seed and fold by the loss on its "
            "validation part, of folds the one after the test fold; five seeds; 95 % intervals by a bootstrap over "
            "groups."
        ),
        seeds=(0, 1, 2, 3, 4),
    ),
    "ogg2025": Protocol(
        name="ogg2025",
        settings=ProbeSettings(),
        source=(
            "Ogg 2025 (arXiv 2502.02366), transfer learning. Not stated there and chosen here: batch size 64, class "
            "weights n / (C n_c), learning rate times 0.1 on a plateau, no standardisation, three seeds, all folds "
            "tested in turn with their predictions pooled."
        ),
    ),
    "evar": Protocol(
        name="evar",
        settings=ProbeSettings(
            epochs=200,
            learning_rate=3e-4,
            batch_size=200,
            patience=None,
            class_weighted=False,
            standardise=True,
            weight_decay=1e-8,
            early_stopping=20,
            select_by="score",
            loss_over_classes=True,
        ),
        source=(
            "EVAR, the evaluation of BYOL-A (Niizumi et al. 2023), from its published description: standardised "
            "embeddings, Adam, learning rates by task as used for BYOL-A v2 and 3e-4 elsewhere, cross-entropy divided "
            "by the number of classes, leave one fold out, a tenth of the rest held out where there is no validation "
            "part, seeds 42 to 44. Clips are heard whole, not in random crops."
        ),
        seeds=(42, 43, 44),
        division="held-out tenth",
        fold_by_fold=True,
        learning_rates=_EVAR_RATES,
    ),
    "hear": Protocol(
        name="hear (linear)",
        settings=ProbeSettings(
            epochs=500,
            learning_rate=(3.2e-3, 1e-3, 3.2e-4, 1e-4),
            batch_size=1024,
            patience=None,
            class_weighted=False,
            early_stopping=20,
            select_by="score",
        ),
        source=(
            "HEAR (Turian et al. 2022): nested folds, of which the one after the test fold selects, its learning "
            "rates, batch size and patience, selection by the validation score, means over folds. Its predictor has "
            "one or two hidden layers of 1,024; ours is linear, and results say so. Three seeds are our choice."
        ),
        fold_by_fold=True,
    ),
    "knn": Protocol(
        name="knn",
        settings=ProbeSettings(standardise=True, class_weighted=False, neighbours=(1, 3, 5, 10, 20, 50)),
        source=(
            "Nearest neighbours by the cosine between standardised embeddings: equal votes, of equally many the "
            "nearer; how many is chosen by the score on validation clips. Nothing is drawn, so one seed is enough."
        ),
        seeds=(0,),
    ),
}


def protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises
    ------
    AuricleError
        When there is none.
    """
    if name not in PROTOCOLS:
        raise AuricleError(f"there is no protocol {name!r}; choose {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
