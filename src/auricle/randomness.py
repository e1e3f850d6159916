"""Random numbers without state: every draw is a function of (seed, purpose, index).

A sample's crop, views and dropout depend on its global index alone, so they do not change with rank, micro-batch,
worker or a restart. The generator is counter-based: a 64-bit key is hashed from (seed, purpose, index) and the counter
is hashed on top of it by the SplitMix64 finaliser (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators"), written in integer tensor operations, so that whole batches are drawn at once and every device gives the
same bits.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15  # odd part of 2**64 / golden ratio: SplitMix64's increment
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_LEAST_BITS = 3  # of a half: with fewer, orders of few items are visibly uneven
_TURNS = 8  # of the Feistel network, four for each half
_DROPOUT_LEVELS = 256  # one random byte decides about one element
_WORDS_IN_CACHE = 1 << 16  # hashed at a time on a CPU: a dozen passes over half a megabyte instead of over memory


def _signed(value: int) -> int:
    """The 64-bit pattern of `value` as the signed integer that a torch tensor holds."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift(value: Tensor, by: int) -> Tensor:
    """Logical right shift of int64 (torch's own shift copies the sign)."""
    return (value >> by).bitwise_and_((1 << (64 - by)) - 1)


def _mix_(value: Tensor) -> Tensor:
    """SplitMix64's finaliser, in place: a bijection of 64-bit words that passes for random."""
    value.bitwise_xor_(_shift(value, 30)).mul_(_signed(_FIRST))
    value.bitwise_xor_(_shift(value, 27)).mul_(_signed(_SECOND))
    return value.bitwise_xor_(_shift(value, 31))


def _purpose_word(seed: int, purpose: str) -> int:
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def keys(seed: int, purpose: str, index: Tensor) -> Tensor:
    """One 64-bit key for each index.

    Parameters
    ----------
    seed
        The run's seed.
    purpose
        What the draw is for, for instance ``"crop"``; different purposes are independent.
    index
        Global sample indices, int64 of any shape.

    Returns
    -------
    Tensor
        int64 keys of the same shape and on the same device.
    """
    word = _signed(_purpose_word(seed, purpose))
    return _mix_(_mix_((index + 1).mul_(_signed(_GOLDEN)).add_(word)).add_(word))


def derived(key: Tensor, number: int) -> Tensor:
    """Keys of the `number`-th of several draws for the same purpose and indices: the same shape as `key`."""
    return _mix_(key ^ _signed(_purpose_word(number, "derived")))


def bits(key: Tensor, words: int) -> Tensor:
    """`words` random 64-bit words for each key: ``(n,)`` → int64 ``(n, words)``."""
    counter = torch.arange(1, words + 1, device=key.device).mul_(_signed(_GOLDEN))
    drawn = torch.empty(len(key), words, dtype=torch.int64, device=key.device)
    rows = max(1, _WORDS_IN_CACHE // max(words, 1)) if key.device.type == "cpu" else max(1, len(key))
    for some, part in zip(torch.split(key, rows), torch.split(drawn, rows), strict=True):
        _mix_(torch.add(some[:, None], counter, out=part))
    return drawn


def uniform(key: Tensor, count: int, *, low: float = 0.0, high: float = 1.0) -> Tensor:
    """`count` float32 numbers for each key, uniform in ``[low, high)``: ``(n,)`` → ``(n, count)``."""
    unit = _shift(bits(key, count), 40).to(torch.float32) * 2.0**-24  # the top 24 bits fill a float32's mantissa
    return unit * (high - low) + low


def normal(key: Tensor, count: int) -> Tensor:
    """`count` standard normal float32 numbers for each key (Box-Muller): ``(n,)`` → ``(n, count)``."""
    half = (count + 1) // 2
    unit = uniform(key, 2 * half)
    radius = torch.sqrt(-2.0 * torch.log1p(-unit[:, :half]))
    angle = 2.0 * torch.pi * unit[:, half:]
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :count]


