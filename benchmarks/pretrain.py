"""Speed of one BYOL-A 2022 pre-training step: Auricle's against the textbook's, side by side.

    python benchmarks/pretrain.py [--quick]

*Textbook* is the step as it is usually written, in plain torch: augmentations in a loop over samples, float32, the C
library's default allocator, eager. *Auricle* is the library's own step (auricle.pretraining): batched views, bfloat16,
channels last, freed memory kept. Both start from a waveform batch in memory and end with the target's update. Process
settings differ, so each runs in a process of its own; the two take turns, and medians are compared. That both compute
the same loss and gradients from the same weights and views is checked first, in float32 and without dropout.

The last line is JSON: `ratio` (clips per second, Auricle's over the textbook's) and `share` (Auricle's arithmetic over
the bfloat16 matrix-product peak measured in the same process, at 3.63 GFLOP per clip).
"""

import argparse
import copy
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.pretraining.byol import BYOL
from auricle.pretraining.recipe import Views
from auricle.pretraining.views import MixupMemory, make_view, standardise
from auricle.threads import wait_politely
from auricle.training import keep_freed_memory, make_accelerator

GFLOP_PER_CLIP = 3.63  # two views through the online and the target network, and backward
CROP_SAMPLES = 15_200
PEAK_SIZE = 2048

Step = Callable[[Tensor], float]


# --- the textbook's step, in plain torch ------------------------------------------------------------------------------


class TextbookEncoder(nn.Module):
    """BYOL-A 2022 as in the paper's table."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Sequential(nn.Linear(1024, 2048), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2048, 2048), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = x.permute(0, 3, 2, 1).flatten(2)
        x = torch.cat([x, self.fc(x)], dim=2)
        return x.max(dim=1).values + x.mean(dim=1)


def textbook_head(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 4096), nn.BatchNorm1d(4096), nn.ReLU(), nn.Linear(4096, 256))


class TextbookBYOL(nn.Module):
    """Online and target network, predictor and symmetric loss."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.online = nn.Sequential(TextbookEncoder(dropout), textbook_head(3072))
        self.predictor = textbook_head(256)
        self.target = copy.deepcopy(self.online)
        for parameter in self.target.parameters():
            parameter.requires_grad = False

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        one, two = self.predictor(self.online(first)), self.predictor(self.online(second))
        with torch.no_grad():
            target_one, target_two = self.target(first), self.target(second)

        def loss(x: Tensor, y: Tensor) -> Tensor:
            return 2 - 2 * (functional.normalize(x, dim=-1) * functional.normalize(y, dim=-1)).sum(dim=-1)

        return (loss(one, target_two) + loss(two, target_one)).mean()


class TextbookViews:
    """Mixup with a memory, random resize crop and random linear fader of one sample at a time."""

    def __init__(self) -> None:
        self.memory: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        ratio = 0.2 * random.random()
        mixed = x
        if self.memory:
            z = self.memory[random.randrange(len(self.memory))]
            mixed = torch.log((1 - ratio) * x.exp() + ratio * z.exp() + torch.finfo(x.dtype).eps)
        self.memory = [*self.memory, x][-2048:]
        _, mels, frames = mixed.shape
        width = int(1.5 * frames)
        canvas = torch.zeros(1, mels, width)
        left = (width - frames) // 2
        canvas[:, :, left : left + frames] = mixed
        h = min(max(int(random.uniform(0.6, 1.5) * mels), 1), mels)
        w = min(max(int(random.uniform(0.6, 1.5) * frames), 1), width)
        i, j = random.randint(0, mels - h), random.randint(0, width - w)
        part = canvas[None, :, i : i + h, j : j + w]
        view = functional.interpolate(part, (mels, frames), mode="bicubic", align_corners=True)[0]
        start, end = 2 * torch.rand(2) - 1
        return view + torch.linspace(0, 1, frames) * (end - start) + start


