"""Pre-train an encoder on a folder of your own recordings, and embed one of them.

    python examples/pretrain_on_your_sound.py /field runs/field steps=2000

The same on the command line: ``auricle pretrain byola-2022-small data=/field --out runs/field``. Stopped or killed, it
goes on where it was when it is started again.
"""

import csv
import sys
from pathlib import Path

import auricle
from auricle import audio
from auricle.pretraining import run
from auricle.pretraining.events import Note, Plan, Step
from auricle.pretraining.recipe import load_recipe


def show(event: object) -> None:
    match event:
        case Plan():
            print(f"{event.files} files, {event.hours:.2f} h, {event.rejected} unreadable; {event.steps} steps")
        case Step():
            print(f"step {event.step}: loss {event.loss:.3f}, {event.clips_per_second:.0f} clips per second")
        case Note():
            print(event.text)


def main(folder: str, out: str, *overrides: str) -> None:
    if (Path(out) / "recipe.yaml").exists():
        model = run.resume(Path(out), report=show)
    else:
        recipe = load_recipe("byola-2022-small", [f"data={folder}", *overrides])
        model = run.pretrain(recipe, Path(out), report=show)

    encoder = auricle.load(model)
    with (Path(out) / "rejected.csv").open(newline="") as file:
        rejected = {Path(row["path"]) for row in csv.DictReader(file)}
    recording = next(path for path in audio.find(Path(folder)) if path not in rejected)
    print(f"{recording}: embedding of shape {encoder.embed(recording).shape}, statistics {encoder.statistics}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
