"""How a plan says what a stage takes."""

from collections.abc import Sequence

from auricle.study.base import Probe
from auricle.study.plan.holdings import Holding, in_hours


def stage_line(what: str, seconds: float, disk: float | None, rate: str) -> str:
    """A stage, its time, the bytes that it leaves, and the rate that this is reckoned by."""
    size = "" if disk is None else f"  {disk / 1e9:>8,.1f} GB"
    return f"{what:16} {in_hours(seconds / 3600):>12}{size:11}  at {rate}"


def probing_line(probe: Probe, tasks: Sequence[Holding], encoders: int, seconds: float) -> str:
    """All probes of these encoders; `seconds` are those of a clip in one probe of one seed."""
    probes = sum(task.clips * task.parts for task in tasks) * len(probe.seeds) * encoders
    return stage_line("probing", probes * seconds, None, f"{1000 * seconds:.1f} ms per clip, probe and seed")


def memory_line(peak: int) -> str:
    """What must fit into memory."""
    return f"memory: {peak / 1e9:.1f} GB at the peak of pre-training; embeddings stay on disk"