def keyed_dropout(x: Tensor, p: float, key: Tensor) -> Tensor:
    """Dropout whose mask for a sample depends only on that sample's key.

    One random byte decides about one element, so `p` is rounded to a multiple of 1/256 (0.3 becomes 77/256) and the
    kept elements are scaled by the exact inverse of what is kept; the expectation stays that of `x`.

    Parameters
    ----------
    x
        ``(batch, …)`` activations.
    p
        Probability that an element is dropped, in [0, 1).
    key
        ``(batch,)`` int64 keys from :func:`keys`.
    """
    threshold = round(p * _DROPOUT_LEVELS)
    scale = _DROPOUT_LEVELS / (_DROPOUT_LEVELS - threshold)
    width = x.shape[-1]
    kept = _kept(key, x[0].numel() // width, width, threshold)
    dropped: Tensor = _KeyedDropout.apply(x, kept.view(x.shape), scale)  # type: ignore[no-untyped-call]
    return dropped


def _kept(key: Tensor, rows: int, width: int, threshold: int) -> Tensor:
    """Which elements of each sample stay: int16 ``(n, rows, width)``, all bits set or none.

    The low bytes of a row's random 16-bit words decide about its first half, the high bytes about the second, so that
    a sample's first rows do not depend on how many follow.
    """
    half = -(-width // 2)
    words = bits(key, -(-rows * half // 4)).view(torch.int16)[:, : rows * half].reshape(len(key), rows, half)
    kept = torch.empty(len(key), rows, 2 * half, dtype=torch.int16, device=key.device)
    for part, one_byte in ((kept[..., :half], words & 0xFF), (kept[..., half:], (words >> 8).bitwise_and_(0xFF))):
        torch.ge(one_byte, threshold, out=part)
    return kept.neg_()[..., :width].contiguous()


class _KeyedDropout(torch.autograd.Function):
    """Keep and scale; numbers of 16 bits are kept by their bits, which costs a quarter of a product with a mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return _keep(x, kept, scale)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (kept,) = ctx.saved_tensors
        return _keep(grad_outputs[0], kept, ctx.scale), None, None


def _keep(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    if x.element_size() == kept.element_size():
        return (x.contiguous().view(torch.int16) & kept).view(x.dtype).mul_(scale)
    return torch.where(kept.bool(), x * scale, 0.0)


def permutation(seed: int, purpose: str, epoch: int, n: int) -> Tensor:
    """The order of `n` items in `epoch`: an int64 permutation of ``0 … n - 1``."""
    key = keys(seed, f"{purpose}/{epoch}", torch.arange(n))
    return torch.argsort(key, stable=True)


def permuted(seed: int, purpose: str, epoch: int, places: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Which of `n` items stand at these places of an order of them, without a table of all: memory does not grow.

    A Feistel network permutes the numbers of as many bits as `n` needs; from one beyond `n`, the walk along its cycle
    goes on (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").

    Parameters
    ----------
    seed, purpose, epoch
        What the order depends on.
    places
        ``(k,)`` in ``0 … n - 1``.
    n
        Items.

    Returns
    -------
    NDArray
        ``(k,)`` items.
    """
    right = max(_LEAST_BITS, (n - 1).bit_length() // 2)  # bits of the lower half
    left = max(_LEAST_BITS, (n - 1).bit_length() - right)
    word = _purpose_word(seed, f"{purpose}/{epoch}")
    item = places.astype(np.uint64)
    beyond = np.arange(len(item))
    while len(beyond):
        item[beyond] = _feistel(item[beyond], word, left, right)
        beyond = beyond[item[beyond] >= n]
    return item.astype(np.int64)


def _feistel(item: NDArray[np.uint64], word: int, left: int, right: int) -> NDArray[np.uint64]:
    """A permutation of the numbers of ``left + right`` bits."""
    high, low = item >> np.uint64(right), item & np.uint64((1 << right) - 1)
    for turn in range(_TURNS):
        key = np.uint64((word + turn * _GOLDEN) & ((1 << 64) - 1))
        if turn % 2:
            low ^= _hashed(high, key, right)
        else:
            high ^= _hashed(low, key, left)
    return (high << np.uint64(right)) | low


def _hashed(value: NDArray[np.uint64], key: np.uint64, bits: int) -> NDArray[np.uint64]:
    """`bits` bits that depend on all of the value and the key: SplitMix64's finaliser, its last bits."""
    value = value + key
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_FIRST)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_SECOND)
    return value >> np.uint64(64 - bits)


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A NumPy generator for (seed, purpose, index), for bootstraps and for libraries that want one."""
    return np.random.Generator(np.random.Philox(key=[_purpose_word(seed, purpose), index]))
