"""Transfer: what an encoder's embeddings are good for, measured by probes on labelled tasks."""

from auricle.transfer.bootstrap import PairedDifference, paired_difference
from auricle.transfer.evaluation import Evaluation, compare, evaluate
from auricle.transfer.probe import ProbeSettings

__all__ = ["Evaluation", "PairedDifference", "ProbeSettings", "compare", "evaluate", "paired_difference"]
