"""Speed of a conformer's pre-training step: Auricle's against one of transformers' Wav2Vec2Conformer of equal size.

    python benchmarks/conformer.py [--quick]

Both have the same width, depth, heads and feed-forward width and see as many frames, those of 10-s crops, in bfloat16,
in one process with freed memory kept, taking turns; medians are compared. Auricle's step is the library's own: log-mel,
masking, negatives, loss, backward, Adam. The other side is transformers' conformer encoder (relative positions off) on
ready latents with a plain mean-square loss, backward and the same Adam: less work than a whole step of its own.

The last line is JSON: `ratio` (clips per second, Auricle's over the other's) and `share` (Auricle's matrix products and
convolutions over the bfloat16 matrix-product peak measured in the same process).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import Wav2Vec2ConformerConfig
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import Wav2Vec2ConformerEncoder

from auricle.models.conformer import Conformer, ConformerConfig
from auricle.pretraining.wav2vec import Wav2Vec
from auricle.training import keep_freed_memory

SECONDS = 10
PEAK_SIZE = 2048


def auricle_step(config: ConformerConfig, batch: int) -> tuple[Callable[[], None], Wav2Vec]:
    """One whole step from waveforms."""
    encoder = Conformer(config)
    network = Wav2Vec(
        encoder.trunk, mask_probability=0.3, mask_span=3, negatives=100, temperature=0.1, centre=True
    ).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    waveform = 0.1 * torch.randn(batch, SECONDS * encoder.sample_rate)
    lengths, index = torch.full((batch,), waveform.shape[1]), torch.arange(batch)

    def step() -> None:
        with torch.no_grad():
            log_mel, frames = encoder.normalised_log_mel(waveform, lengths)
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = network(log_mel, frames, index)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step, network


def transformers_step(config: ConformerConfig, batch: int) -> Callable[[], None]:
    """Forward and backward through transformers' encoder of the same size, and Adam."""
    other = Wav2Vec2ConformerConfig(
        hidden_size=config.dim,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.feed_forward,
        conv_depthwise_kernel_size=config.kernel,
        position_embeddings_type=None,
        layerdrop=0.0,
        hidden_dropout=config.dropout,
        attention_dropout=0.0,
        activation_dropout=config.dropout,
        conformer_conv_dropout=config.dropout,
    )
    encoder = Wav2Vec2ConformerEncoder(other).train()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-4, fused=True)
    latents: Tensor = torch.randn(batch, SECONDS * 25, config.dim)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = encoder(latents).last_hidden_state.float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def matmul_peak() -> float:
    """GFLOP/s of a large bfloat16 matrix product, the best of some."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE).to(torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * PEAK_SIZE**3 / best / 1e9


def seconds_of(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small model and one round: a smoke test, no figure")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    batch, rounds = (2, 1) if arguments.quick else (arguments.batch, arguments.rounds)
    config = ConformerConfig(layers=2) if arguments.quick else ConformerConfig()
    keep_freed_memory()
    torch.manual_seed(0)
    mine, network = auricle_step(config, batch)
    theirs = transformers_step(config, batch)
    with FlopCounterMode(display=False) as counter:
        mine()
    gflop = counter.get_total_flops() / 1e9
    times: dict[str, list[float]] = {"auricle": [], "transformers": []}
    peaks = []
    for number in range(rounds + 1):
        peak, a, b = matmul_peak(), seconds_of(mine), seconds_of(theirs)
        if number or arguments.quick:  # the first round warms up
            peaks.append(peak)
            times["auricle"].append(a)
            times["transformers"].append(b)
            print(
                f"round {number}  auricle {batch / a:6.1f} clips/s  transformers {batch / b:6.1f} clips/s", flush=True
            )
    median = {side: statistics.median(found) for side, found in times.items()}
    share = statistics.median(gflop / a / peak for a, peak in zip(times["auricle"], peaks, strict=True))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{parameters:,} parameters, batch {batch} of {SECONDS} s, {gflop / batch:.1f} GFLOP a clip")
    print(json.dumps({"ratio": round(median["transformers"] / median["auricle"], 2), "share": round(share, 3)}))


if __name__ == "__main__":
    main()
