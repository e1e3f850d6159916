"""The conformer's layers over padded batches, and the stack of them: latents → frame embeddings.

Gulati et al. 2020 (arXiv 2005.08100) in the order of Srivastava et al. 2022 (arXiv 2110.07313) as their company's later
open prototype has it: half a feed-forward module, the convolution module, self-attention, half a feed-forward module,
layer norm; no positional encoding. Frames beyond a clip's true length are 0 for the convolution, unseen by attention
and not counted by the normalisation, so that padding has no influence.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.randomness import derived, keyed_dropout


def dropped(x: Tensor, p: float, keys: Tensor | None, site: int, *, training: bool) -> Tensor:
    """Dropout at one of a network's sites, by the samples' keys where they are given."""
    if not training or p == 0:
        return x
    return functional.dropout(x, p) if keys is None else keyed_dropout(x, p, derived(keys, site))


def frame_mask(lengths: Tensor | None, frames: int) -> Tensor | None:
    """True for true frames: ``(batch, frames)``; None when all are (on a CPU, where looking costs nothing)."""
    if lengths is None:
        return None
    look = lengths.device.type == "cpu" and not torch.compiler.is_compiling()  # an exported graph cannot look
    if look and bool((lengths >= frames).all()):
        return None
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention of ``(batch, heads, time, dim)``; `mask` is true for what may be seen.

    Where a CPU is to give gradients of bfloat16 it is written out: there the backward pass of torch's own takes more
    than three times as long as the products that it consists of (`benchmarks/conformer.py`).
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or not query.requires_grad:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = (query * query.shape[-1] ** -0.5) @ key.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.softmax(scores, dim=-1, dtype=torch.bfloat16) @ value


class FeedForward(nn.Module):
    """Layer norm, linear, SiLU, linear."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, hidden)
        self.narrow = nn.Linear(hidden, dim)

    def forward(self, x: Tensor, keys: Tensor | None, site: int) -> Tensor:
        """``(batch, time, dim)`` → the same shape; uses dropout sites `site` and `site` + 1."""
        hidden = functional.silu(self.widen(self.norm(x)))
        hidden = dropped(hidden, self.dropout, keys, site, training=self.training)
        return dropped(self.narrow(hidden), self.dropout, keys, site + 1, training=self.training)


class GlobalNorm(nn.Module):
    """Group norm with one group over ``(batch, time, channels)``, its statistics over each clip's true frames."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Normalised `x`; whatever stands beyond true frames in it must be 0."""
        if mask is None:
            return functional.group_norm(x.transpose(1, 2), 1, self.weight, self.bias, self.eps).transpose(1, 2)
        with torch.autocast(x.device.type, enabled=False):
            values = x.to(torch.promote_types(x.dtype, torch.float32))
            count = mask.sum(dim=1)[:, None, None] * x.shape[2]
            mean = values.sum(dim=(1, 2), keepdim=True) / count
            centred = (values - mean).masked_fill(~mask[:, :, None], 0.0)
            variance = centred.square().sum(dim=(1, 2), keepdim=True) / count
            normal = centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias
        return normal.to(x.dtype)


class ConvolutionModule(nn.Module):
    """Layer norm, linear to twice the width, GLU, depthwise convolution over time, norm, SiLU, linear."""

    def __init__(self, dim: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.gate = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.global_norm = GlobalNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None, keys: Tensor | None, site: int) -> Tensor:
        """``(batch, time, dim)`` → the same shape; uses the dropout site `site`."""
        gated = functional.glu(self.gate(self.norm(x)), dim=-1)
        if mask is not None:
            gated = gated.masked_fill(~mask[:, :, None], 0.0)
        convolved = self._over_time(gated)
        if mask is not None:
            convolved = convolved.masked_fill(~mask[:, :, None], 0.0)
        activated = functional.silu(self.global_norm(convolved, mask))
        return dropped(self.out(activated), self.dropout, keys, site, training=self.training)

    def _over_time(self, x: Tensor) -> Tensor:
        """The depthwise convolution as an image of one row whose channels lie last, as `x` does in memory."""
        assert self.depthwise.bias is not None
        image = x.transpose(1, 2)[:, :, None]
        padding = self.depthwise.kernel_size[0] // 2
        convolved = functional.conv2d(
            image, self.depthwise.weight[:, :, None], self.depthwise.bias, padding=(0, padding), groups=x.shape[2]
        )
        return convolved[:, :, 0].transpose(1, 2)


