"""Envelope: how a sound begins, how long it lasts, and how its strength swings.

The envelope is the root mean square in windows of 20 ms, one every 5 ms. Attack, temporal centroid and effective
duration follow the Timbre Toolbox (Peeters et al. 2011, section III-E) and, for the attack's fixed thresholds, Peeters
2004, section 4.1. Amplitude modulation is the strongest peak of the envelope's spectrum between 1 and 20 Hz, over
stretches of two seconds.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from auricle.explain.descriptors.entry import Descriptor
from auricle.explain.descriptors.sound import SAMPLE_RATE, TINY, Sound, running_energy

STEP = 80  # samples: 5 ms
WINDOW = 4 * STEP  # 20 ms: a period of the lowest pitch
ATTACK_FROM, ATTACK_TO = 0.2, 0.9  # of the largest amplitude
EFFECTIVE = 20.0  # dB below the largest, above which the sound lasts
RATES = (1.0, 20.0)  # Hz, of amplitude modulation
STRETCH = 400  # steps, 2 s, over which a modulation is looked for
SHALLOWEST = 0.03  # depth of a modulation that has a rate; what is shallower is hardly heard
PERIODS = 2.0  # of a modulation that a clip must hold for it to be one

_RATE_STEP = 0.1  # Hz
_SECONDS = STEP / SAMPLE_RATE


class Envelope(NamedTuple):
    """Amplitude envelopes of a batch.

    Attributes
    ----------
    amplitude
        ``(batch, steps)`` root mean square, 0 beyond each clip.
    steps
        ``(batch,)`` of each clip.
    silent
        ``(batch,)``: clips without any sound.
    """

    amplitude: Tensor
    steps: Tensor
    silent: Tensor


def envelope(sound: Sound) -> Envelope:
    """Amplitude envelope; windows are cut off at the clip's ends."""
    steps = sound.lengths.div(STEP, rounding_mode="floor").clamp(min=1)
    count = max(1, sound.waveform.shape[1] // STEP)
    middle = torch.arange(count, device=steps.device) * STEP + STEP // 2
    first = (middle - WINDOW // 2).clamp(min=0)
    last = (middle + WINDOW // 2).minimum(sound.lengths[:, None])
    total = sound.of(running_energy)
    energy = total.gather(1, last.clamp(max=total.shape[1] - 1)) - total[:, first.clamp(max=total.shape[1] - 1)]
    held = (last - first).clamp(min=1)
    inside = torch.arange(count, device=steps.device) < steps[:, None]
    power = (energy / held).to(sound.waveform.dtype).where(inside, 0.0)
    return Envelope(power.sqrt(), steps, power.amax(dim=1) <= TINY)


def attack_time(sound: Sound) -> Tensor:
    """From 20 to 90 % of the largest amplitude, where it is first reached: ``(batch,)`` s, at least 5 ms."""
    amplitude, _, silent = sound.of(envelope)
    relative = amplitude / amplitude.amax(dim=1, keepdim=True).clamp(min=TINY)
    index = torch.arange(relative.shape[1], device=relative.device)
    end = (relative >= ATTACK_TO).to(torch.int8).argmax(dim=1, keepdim=True)
    under = (relative < ATTACK_FROM) & (index < end)
    begin = torch.where(under, index + 1, 0).amax(dim=1, keepdim=True)
    seconds = (_crossing(relative, end, ATTACK_TO) - _crossing(relative, begin, ATTACK_FROM)) * _SECONDS
    return seconds.clamp(min=_SECONDS)[:, 0].masked_fill(silent, torch.nan)


def _crossing(relative: Tensor, index: Tensor, threshold: float) -> Tensor:
    """Step, linear between two, at which a rising envelope passes a threshold that it has passed at `index`."""
    high, low = relative.gather(1, index), relative.gather(1, (index - 1).clamp(min=0))
    between = ((high - threshold) / (high - low).clamp(min=TINY)).clamp(0, 1)
    return index - torch.where(index > 0, between, 0.0)


def temporal_centroid(sound: Sound) -> Tensor:
    """Centre of gravity of the energy over time: ``(batch,)`` s from the clip's start."""
    amplitude, _, silent = sound.of(envelope)
    time = (torch.arange(amplitude.shape[1], device=amplitude.device) + 0.5) * _SECONDS
    power = amplitude.square()
    return ((power @ time) / power.sum(dim=1).clamp(min=TINY)).masked_fill(silent, torch.nan)


def effective_duration(sound: Sound) -> Tensor:
    """How long the envelope is less than 20 dB below its largest: ``(batch,)`` s."""
    amplitude, _, silent = sound.of(envelope)
    above = amplitude >= 10 ** (-EFFECTIVE / 20) * amplitude.amax(dim=1, keepdim=True)
    return (above.sum(dim=1) * _SECONDS).masked_fill(silent, torch.nan)


class Modulation(NamedTuple):
    """The strongest amplitude modulation of each clip: ``(batch,)`` Hz, and its depth, 1 for all of the amplitude."""

    rate: Tensor
    depth: Tensor


def modulation(sound: Sound) -> Modulation:
    """Peak of the envelope's spectrum between 1 and 20 Hz, of what swings at least twice within the clip."""
    amplitude, steps, silent = sound.of(envelope)
    stretches = pad(amplitude, (0, max(0, STRETCH - amplitude.shape[1]))).unfold(1, STRETCH, STRETCH // 2)
    start = torch.arange(stretches.shape[1], device=amplitude.device) * (STRETCH // 2)
    whole = (start + STRETCH <= steps[:, None]) | (start == 0)
    length = steps.clamp(max=STRETCH)
    place = (torch.arange(STRETCH, device=amplitude.device) + 0.5) / length[:, None]
    window = torch.where(place < 1, 0.5 - 0.5 * (2 * math.pi * place).cos(), 0.0)[:, None]
    mean = (stretches * window).sum(dim=2, keepdim=True) / window.sum(dim=2, keepdim=True)
    waves = ((stretches - mean) * window) @ _waves(amplitude.device)
    power = (waves.square() * whole[:, :, None]).sum(dim=1).view(len(steps), 2, -1).sum(dim=1)
    level = ((mean[:, :, 0] * window.sum(dim=2)).square() * whole).sum(dim=1)

    seconds = length * _SECONDS
    left, centre, right = power[:, :-2], power[:, 1:-1], power[:, 2:]
    rates = RATES[0] + _RATE_STEP * torch.arange(power.shape[1] - 2, device=power.device)
    peak = (centre > left) & (centre >= right) & (rates >= PERIODS / seconds[:, None])
    strongest = centre.where(peak, -1.0).argmax(dim=1, keepdim=True)
    left, centre, right = (side.gather(1, strongest)[:, 0] for side in (left, centre, right))
    shift = 0.5 * (left - right) / (left - 2 * centre + right).clamp(max=-TINY)
    rate = (rates[strongest[:, 0]] + _RATE_STEP * shift.clamp(-1, 1)).clamp(*RATES)
    depth = 2 * (centre / level.clamp(min=TINY)).sqrt()
    depth = depth.clamp(max=2.0).masked_fill(~peak.any(dim=1), 0.0)
    none = depth < SHALLOWEST
    undefined = silent | (seconds * RATES[1] < PERIODS)
    return Modulation(rate.masked_fill(none | undefined, torch.nan), depth.masked_fill(undefined, torch.nan))


@cache
def _waves(device: torch.device) -> Tensor:
    """Cosines, then sines, one rate beyond both ends of the range: ``(steps, 2 * rates)``."""
    count = round((RATES[1] - RATES[0]) / _RATE_STEP) + 3
    rates = RATES[0] - _RATE_STEP + _RATE_STEP * torch.arange(count, dtype=torch.float64)
    angle = 2 * math.pi * torch.arange(STRETCH, dtype=torch.float64)[:, None] * _SECONDS * rates
    return torch.cat([angle.cos(), angle.sin()], dim=1).to(device, torch.float32)


def modulation_rate(sound: Sound) -> Tensor:
    """Rate of the strongest amplitude modulation: ``(batch,)`` Hz."""
    return sound.of(modulation).rate


def modulation_depth(sound: Sound) -> Tensor:
    """Depth of the strongest amplitude modulation: ``(batch,)``, 0 where nothing swings."""
    return sound.of(modulation).depth


_TOOLBOX = "Peeters et al. 2011, III-E"

DESCRIPTORS = (
    Descriptor(
        name="attack_time",
        family="envelope",
        unit="s",
        range=(0.0, math.inf),
        definition="time from 20 to 90 % of the largest amplitude, on the rise that first reaches 90 %; at least 5 ms",
        source="Peeters 2004, 4.1",
        compute=attack_time,
        logarithmic=True,
    ),
    Descriptor(
        name="temporal_centroid",
        family="envelope",
        unit="s",
        range=(0.0, math.inf),
        definition="centre of gravity of the energy over time, from the clip's start",
        source=_TOOLBOX,
        compute=temporal_centroid,
    ),
    Descriptor(
        name="effective_duration",
        family="envelope",
        unit="s",
        range=(0.0, math.inf),
        definition="time that the amplitude is less than 20 dB below its largest",
        source=_TOOLBOX,
        compute=effective_duration,
        logarithmic=True,
    ),
    Descriptor(
        name="am_rate",
        family="envelope",
        unit="Hz",
        range=RATES,
        definition="rate of the strongest amplitude modulation between 1 and 20 Hz",
        source="ours, after " + _TOOLBOX,
        compute=modulation_rate,
        logarithmic=True,
    ),
    Descriptor(
        name="am_depth",
        family="envelope",
        unit="",
        range=(0.0, 2.0),
        definition="depth of the strongest amplitude modulation: swing over mean, 1 when it goes down to silence",
        source="ours, after " + _TOOLBOX,
        compute=modulation_depth,
    ),
)
