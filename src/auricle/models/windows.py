"""Recordings longer than an encoder hears at once, cut into windows that overlap.

Each window gives the frames of its middle; what lies before and after them is context. Frames of all windows follow one
another without a gap. An encoder whose frames see a bounded stretch of sound thus gives those of the whole recording;
for one that sees all that it is given, this is what the embedding of a long recording *is*. Where windows begin depends
on nothing but the encoder and the recording's length.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """A stretch of a recording.

    Attributes
    ----------
    waveform
        ``(samples,)``.
    first, until
        Its frames that count: from the `first` to the one before `until`, to the last where that is None.
    """

    waveform: Tensor
    first: int
    until: int | None


@dataclass(frozen=True, kw_only=True)
class Windowing:
    """How a recording is cut.

    Attributes
    ----------
    step
        Samples between two frames.
    kept
        Frames that count of every window but the last.
    margin
        Frames of context on either side.
    shortest
        Samples; the last window is never so short that it would be padded.
    """

    step: int
    kept: int
    margin: int
    shortest: int

    @property
    def longest(self) -> int:
        """Samples of the longest recording that is one window."""
        return self._most_of(self.kept)

    def _most_of(self, frames: int) -> int:
        """Samples of the longest rest that is the last window, where a window that is not gives up to `frames`."""
        return (frames + self.margin) * self.step + max(self.margin * self.step, self.shortest)

    def cut(self, blocks: Iterable[Tensor]) -> Iterator[Window]:
        """The windows of a recording that comes in blocks ``(samples,)``, in memory for one of them."""
        held: list[Tensor] = []
        samples = 0
        skip = 0  # frames of context with which what is held begins
        for block in blocks:
            held.append(block)
            samples += len(block)
            while samples > self._most_of(skip + self.kept):
                waveform = torch.cat(held)
                until = skip + self.kept
                yield Window(waveform[: (until + self.margin) * self.step], skip, until)
                waveform = waveform[max(0, until - self.margin) * self.step :]
                skip = min(until, self.margin)
                held, samples = [waveform], len(waveform)
        if samples:
            yield Window(torch.cat(held), skip, None)