class SelfAttention(nn.Module):
    """Layer norm and multi-head self-attention over true frames."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None, keys: Tensor | None, site: int) -> Tensor:
        """``(batch, time, dim)`` → the same shape; uses the dropout site `site`."""
        batch, time, dim = x.shape
        projected = self.project(self.norm(x)).view(batch, time, 3, self.heads, dim // self.heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        attended = attend(query, key, value, None if mask is None else mask[:, None, None, :])
        attended = attended.transpose(1, 2).reshape(batch, time, dim)
        return dropped(self.out(attended), self.dropout, keys, site, training=self.training)


class ConformerLayer(nn.Module):
    """One layer: ½ feed-forward, convolution, attention, ½ feed-forward, layer norm."""

    SITES = 6  # of dropout

    def __init__(self, dim: int, *, heads: int, feed_forward: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.before = FeedForward(dim, feed_forward, dropout)
        self.convolution = ConvolutionModule(dim, kernel, dropout)
        self.attention = SelfAttention(dim, heads, dropout)
        self.after = FeedForward(dim, feed_forward, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor | None, keys: Tensor | None, site: int) -> Tensor:
        """``(batch, time, dim)`` → the same shape; what comes out beyond true frames means nothing."""
        x = x + 0.5 * self.before(x, keys, site)
        x = x + self.convolution(x, mask, keys, site + 2)
        x = x + self.attention(x, mask, keys, site + 3)
        x = x + 0.5 * self.after(x, keys, site + 4)
        normal: Tensor = self.norm(x)
        return normal


class Context(nn.Module):
    """Linear projection of latents and a stack of conformer layers.

    Parameters
    ----------
    latent_dim, dim
        Width of latents and of the layers.
    layers, heads, feed_forward
        Their number, attention heads, and hidden width of the feed-forward modules.
    first_kernel, kernel
        Frames that the depthwise convolution of the first and of the other layers sees; odd.
    dropout
        Probability.
    """

    def __init__(
        self,
        latent_dim: int,
        dim: int,
        *,
        layers: int,
        heads: int,
        feed_forward: int,
        first_kernel: int,
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.project = nn.Linear(latent_dim, dim)
        self.layers = nn.ModuleList(
            ConformerLayer(
                dim,
                heads=heads,
                feed_forward=feed_forward,
                kernel=first_kernel if number == 0 else kernel,
                dropout=dropout,
            )
            for number in range(layers)
        )

    def forward(self, latents: Tensor, lengths: Tensor | None = None, keys: Tensor | None = None) -> Tensor:
        """The last layer's output ``(batch, time, dim)``, 0 beyond each clip's true frames; arguments as in `each`."""
        *_, last = self.each(latents, lengths, keys)
        return last

    def each(self, latents: Tensor, lengths: Tensor | None = None, keys: Tensor | None = None) -> Iterator[Tensor]:
        """Every layer's output in turn, ``(batch, time, dim)``, 0 beyond each clip's true frames.

        Parameters
        ----------
        latents
            ``(batch, time, latent_dim)``.
        lengths
            ``(batch,)`` true frames of each; all of them when not given.
        keys
            ``(batch,)`` keys of :func:`auricle.randomness.keys`: a sample's dropout then depends on its key alone.
        """
        mask = frame_mask(lengths, latents.shape[1])
        x = self.project(latents)
        x = dropped(x, self.dropout, keys, 0, training=self.training)
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, keys, 1 + number * ConformerLayer.SITES)
            yield x if mask is None else x.masked_fill(~mask[:, :, None], 0.0)