def textbook_step(batch: int) -> Step:
    front = BYOLA2022()
    byol = TextbookBYOL().train()
    optimizer = torch.optim.Adam([p for p in byol.parameters() if p.requires_grad], lr=1e-4)
    views = TextbookViews()

    def step(waveform: Tensor) -> float:
        with torch.no_grad():
            log_mel = front.normalised_log_mel(waveform)[0][:, None]
            pairs = [(views(x), views(x)) for x in log_mel]
            both = torch.cat([torch.stack([a for a, _ in pairs]), torch.stack([b for _, b in pairs])])
            both = (both - both.mean()) / both.std()
        loss = byol(both[:batch], both[batch:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for target, online in zip(byol.target.parameters(), byol.online.parameters(), strict=True):
                target.data = 0.99 * target.data + 0.01 * online.data
        return loss.item()

    return step


# --- Auricle's step, from the library ---------------------------------------------------------------------------------


def auricle_step(batch: int) -> Step:
    keep_freed_memory()
    accelerator = make_accelerator(device="cpu", precision="bfloat16")
    front = BYOLA2022()
    byol = BYOL(front.trunk)
    byol.to(memory_format=torch.channels_last)
    trained = [p for p in byol.parameters() if p.requires_grad]
    network, optimizer = accelerator.prepare(byol, torch.optim.Adam(trained, lr=1e-4, fused=True))
    network.train()
    memory = MixupMemory.empty(2048, 64, 96)
    first = 0

    def step(waveform: Tensor) -> float:
        nonlocal first
        index = torch.arange(first, first + batch)
        first += batch
        with torch.no_grad():
            log_mel, _ = front.normalised_log_mel(waveform)
            views = [make_view(log_mel, memory, index, settings=Views(), seed=0, view=view) for view in range(2)]
            views = standardise(views)
        loss, _ = network(views[0], views[1], index)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        byol.update_target(0.99)
        return float(loss.detach())

    return step


# --- measuring --------------------------------------------------------------------------------------------------------

SIDES = {"auricle": auricle_step, "textbook": textbook_step}


def check_that_both_compute_the_same() -> tuple[float, float]:
    """Relative differences between both, same weights and views, no dropout: of the loss (float32), of gradients.

    Gradients are compared in float64: in float32 a rounding may turn a maximum over two equal neighbours the other way.
    """
    loss, expected, _ = losses_and_gradients(torch.float32)
    of_loss = abs(loss - expected) / expected
    assert of_loss < 1e-5, f"the losses differ by {of_loss:.2e}"
    _, _, pairs = losses_and_gradients(torch.float64)
    # A bias before batch-norm has no gradient but rounding, so differences are taken relative to the largest gradient.
    scale = max(float(other.norm()) for _, other in pairs)
    of_gradients = max(float((mine - other).norm()) for mine, other in pairs) / scale
    assert of_gradients < 1e-5, f"the gradients differ by {of_gradients:.2e}"
    return of_loss, of_gradients


def losses_and_gradients(dtype: torch.dtype) -> tuple[float, float, list[tuple[Tensor, Tensor]]]:
    """Auricle's loss, the textbook's, and pairs of their gradients of the encoder's parameters."""
    torch.manual_seed(0)
    ours = BYOL(BYOLA2022(BYOLA2022Config(dropout=0.0)).trunk).to(dtype).train()
    theirs = TextbookBYOL(dropout=0.0).to(dtype).train()
    theirs.online[0].load_state_dict(ours.online.trunk.state_dict())
    theirs.online[1].load_state_dict(ours.online.projector.state_dict())
    theirs.target.load_state_dict(theirs.online.state_dict())
    theirs.predictor.load_state_dict(ours.predictor.state_dict())
    first, second = torch.randn(2, 16, 64, 96, dtype=dtype)
    loss, _ = ours(first, second, torch.arange(16))
    expected = theirs(first[:, None], second[:, None])
    loss.backward()
    expected.backward()
    encoders = zip(ours.online.trunk.parameters(), theirs.online[0].parameters(), strict=True)
    return loss.item(), expected.item(), [(mine.grad, other.grad) for mine, other in encoders]


def matmul_peak() -> float:
    """GFLOP/s of a large bfloat16 matrix product, the best of some."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE).to(torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * PEAK_SIZE**3 / best / 1e9


def measure(side: str, batch: int, steps: int, warm_up: int) -> dict[str, float]:
    """Median clips per second of some steps, in this process."""
    torch.manual_seed(0)
    random.seed(0)
    step = SIDES[side](batch)
    waveform = 0.1 * torch.randn(batch, CROP_SAMPLES)
    for _ in range(warm_up):
        step(waveform)
    seconds, peaks = [], []
    for _ in range(steps):
        peaks.append(matmul_peak())
        start = time.perf_counter()
        step(waveform)
        seconds.append(time.perf_counter() - start)
    clips = batch / statistics.median(seconds)
    return {"clips_per_second": clips, "peak_gflops": statistics.median(peaks)}


def process_settings(side: str) -> dict[str, str]:
    """The environment of a side's process: the command line's own for Auricle, the user's for the textbook."""
    before = dict(os.environ)
    try:
        if side == "auricle":
            wait_politely()
        return dict(os.environ)
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller batch and one round: a smoke test, no figure")
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    batch, rounds = (8, 1) if arguments.quick else (arguments.batch, arguments.rounds)
    if arguments.side:
        # The textbook's step is slow enough that fewer of them say as much.
        steps, warm_up = (2, 1) if arguments.quick or arguments.side == "textbook" else (8, 4)
        print(json.dumps(measure(arguments.side, batch, steps, warm_up)))
        return
    of_loss, of_gradients = check_that_both_compute_the_same()
    print(f"same loss to {of_loss:.1e} (float32), same gradients to {of_gradients:.1e} (float64)")
    results: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--batch", str(batch)]
            output = subprocess.run(
                [*command, *(["--quick"] if arguments.quick else [])],
                capture_output=True,
                text=True,
                check=True,
                env=process_settings(side),
            )
            results[side].append(json.loads(output.stdout.splitlines()[-1]))
            print(f"round {number + 1}  {side:9s} {results[side][-1]['clips_per_second']:7.1f} clips/s", flush=True)
    median = {side: statistics.median(r["clips_per_second"] for r in rows) for side, rows in results.items()}
    share = statistics.median(r["clips_per_second"] * GFLOP_PER_CLIP / r["peak_gflops"] for r in results["auricle"])
    ratio = median["auricle"] / median["textbook"]
    peak = statistics.median(r["peak_gflops"] for r in results["auricle"])
    print(f"batch {batch}, {torch.get_num_threads()} threads, bfloat16 matrix products peak at {peak:.0f} GFLOP/s")
    print(f"auricle {median['auricle']:.1f} clips/s, textbook {median['textbook']:.1f} clips/s")
    print(json.dumps({"ratio": round(ratio, 2), "share": round(share, 3)}))


if __name__ == "__main__":
    main()
