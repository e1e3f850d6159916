"""A batch of clips under description, and the few things that all families agree on.

What several descriptors need (a spectrogram, the periods) is computed once per batch, by :meth:`Sound.of`. A clip is
described by its frames, which lie wholly inside it (a clip shorter than one is padded with zeros), and only by those
that are less than 60 dB below its loudest: pauses do not count.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

SAMPLE_RATE = 16_000  # Hz
LEVEL_FLOOR = -120.0  # dB re full scale, of silence; the noise of 16-bit samples lies at -98
AUDIBLE = 60.0  # dB below the loudest frame of a clip, under which a frame does not count
TINY = 1e-12  # power, re full scale, that LEVEL_FLOOR is

T = TypeVar("T")


class Sound:
    """A batch of clips.

    Parameters
    ----------
    waveform
        ``(batch, samples)`` float32 at 16 kHz.
    lengths
        ``(batch,)`` samples of each clip; by default all of them. What lies beyond has no influence.

    Attributes
    ----------
    waveform : Tensor
        ``(batch, samples)``, 0 beyond each clip.
    lengths : Tensor
        ``(batch,)``.
    """

    def __init__(self, waveform: Tensor, lengths: Tensor | None = None) -> None:
        batch, samples = waveform.shape
        if lengths is None:
            lengths = torch.full((batch,), samples, device=waveform.device)
        else:
            waveform = waveform.clone()
            for row, length in zip(waveform, lengths.tolist(), strict=True):
                row[length:] = 0.0
        self.waveform, self.lengths = waveform, lengths
        self._known: dict[Callable[[Sound], Any], Any] = {}

    def of(self, analysis: Callable[["Sound"], T]) -> T:
        """What `analysis` makes of this sound, computed when first asked for."""
        if analysis not in self._known:
            self._known[analysis] = analysis(self)
        found: T = self._known[analysis]
        return found

    def at_least(self, samples: int) -> Tensor:
        """The waveform, zero-padded to `samples` where it is shorter."""
        return pad(self.waveform, (0, max(0, samples - self.waveform.shape[1])))

    def energies(self, window: int, samples: int) -> Tensor:
        """Sum of squares of the `window` samples from each on: ``(batch, …)``, of the clip padded to `samples`."""
        total = self.of(running_energy)
        total = pad(total, (0, max(0, samples + 1 - total.shape[1])), mode="replicate")
        return (total[:, window:] - total[:, :-window]).to(self.waveform.dtype)

    def audible(self, energy: Tensor, *, hop: int, span: int) -> Tensor:
        """Frames that count: inside their clip (the first always is) and less than 60 dB below its loudest.

        Parameters
        ----------
        energy
            ``(batch, frames)`` of each frame: mean square re full scale.
        hop, span
            Samples from one frame to the next, and of a frame.

        Returns
        -------
        Tensor
            ``(batch, frames)`` bool; none of a silent clip.
        """
        start = torch.arange(energy.shape[1], device=energy.device) * hop
        energy = energy * ((start + span <= self.lengths[:, None]) | (start == 0))
        loudest = energy.amax(dim=1, keepdim=True)
        return (energy > 10 ** (-AUDIBLE / 10) * loudest) & (loudest > TINY)


def running_energy(sound: Sound) -> Tensor:
    """Sum of squares of all samples before each: ``(batch, samples + 1)`` float64, exact enough to take differences."""
    return pad(sound.waveform.double().square_().cumsum(dim=1), (1, 0))


def decibels(power: Tensor) -> Tensor:
    """Level in dB re full scale of a mean square; -120 dB for silence."""
    return 10 * torch.log10(power.clamp(min=TINY))
