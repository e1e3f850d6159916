"""All descriptors by name, and a batch of clips described by them.

A family is one file; its descriptors stand in a tuple at its end, and this registry is all of those tuples.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.explain.descriptors import envelope, harmonicity, level, modulation, shape, variability
from auricle.explain.descriptors.entry import Descriptor
from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound
from auricle.explain.descriptors.statistics import summarise

VERSION = 1  # rises whenever a value changes

_SAMPLES = 20 * SAMPLE_RATE  # described together, so that spectra stay near the processor

DESCRIPTORS: Mapping[str, Descriptor] = MappingProxyType(
    {
        entry.name: entry
        for family in (level, shape, variability, harmonicity, envelope, modulation)
        for entry in family.DESCRIPTORS
    }
)
COLUMNS: Mapping[str, Descriptor] = MappingProxyType(
    {column: entry for entry in DESCRIPTORS.values() for column in entry.columns}
)


def list_descriptors(family: str | None = None) -> list[str]:
    """Names of all descriptors, or of those of a family.

    Raises
    ------
    AuricleError
        When there is no such family.
    """
    families = dict.fromkeys(entry.family for entry in DESCRIPTORS.values())
    if family is not None and family not in families:
        raise AuricleError(f"no family of descriptors is called {family!r} (there are {', '.join(families)})")
    return [name for name, entry in DESCRIPTORS.items() if family in (None, entry.family)]


def columns_of(names: Iterable[str] | None) -> tuple[str, ...]:
    """Columns of the descriptors, families or columns called `names`, each once; all of them by default.

    Raises
    ------
    AuricleError
        When there is nothing of a name.
    """
    if names is None:
        return tuple(COLUMNS)
    found: dict[str, None] = {}
    for name in names:
        if name in COLUMNS:
            found[name] = None
        elif name in DESCRIPTORS:
            found |= dict.fromkeys(DESCRIPTORS[name].columns)
        else:
            members = [column for column, entry in COLUMNS.items() if entry.family == name]
            if not members:
                near = difflib.get_close_matches(name, [*DESCRIPTORS, *COLUMNS], n=1)
                hint = f"; did you mean {near[0]}?" if near else "; see docs/descriptors.md for all"
                raise AuricleError(f"no descriptor is called {name!r}{hint}")
            found |= dict.fromkeys(members)
    return tuple(found)


@torch.no_grad()
def describe(
    waveform: Tensor, lengths: Tensor | None = None, *, names: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """Acoustic descriptors of a batch of clips.

    Parameters
    ----------
    waveform
        ``(batch, samples)`` float32 at 16 kHz.
    lengths
        ``(batch,)`` samples of each clip, at least 1; by default all of them. A clip's values do not depend on what it
        is batched with or padded by.
    names
        Descriptors, families or columns; all by default.

    Returns
    -------
    dict
        Column → ``(batch,)``; NaN where a clip has no such property (silence has no centroid, noise no pitch).

    Raises
    ------
    AuricleError
        When a name is unknown, or the waveform is empty or of another shape.

    Examples
    --------
    >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    >>> round(describe(tone[None], names=["f0_median"])["f0_median"].item())
    1000
    """
    columns = columns_of(names)
    if waveform.ndim != 2 or waveform.shape[1] == 0:
        raise AuricleError(f"expected waveforms (batch, samples) of at least one sample, got {tuple(waveform.shape)}")
    if len(waveform) == 0:
        return {column: waveform.new_empty(0) for column in columns}
    rows = max(1, _SAMPLES // waveform.shape[1])
    parts = [
        _described(Sound(waveform[row : row + rows], None if lengths is None else lengths[row : row + rows]), columns)
        for row in range(0, len(waveform), rows)
    ]
    return {column: torch.cat([part[column] for part in parts]) for column in columns}


def _described(sound: Sound, columns: tuple[str, ...]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    series: dict[int, dict[str, Tensor]] = {}  # of as many frames
    for name, entry in {COLUMNS[column].name: COLUMNS[column] for column in columns}.items():
        values = entry.compute(sound)
        if entry.statistics:
            series.setdefault(values.shape[1], {})[name] = values
        else:
            found[name] = values
    for together in series.values():
        for statistic, values in summarise(torch.stack(list(together.values()))).items():
            found |= {f"{name}_{statistic}": value for name, value in zip(together, values, strict=True)}
    return {column: found[column] for column in columns}
