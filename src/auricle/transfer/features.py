"""What probes in training see of the embeddings: standardised by their training part, or its clips' products with all.

Every training part has its own mean and deviation. Where memory allows, what is seen is computed once for each part and
gathered from there; else embeddings are read where they lie, a batch at a time.
"""

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from auricle.transfer.vectors import in_pieces

_READY_BYTES = 1 << 27  # of standardised embeddings that are kept
_SPAN_BYTES = 1 << 28  # of products that are kept


class Features:
    """Embeddings as the bundles of a stack see them.

    Parameters
    ----------
    embeddings
        ``(n, dim)`` float32.
    train
        The training rows of each bundle.
    standardise
        Bring every dimension to mean 0 and deviation 1 on the training part.
    gain
        What embeddings are then multiplied by.
    in_span
        Whether products with the training clips will do in place of embeddings; so they are taken where the training
        clips are fewer than dimensions.
    """

    def __init__(
        self,
        embeddings: Tensor,
        train: Sequence[Tensor],
        *,
        standardise: bool,
        gain: float = 1.0,
        in_span: bool = False,
    ) -> None:
        self.x, self.train = embeddings, train
        self.parts = numbered([rows.cpu().numpy().tobytes() for rows in train])
        count, dim = max(self.parts) + 1, embeddings.shape[1]
        self.mean = torch.zeros(count, dim, device=embeddings.device)
        self.factor = torch.full_like(self.mean, gain)
        if standardise:
            for part in range(count):
                self.mean[part], scale = mean_and_deviation(embeddings, self._train(part))
                self.factor[part] /= scale
        self.is_plain = not standardise and gain == 1.0
        most = max(len(rows) for rows in train)
        self.in_span = in_span and most < dim and 4 * len(embeddings) * count * most <= _SPAN_BYTES
        self.width = most if self.in_span else dim
        self.ready: Tensor | None = None
        if self.in_span:
            self.ready = torch.cat([self._products(part) for part in range(count)])
        elif not self.is_plain and 4 * embeddings.numel() * count <= _READY_BYTES:
            ready = torch.sub(embeddings, self.mean[:, None])
            self.ready = ready.mul_(self.factor[:, None]).flatten(0, 1)

    def gather(self, bundles: Sequence[int], rows: Tensor) -> Tensor:
        """What some bundles see of rows ``(bundles, clips)``: ``(bundles, clips, width)``."""
        parts = [self.parts[bundle] for bundle in bundles]
        if self.ready is not None:
            offset = torch.tensor(parts, device=rows.device)[:, None] * len(self.x)
            return torch.index_select(self.ready, 0, (rows + offset).flatten()).view(*rows.shape, -1)
        x = torch.index_select(self.x, 0, rows.flatten()).view(*rows.shape, -1)
        return x if self.is_plain else x.sub_(self.mean[parts, None]).mul_(self.factor[parts, None])

    def for_embeddings(self, bundle: int, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A bundle's layers, ``(outputs, width)`` and ``(outputs,)``, as layers for embeddings as they are."""
        part = self.parts[bundle]
        if self.in_span:
            rows = self._train(part)
            pieces = zip(in_pieces(rows, self.x), in_pieces(torch.arange(len(rows)), self.x), strict=True)
            total = torch.zeros(len(weight), self.x.shape[1], device=weight.device)
            for piece, columns in pieces:
                total.addmm_(weight[:, columns], self._seen(part, piece))
            weight = total
        if self.is_plain:
            return weight, bias
        weight = weight * self.factor[part]
        return weight, bias - weight @ self.mean[part]

    def _train(self, part: int) -> Tensor:
        return self.train[self.parts.index(part)]

    def _seen(self, part: int, rows: Tensor) -> Tensor:
        return (self.x[rows] - self.mean[part]).mul_(self.factor[part])

    def _products(self, part: int) -> Tensor:
        """Of all clips with the training clips of a part, ``(n, width)``, 0 beyond its clips."""
        train = torch.cat([self._seen(part, piece) for piece in in_pieces(self._train(part), self.x)])
        products = torch.zeros(len(self.x), self.width, device=self.x.device)
        for piece in in_pieces(torch.arange(len(self.x), device=self.x.device), self.x):
            products[piece[0] : piece[-1] + 1, : len(train)] = self._seen(part, piece) @ train.T
        return products


def numbered(keys: Sequence[Hashable]) -> list[int]:
    """Numbers from 0, equal for equal keys."""
    known: dict[Hashable, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


def mean_and_deviation(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Per dimension, in float64 and in pieces; a dimension that does not vary keeps its size."""
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    for chunk in in_pieces(rows, x):
        total += x[chunk].sum(dim=0, dtype=torch.float64)
    mean = total / len(rows)
    squares = torch.zeros_like(total)
    for chunk in in_pieces(rows, x):
        squares += (x[chunk].double() - mean).square_().sum(dim=0)
    deviation = (squares / len(rows)).sqrt_()
    deviation = torch.where(deviation > 1e-6 * mean.abs().clamp(min=1e-6), deviation, 1.0)
    return mean.float(), deviation.float()
