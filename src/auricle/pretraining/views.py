"""Two views of a batch of log-mel crops: BYOL-A's augmentations as batched tensor operations.

Pre-norm → mixup with a memory of earlier crops (log domain) → random resize crop → random linear fader → post-norm
(Niizumi et al. 2021, section III-B; 2022, section III-C). A block is one call for the whole batch; a sample's random
parameters come from its own key, so a view does not depend on batch, rank or worker. Everything here is float32.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from auricle import randomness
from auricle.pretraining.recipe import Views

_CUBIC = -0.75  # the cubic convolution kernel's free parameter, as in common bicubic resizing
_EPSILON = torch.finfo(torch.float32).eps


@dataclass
class MixupMemory:
    """The last `entries` crops seen, first in first out, in sample order.

    Attributes
    ----------
    crops
        ``(entries, mels, frames)``; the first ``min(written, entries)`` rows are filled.
    written
        How many crops were pushed since the start of the run; the next goes to row ``written % entries``.
    """

    crops: Tensor
    written: int = 0

    @classmethod
    def empty(cls, entries: int, mels: int, frames: int, *, device: torch.device | str = "cpu") -> "MixupMemory":
        """A memory that holds nothing yet."""
        return cls(torch.zeros(entries, mels, frames, device=device))

    @property
    def filled(self) -> int:
        """Rows that hold a crop."""
        return min(self.written, len(self.crops))

    def push(self, crops: Tensor) -> None:
        """Add ``(batch, mels, frames)`` in order; the oldest make room."""
        entries = len(self.crops)
        kept = crops[-entries:] if entries else crops[:0]
        first = self.written + len(crops) - len(kept)
        rows = torch.arange(first, first + len(kept), device=crops.device) % max(entries, 1)
        self.crops[rows] = kept
        self.written += len(crops)


def log_mix(x: Tensor, z: Tensor, ratio: Tensor) -> Tensor:
    """Mix in the linear domain what is given in the log domain: log((1 - ratio) eˣ + ratio eᶻ + ε).

    Parameters
    ----------
    x, z
        ``(batch, mels, frames)``, natural log.
    ratio
        ``(batch, 1, 1)`` share of `z`, in [0, 1].
    """
    return torch.log((1 - ratio) * torch.exp(x) + ratio * torch.exp(z) + _EPSILON)


def mixup(x: Tensor, memory: MixupMemory, key: Tensor, *, limit: float) -> Tensor:
    """Mix every crop with a random one of the memory, by a share uniform in [0, `limit`]; unmixed while it is empty."""
    if memory.filled == 0 or limit == 0:
        return x
    draws = randomness.uniform(key, 2)
    row = (draws[:, 0].double() * memory.filled).long()
    return log_mix(x, memory.crops[row], (draws[:, 1] * limit)[:, None, None])


def gaussian_noise(x: Tensor, key: Tensor, *, limit: float) -> Tensor:
    """Mix every crop with log-domain Gaussian noise N(0, r) by the share r, uniform in [0, `limit`]."""
    ratio = randomness.uniform(randomness.keys(0, "noise-ratio", key), 1, high=limit)[:, :, None]
    noise = randomness.normal(key, x[0].numel()).view_as(x) * ratio
    return log_mix(x, noise, ratio)


def resize_weights(size: Tensor, offset: Tensor, *, source: int, target: int) -> Tensor:
    """Bicubic resampling of a part of an axis as one matrix per sample.

    Parameters
    ----------
    size, offset
        ``(batch,)`` int64: the part ``[offset, offset + size)`` of the source axis that is resized; it may reach
        beyond the axis, where the source is 0.
    source, target
        Lengths of the source axis and of the result. End points are aligned; taps beyond the part are clamped to the
        part's own edge.

    Returns
    -------
    Tensor
        ``(batch, target, source)``: ``result = weights @ x`` along that axis.
    """
    steps = torch.arange(target, device=size.device, dtype=torch.float64)
    position = steps[None, :] * ((size - 1).double() / max(target - 1, 1))[:, None]
    base = position.floor()
    t = (position - base)[..., None]
    distance = torch.cat([t + 1, t, 1 - t, 2 - t], dim=-1)
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * _CUBIC - 4 * _CUBIC
    weight = torch.where(distance <= 1, near, far).float()
    tap = base[..., None].long() + torch.arange(-1, 3, device=size.device)
    tap = tap.clamp_min(0).minimum((size - 1)[:, None, None]) + offset[:, None, None]
    inside = (tap >= 0) & (tap < source)
    weights = weight.new_zeros(len(size), target, source)
    return weights.scatter_add_(2, tap.clamp(0, source - 1), weight * inside)


def random_resize_crop(
    x: Tensor,
    key: Tensor,
    *,
    virtual_crop: tuple[float, float] = (1.0, 1.5),
    frequency_scale: tuple[float, float] = (0.6, 1.5),
    time_scale: tuple[float, float] = (0.6, 1.5),
) -> Tensor:
    """Cut a random part of a zero-filled canvas around each crop and resize it bicubically to the crop's own size.

    Parameters
    ----------
    x
        ``(batch, mels, frames)``.
    key
        ``(batch,)`` keys.
    virtual_crop
        Size of the canvas relative to the crop, (frequency, time); the crop lies in its middle.
    frequency_scale, time_scale
        Ranges of the part's height and width relative to the crop's; both are cut to the canvas.
    """
    _, mels, frames = x.shape
    draws = randomness.uniform(key, 4).double()
    weights = []
    for axis, (length, scale) in enumerate(((mels, frequency_scale), (frames, time_scale))):
        canvas = int(length * virtual_crop[axis])
        size = ((scale[0] + (scale[1] - scale[0]) * draws[:, axis]) * length).long().clamp(1, canvas)
        start = (draws[:, 2 + axis] * (canvas - size + 1)).long()
        weights.append(resize_weights(size, start - (canvas - length) // 2, source=length, target=length))
    return weights[0] @ x @ weights[1].transpose(1, 2)


def random_linear_fader(x: Tensor, key: Tensor, *, gain: float = 1.0) -> Tensor:
    """Add a straight line over time, from one random gain to another, both uniform in ±`gain` (natural-log units)."""
    ends = randomness.uniform(key, 2, low=-gain, high=gain)
    time = torch.linspace(0, 1, x.shape[2], device=x.device)
    ramp = ends[:, :1] * (1 - time) + ends[:, 1:] * time
    return x + ramp[:, None, :]


def standardise(views: list[Tensor], *, reduce: Callable[[Tensor], Tensor] | None = None) -> list[Tensor]:
    """Bring all views together to mean 0 and standard deviation 1 over batch, frequency and time (post-norm).

    Parameters
    ----------
    views
        ``(batch, mels, frames)`` each.
    reduce
        Sums a tensor over all processes, so that the statistics are the global batch's.
    """
    count = sum(view.numel() for view in views)
    sums = torch.stack([torch.stack([view.double().sum(), view.double().square().sum()]) for view in views]).sum(0)
    sums = torch.cat([sums, sums.new_tensor([count])])
    if reduce is not None:
        sums = reduce(sums)
    mean = sums[0] / sums[2]
    std = (sums[1] / sums[2] - mean.square()).clamp_min(0).sqrt()
    scale = 1 / (std + _EPSILON)
    return [(view - mean.float()) * scale.float() for view in views]


def make_view(
    x: Tensor, memory: MixupMemory, index: Tensor, *, settings: Views, seed: int, view: int, rows: slice | None = None
) -> Tensor:
    """One view of every crop, before post-norm; afterwards the memory holds the crops too.

    Parameters
    ----------
    x
        ``(batch, mels, frames)`` normalised log-mel crops of the *global* batch, in sample order.
    memory
        Mixed from as it stands at the call, then `x` is pushed.
    index
        ``(batch,)`` global sample indices.
    settings
        Which blocks and how strong.
    seed, view
        The run's seed and which of the two views this is.
    rows
        The part of the batch that this process works on; all of it when not given.

    Returns
    -------
    Tensor
        ``(rows, mels, frames)`` float32.
    """
    mine = rows if rows is not None else slice(None)
    out, own = x[mine].float(), index[mine]

    def key(purpose: str) -> Tensor:
        return randomness.keys(seed, f"{purpose}/view{view}", own)

    if settings.mixup > 0:
        out = mixup(out, memory, key("mixup"), limit=settings.mixup)
        memory.push(x.float())
    if settings.noise > 0:
        out = gaussian_noise(out, key("noise"), limit=settings.noise)
    if settings.crop:
        out = random_resize_crop(
            out,
            key("crop"),
            virtual_crop=settings.virtual_crop,
            frequency_scale=settings.frequency_scale,
            time_scale=settings.time_scale,
        )
    if settings.fader > 0:
        out = random_linear_fader(out, key("fader"), gain=settings.fader)
    return out
