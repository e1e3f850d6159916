"""Transfer: what an encoder's embeddings are good for, measured by probes on labelled tasks."""

from auricle.transfer.bootstrap import PairedDifference, paired_difference
from auricle.transfer.evaluation import Evaluation, compare, evaluate
from auricle.transfer.fitted import FittedProbe
from auricle.transfer.fitting import fit_probe
from auricle.transfer.frames import evaluate_frames
from auricle.transfer.probe import ProbeSettings

__all__ = [
    "Evaluation",
    "FittedProbe",
    "PairedDifference",
    "ProbeSettings",
    "compare",
    "evaluate",
    "evaluate_frames",
    "fit_probe",
    "paired_difference",
]
