"""Sound that an encoder takes for another: an additive synthesiser, steered by gradients through the encoder.

    python examples/synthesise_by_gradient.py bird.wav imitation.wav byola-2022.base 300

Sixty sines, each with a loudness of its own every 50 ms, are moved until the embedding of their sum is that of the
recording's first two seconds. What the imitation keeps of the recording is what the encoder hears in it.
"""

import sys
from pathlib import Path

import torch
from torch.nn.functional import interpolate, softplus

import auricle
from auricle import audio

SINES, LOWEST, HIGHEST = 60, 60.0, 7600.0  # Hz
SECONDS, GRID = 2.0, 0.05  # of the recording; of the loudness


def main(recording: str, out: str, model: str = "byola-2022.base", steps: str = "300") -> None:
    encoder = auricle.load(model).requires_grad_(False)
    rate = encoder.sample_rate
    target = torch.from_numpy(audio.read(recording, sample_rate=rate, duration=SECONDS))
    aim = encoder(target)

    torch.manual_seed(0)
    pitches = LOWEST * (HIGHEST / LOWEST) ** torch.linspace(0, 1, SINES)
    time = torch.arange(len(target)) / rate
    sines = torch.sin(2 * torch.pi * (pitches[:, None] * time + torch.rand(SINES, 1)))
    loudness = torch.full((1, SINES, 1 + round(len(target) / rate / GRID)), -4.0, requires_grad=True)

    def synthesised() -> torch.Tensor:
        envelopes = interpolate(softplus(loudness), size=len(target), mode="linear", align_corners=True)[0]
        return torch.tanh(0.2 * (envelopes * sines).sum(dim=0))

    optimizer = torch.optim.Adam([loudness], lr=0.3)
    for step in range(int(steps) + 1):
        distance = (encoder(synthesised()) - aim).norm() / aim.norm()
        if step % 50 == 0 or step == int(steps):
            print(f"step {step}: distance {distance.item():.3f}")
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
    audio.write(Path(out), synthesised().detach().numpy(), sample_rate=rate)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
