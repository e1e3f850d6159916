"""Continuous transcription: a CTC head (Graves et al. 2006) on the frames of a frozen encoder.

    python examples/transcribe_by_ctc.py utterances.csv byola-2022.base 500

`utterances.csv` has the columns path and text, and perhaps start and end; its last fifth is not trained on, but
transcribed. Frames must follow one another faster than letters do: BYOL-A 2022 has one every 40 ms.
"""

import sys

import torch
from torch import nn
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pad_sequence

import auricle
from auricle import audio
from auricle.manifest import Manifest


def main(table: str, model: str = "byola-2022.base", steps: str = "500") -> None:
    manifest, encoder = Manifest.read(table), auricle.load(model)
    texts = manifest.column("text")
    letters = sorted(set("".join(texts)))  # number 0 is CTC's blank
    clips, excerpts = [], manifest.excerpts
    for path, start, end in excerpts:
        waveform = audio.read(path, sample_rate=encoder.sample_rate, offset=start, duration=end and end - start)
        with torch.no_grad():
            clips.append(encoder.frames(torch.from_numpy(waveform))[0])
    held = len(clips) - max(1, len(clips) // 5)
    mean, std = torch.cat(clips[:held]).mean(dim=0), torch.cat(clips[:held]).std(dim=0) + 1e-3
    frames = pad_sequence([(clip - mean) / std for clip in clips], batch_first=True)
    lengths = torch.tensor([len(clip) for clip in clips])
    targets = [torch.tensor([1 + letters.index(letter) for letter in text]) for text in texts]
    of_target = torch.tensor([len(target) for target in targets])

    torch.manual_seed(0)
    head = nn.Linear(encoder.frame_dim, 1 + len(letters))
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=0.01)
    for step in range(1, int(steps) + 1):
        rows = torch.randperm(held)[:16]
        scores = head(frames[rows]).log_softmax(dim=-1).transpose(0, 1)
        loss = ctc_loss(scores, torch.cat([targets[row] for row in rows]), lengths[rows], of_target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}")

    for row in range(held, len(clips)):
        best = torch.unique_consecutive(head(frames[row, : lengths[row]]).argmax(dim=-1))
        path, start, _ = excerpts[row]
        print(f"{path.name} from {start:g} s: {''.join(letters[n - 1] for n in best if n)} (was {texts[row]})")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
