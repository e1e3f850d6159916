"""wav2vec 2.0's product quantiser: targets become one code of each of several codebooks, chosen by Gumbel softmax.

Baevski et al. 2020 (arXiv 2006.11477), section 2 and 3.2; numbers by default as in their base model: two codebooks of
320 codes, the temperature falling from 2 to 0.5 by a factor of 0.999995 a step.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle import randomness
from auricle.models.global_norm import differentiable_sum_over_processes, sum_over_processes


class Quantiser(nn.Module):
    """Gumbel-softmax product quantisation with straight-through gradients.

    Parameters
    ----------
    inputs
        Dimensions of what is quantised.
    dim
        Dimensions of what comes out; a multiple of `groups`.
    groups, codes
        Codebooks, and codes of each.
    temperature
        ``(first, last, factor)`` of the softmax.
    """

    step: Tensor

    def __init__(
        self,
        inputs: int,
        dim: int,
        *,
        groups: int = 2,
        codes: int = 320,
        temperature: tuple[float, float, float] = (2.0, 0.5, 0.999995),
    ) -> None:
        super().__init__()
        self.dim, self.groups, self.codes, self.temperature = dim, groups, codes, temperature
        self.choose = nn.Linear(inputs, groups * codes)
        self.codebooks = nn.Parameter(torch.empty(groups, codes, dim // groups).uniform_())
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        nn.init.normal_(self.choose.weight)
        nn.init.zeros_(self.choose.bias)

    def forward(self, x: Tensor, valid: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantised targets, which codes they are and the diversity penalty.

        Parameters
        ----------
        x
            ``(batch, frames, inputs)``.
        valid
            ``(batch, frames)``: which count for the penalty.
        keys
            ``(batch,)`` keys for the Gumbel noise.

        Returns
        -------
        quantised
            ``(batch, frames, dim)``.
        codes
            ``(batch, frames, groups)`` int64.
        penalty
            Scalar between 0 (all codes used equally) and 1 (one code of each codebook).
        """
        batch, frames, _ = x.shape
        with torch.autocast(x.device.type, enabled=False):
            logits = self.choose(x.to(self.choose.weight.dtype)).view(batch, frames, self.groups, self.codes)
            count = sum_over_processes(valid.sum()).clamp_min(1)
            average = differentiable_sum_over_processes(torch.softmax(logits, dim=-1)[valid].sum(dim=0)) / count
            perplexity = torch.exp(-(average * torch.log(average + 1e-7)).sum(dim=-1))
            penalty = 1.0 - perplexity.sum() / (self.groups * self.codes)
            if self.training:
                uniform = randomness.uniform(keys, frames * self.groups * self.codes).view(logits.shape)
                noise = -torch.log(-torch.log(uniform.clamp(1e-7, 1 - 1e-7)))
                soft = torch.softmax((logits + noise) / self.current_temperature, dim=-1)
                self.step += 1
            else:
                soft = torch.softmax(logits, dim=-1)
            codes = soft.argmax(dim=-1)
            hard = functional.one_hot(codes, self.codes).to(soft.dtype)
            chosen = hard + soft - soft.detach() if self.training else hard
            quantised = torch.einsum("btgc,gcd->btgd", chosen, self.codebooks).flatten(2)
        return quantised, codes, penalty

    @property
    def current_temperature(self) -> float:
        """Of the Gumbel softmax at this step."""
        first, last, factor = self.temperature
        return max(last, first * factor ** int(self.step))

    @torch.no_grad()
    def perplexity(self, x: Tensor) -> Tensor:
        """``(groups,)``: codes of each codebook in use over all processes' ``(n, inputs)``, by hard choice."""
        choice = self.choose(x.to(self.choose.weight.dtype)).view(-1, self.groups, self.codes).argmax(dim=-1)
        used = sum_over_processes(functional.one_hot(choice, self.codes).float().sum(dim=0))
        share = used / used.sum(dim=-1, keepdim=True).clamp_min(1)
        return torch.exp(-(share * torch.log(share.clamp_min(1e-30))).sum(dim=-1))
