"""What a scaling study found, in sentences: how the error goes along each axis, and what its points cannot tell.

A law is claimed only where the interval of its exponent leaves 0 out; intervals are not corrected for their number.
"""

from collections.abc import Callable, Iterator

from auricle.study.intervals import Value
from auricle.study.scaling.definition import HOURS, STEPS, WIDTH
from auricle.study.scaling.laws import AxisLaw
from auricle.study.scaling.outcome import Outcome
from auricle.study.scaling.power_law import FLOOR_NEEDS
from auricle.words import counted, listed

PHRASES = {WIDTH: "parameters", HOURS: "hours of audio", STEPS: "steps"}


def sentences(outcome: Outcome) -> list[str]:
    """The summary, one statement each, as plain text."""
    return [*_what_was_done(outcome), *(_along(outcome, axis) for axis in outcome.axes), *_caveats(outcome)]


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f}".replace("-", "−")


def signed_percent(share: float) -> str:
    """A change in per cent of what changes."""
    return f"{100 * share:+.1f}".replace("-", "−")


def in_words(value: Value, word: Callable[[float], str]) -> str:
    """A number and its interval, for instance ``0.31 (0.2 … 0.42)``."""
    if value.low is None or value.high is None:
        return word(value.value)
    return f"{word(value.value)} ({word(value.low)} … {word(value.high)})"


def _what_was_done(outcome: Outcome) -> Iterator[str]:
    seeds = len(outcome.study.pretraining.seeds)
    ranges = []
    for axis in outcome.axes:
        ends = [outcome.tasks[0].laws[axis].x[end] for end in (0, -1)]
        low, high = (f"{end:,.3g}" if axis == HOURS else f"{end:,.0f}" for end in ends)
        ranges.append(f"{low} to {high} {PHRASES[axis]}")
    yield (
        f"{len(outcome.trained)} points × {counted(seeds, 'seed')}: {listed(ranges)}"
        f"{', all combined' if outcome.study.grid == 'full' else ', each varied alone from the largest of the others'}."
    )


def _along(outcome: Outcome, axis: str) -> str:
    """What an axis does to all tasks, in one sentence."""
    laws = {found.task.name: found.laws[axis] for found in outcome.tasks}
    if all(law.noise is None for law in laws.values()):
        return (
            f"With each doubling of {PHRASES[axis]}: no claim, since one training at each of so few points leaves "
            "unknown how much another would differ."
        )
    parts = []
    for direction, words in ((1, "falls"), (-1, "rises")):
        named = [f"{name} ({_changed(law)})" for name, law in laws.items() if law.direction == direction]
        if named:
            parts.append(f"the error {words} on {listed(named)}")
    untold = [f"{name} ({_changed(law)})" for name, law in laws.items() if law.direction == 0]
    if untold:
        parts.append(f"the interval includes no change, so that no law is claimed, on {listed(untold)}")
    return f"With each doubling of {PHRASES[axis]}: {'; '.join(parts)}."


def _changed(law: AxisLaw) -> str:
    return f"{in_words(law.change, signed_percent)} %"


def _caveats(outcome: Outcome) -> Iterator[str]:
    """Floors, bends, and what the intervals leave out."""
    laws = [(found.task.name, axis, law) for found in outcome.tasks for axis, law in found.laws.items()]
    settled = [(name, axis, law.floor) for name, axis, law in laws if law.levels_off and law.floor is not None]
    if settled:
        named = [f"{name} over {PHRASES[axis]} at {in_words(floor, percent)} %" for name, axis, floor in settled]
        yield (
            "The error levels off, as far as a power law with a floor tells, which is an extrapolation: "
            f"{listed(named)}."
        )
    bent = [f"{name} over {PHRASES[axis]}" for name, axis, law in laws if law.is_bent]
    if bent:
        yield (
            f"No straight line in logarithms, so that the exponent is an average over the range: {listed(bent)} (more "
            "than noise would bend, p < 0.05)."
        )
    few = [axis for axis in outcome.axes if len(outcome.tasks[0].laws[axis].x) < FLOOR_NEEDS]
    if few:
        over = listed(PHRASES[axis] for axis in few)
        yield f"Whether the error levels off over {over} cannot be asked with fewer than {FLOOR_NEEDS} points."
    noises = [found.noise for found in outcome.tasks if found.noise is not None]
    if noises and not noises[0].between_seeds:
        yield (
            "Every point was trained with a single seed: how much another would differ is taken from how the points "
            "scatter about straight lines, which is a guess."
        )
    alone = [found.task.name for found in outcome.tasks if found.errors.clusters == 1]
    if alone:
        yield (
            f"On {listed(alone)} intervals are for other trainings only, not for other test clips: these are a single "
            "cluster, or its score is not known clip by clip."
        )
