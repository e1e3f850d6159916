"""YIN: the period of each frame, and how exactly the sound repeats after it.

de Cheveigné & Kawahara 2002, steps 1 to 5: the squared difference of a window of 50 ms with itself later, divided by
its mean over all shorter lags; the period is the first deep dip, placed between lags by a parabola. Frames are 10 ms
apart, the range is 50 to 2000 Hz. One step is ours: a dip is deep when it comes near the deepest, not when it is below
0.1. Below that also lies half the period of a note whose second harmonic is strong, and in some noise nothing does, so
that the deepest of all multiples of the period would win.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound

LOWEST, HIGHEST = 50.0, 2000.0  # Hz
WINDOW = 800  # samples, 50 ms, over which a frame is compared with itself
HOP = 160  # samples, 10 ms
SHORTEST, LONGEST = int(SAMPLE_RATE / HIGHEST), int(SAMPLE_RATE / LOWEST)  # samples: periods looked for
SPAN = WINDOW + LONGEST
SLACK, OFFSET = 1.5, 0.03  # the first dip that is at most so many times the deepest and so much is the period

_N_FFT = 512  # no lag of a hop reaches round its end
_FRAMES = 256  # looked at together: their curves then stay in the processor's cache
_TINY = 1e-12
_NO_DIP = 1e6  # added to the depth where there is none


@dataclass(frozen=True)
class Periods:
    """What YIN finds in the frames of a batch; NaN in frames that do not count.

    Attributes
    ----------
    fundamental
        ``(batch, frames)`` Hz, 50 to 2000.
    aperiodicity
        ``(batch, frames)``: the normalised difference at the period, 0 for a periodic frame and about 1 for noise.
    likeness
        ``(batch, frames)``: correlation of the window with itself one period later, at most 1.
    audible
        ``(batch, frames)``: frames that count.
    """

    fundamental: Tensor
    aperiodicity: Tensor
    likeness: Tensor
    audible: Tensor


def periods(sound: Sound) -> Periods:
    """The period of every frame of a batch."""
    waveform = sound.at_least(SPAN)
    steps = (waveform.shape[1] - SPAN) // HOP + 1
    # A window is five hops: what two frames share of their correlation is computed once.
    blocks = steps + WINDOW // HOP - 1
    heads = torch.fft.rfft(waveform.unfold(1, HOP, HOP)[:, :blocks], _N_FFT)
    spans = torch.fft.rfft(waveform.unfold(1, HOP + LONGEST, HOP)[:, :blocks], _N_FFT)
    products = torch.fft.irfft(spans * heads.conj(), _N_FFT)[:, :, : LONGEST + 1]
    correlation = products[:, :steps].clone()
    for shift in range(1, blocks - steps + 1):
        correlation += products[:, shift : shift + steps]
    energies = sound.energies(WINDOW, waveform.shape[1])
    later = energies.unfold(1, LONGEST + 1, HOP)
    audible = sound.audible(later[:, :, 0] / WINDOW, hop=HOP, span=SPAN)
    parts = []
    for product, energy in zip(correlation, later, strict=True):
        pieces = zip(torch.split(product, _FRAMES), torch.split(energy, _FRAMES), strict=True)
        parts.append(torch.cat([_yin(*piece) for piece in pieces], dim=1))
    found = torch.stack(parts, dim=1).where(audible, torch.nan)
    return Periods(found[0], found[1], found[2], audible)


def _yin(correlation: Tensor, later: Tensor) -> Tensor:
    """Fundamental, aperiodicity and likeness of frames: ``(3, frames)``.

    Parameters
    ----------
    correlation
        ``(frames, lags)``: of the window with what comes each lag later, from lag 0 on.
    later
        ``(frames, lags)``: energy of the window at each lag.
    """
    energy = (later[:, :1] + later)[:, 1:]  # of both windows
    difference = torch.add(energy, correlation[:, 1:], alpha=-2).clamp_(min=0.0)
    lags = torch.arange(1, LONGEST + 1, dtype=difference.dtype, device=difference.device)
    normalised = (difference * lags).div_(difference.cumsum(dim=1).clamp_(min=_TINY))

    # A dip lies between lags: its place and depth are those of the parabola through three of them (YIN, step 5).
    # Without this the period of a high tone, a few lags long, would seem less exact than its multiples.
    left, centre, right = (normalised[:, SHORTEST - 2 + side : LONGEST - 2 + side] for side in range(3))
    falling, rising = left - centre, right - centre
    depth = centre - (falling - rising).square().div_((falling + rising).mul_(8).clamp_(min=_TINY))
    # Choices are made by arithmetic: torch.where takes as long as all the rest together.
    flat = torch.minimum(falling + _TINY, rising) <= 0
    depth = depth.clamp_(min=-1.0).add_(_number(flat), alpha=_NO_DIP)
    deepest = depth.amin(dim=1, keepdim=True)
    near = _number(depth <= SLACK * deepest.clamp(min=0.0) + OFFSET)
    count = depth.shape[1]
    early = torch.arange(count, 0, -1, dtype=depth.dtype, device=depth.device)
    chosen = (count - (near * early).amax(dim=1, keepdim=True)).long()
    fall, rise = falling.gather(1, chosen)[:, 0], rising.gather(1, chosen)[:, 0]
    shift = 0.5 * (fall - rise) / (fall + rise).clamp(min=_TINY)
    fundamental = SAMPLE_RATE / (chosen[:, 0] + SHORTEST + shift)
    # A curve without a dip falls or rises all the way: there is no period in range.
    none = deepest[:, 0] >= 0.5 * _NO_DIP
    aperiodicity = depth.gather(1, chosen)[:, 0].clamp(min=0.0).masked_fill(none, 1.0)
    unlike = [
        (difference.gather(1, chosen + at) / energy.gather(1, chosen + at).clamp(min=_TINY))[:, 0]
        for at in range(SHORTEST - 2, SHORTEST + 1)
    ]
    between = unlike[1] - 0.25 * (unlike[0] - unlike[2]) * shift.clamp(-1, 1)
    likeness = (1 - between.clamp(min=0.0)).masked_fill(none, 0.0)
    return torch.stack([fundamental, aperiodicity, likeness])


def _number(mask: Tensor) -> Tensor:
    """1 where `mask` is true, 0 elsewhere."""
    return mask.view(torch.uint8).float()
