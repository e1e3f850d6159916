"""The files that the documentation speaks of, small, so that its commands find what their reader would have.

Sounds are harmonic tones in noise whose pitch says what they are; nothing is like published sound but the layouts.
"""

import csv
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from auricle.models.yamnet import YAMNet
from corpora import layouts
from models.hub_models import transformers_folder
from models.test_importing import published
from models.test_yamnet import keras_file, with_lively_batch_norm

RATE = 16_000
PITCHES = {"frog": 900, "rain": 200, "bird": 2500, "three": 400, "seven": 1500, "neither": 150}  # Hz
STUDY = """\
diets: {{speech: "dataset:speech-commands", non-speech: "{field}"}}
tasks: [esc50]
pretraining: {{recipe: byola-2022-small}}
"""


def sound(name: str, pitch: float, seconds: float) -> np.ndarray:
    """A tone that comes and goes in noise, float32 (samples,); the name draws what is not given."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * rng.uniform(0.95, 1.05) * time
    tone = sum(np.sin(k * phase) / k for k in range(1, 1 + int(7600 // (pitch * 1.05)))[:4])
    swell = np.sin(np.pi * np.clip(rng.uniform(1.0, 1.5) * time / seconds, 0, 1)) ** 2
    loud = 0.2 * rng.uniform(0.5, 1) * swell * tone + 0.01 * rng.standard_normal(len(time))
    return loud.astype(np.float32)


def write(path: Path, pitch: float, seconds: float = 1.0) -> Path:
    """A file of :func:`sound`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(str(path), pitch, seconds), RATE)
    return path


def table(path: Path, columns: str, rows: Iterable[Sequence[Any]]) -> Path:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(","), *rows])
    return path


def roots(base: Path) -> None:
    """The folders whose names begin with a slash, and the weights of others, below `base`."""
    for number in range(24):
        pitch = list(PITCHES.values())[number % 3]
        write(base / "field" / f"site-{number % 3}" / f"{number:02}.{('wav', 'flac', 'ogg')[number % 3]}", pitch, 1.5)
    write(base / "field" / "long.flac", 900, 13)
    write(base / "field" / "held-out.wav", 500, 2)
    table(base / "field" / "held-out.csv", "path", [["held-out.wav"]])
    write(base / "archive" / "1957" / "reel.wav", 300, 3)
    table(base / "archive" / "index.csv", "path", [["1957/reel.wav"]])
    (base / "packs").mkdir()
    (base / "packs" / "all").symlink_to(base / "field")
    (base / "corpora").symlink_to(base / "data")
    datasets(base / "data")
    models = base / "models"
    models.mkdir()
    transformers_folder("wavlm", models / "wavlm-base-plus")
    network = with_lively_batch_norm(YAMNet()).eval()
    for module in network.convolutions():
        module.norm.weight.data.fill_(1.0)  # the published batch-norm has no scale
    keras_file(models / "yamnet.h5", network)


def home(folder: Path, *, base: Path) -> None:
    """The files that stand beside a page: labels, queries, a study, the authors' weights."""
    folder.mkdir()
    for name, pitch in (("frog", 900), ("dog", 450)):
        write(folder / f"{name}.wav", pitch)
    labelled = [
        (f"clips/{label}-{site}-{take}.wav", label, f"site-{site}")
        for label in ("frog", "rain", "bird")
        for site in range(5)
        for take in range(2)
    ]
    for path, label, _ in labelled:
        write(folder / path, PITCHES[label])
    table(folder / "labels.csv", "path,label,site", labelled)
    table(folder / "my-labels.csv", "path,label,group", labelled)
    table(folder / "birds.csv", "path", [[path] for path, label, _ in labelled if label == "bird"])
    for name in ("frogs.csv", "frog.csv"):
        rows = [(path, 0.0, 0.96, label if label == "frog" else "other", site) for path, label, site in labelled]
        table(folder / name, "path,start,end,label,group", rows)
    events = []
    for number in range(10):
        parts = [sound(f"{number} {label}", PITCHES[label], 1.0) for label in ("rain", "frog", "bird")]
        soundfile.write(folder / f"evening-{number}.wav", np.concatenate(parts), RATE)
        events += [(f"evening-{number}.wav", 1.0, 2.0, "frog"), (f"evening-{number}.wav", 2.0, 3.0, "bird")]
    table(folder / "events.csv", "path,start,end,label", events)
    (folder / "study.yaml").write_text(STUDY.format(field=base / "field"), encoding="utf-8")
    torch.save(published(blocks=2, width=2048).state_dict(), folder / "AudioNTT2022.pth")
    (folder / "DATA").symlink_to(base / "data")
    (folder / "MODELS").symlink_to(base / "models")


def digits_in_the_field(folder: Path) -> None:
    """What docs/using-a-probe.md says that it has: clips of two digits and of neither, and recordings with digits."""
    rows = []
    for label in ("three", "seven", "neither"):
        for number in range(20):
            path = write(folder / "takes" / f"{label}-{number}.wav", PITCHES[label], 0.5)
            split = ("train", "train", "train", "valid", "test")[number % 5]
            rows.append((path.relative_to(folder), 0.0, 0.5, label, split))
    table(folder / "labels.csv", "path,start,end,label,split", rows)
    (folder / "events.csv").unlink()
    (folder / "field").mkdir()
    for name in ("day", "night"):
        heard = ["neither"] * 4 + ["three"] + ["neither"] * 4 + ["seven"] + ["neither"] * 4
        parts = [sound(f"{name} {place}", PITCHES[label], 0.5) for place, label in enumerate(heard)]
        soundfile.write(folder / "field" / f"{name}.flac", np.concatenate(parts), RATE)
    (folder / "data").symlink_to((folder / "DATA").readlink())


def datasets(root: Path) -> None:
    """A few clips of data sets in their native layouts, and the twelve corpora."""
    for build in (
        layouts.freefield1010, layouts.wham, layouts.sonyc_ust, layouts.musan, layouts.fsd, layouts.audioset,
        layouts.ted_lium, layouts.librispeech, layouts.chime5, layouts.voxceleb, layouts.common_voice, layouts.ami,
    ):  # fmt: skip
        build(root)
    rows = []
    for fold in range(1, 6):
        for target, category, pitch in ((0, "dog", 450), (10, "rain", 200), (4, "frog", 900)):
            for source in range(2):
                name = f"{fold}-{fold}{target}{source}-A-{target}.wav"
                write(root / "ESC-50-master" / "audio" / name, pitch)
                rows.append((name, fold, target, category, "True", f"{fold}{target}{source}", "A"))
    table(root / "ESC-50-master" / "meta" / "esc50.csv", "filename,fold,target,category,esc10,src_file,take", rows)
    speech_commands(root / "speech_commands")
    vctk(root / "VCTK-Corpus-0.92")
    for number, split in enumerate(("train", "valid", "test")):
        nsynth(root / "nsynth" / f"nsynth-{split}", number)
    rows = []
    for speaker, sex in [("03", "m"), ("08", "f"), ("09", "f"), ("10", "m"), ("11", "m"), ("12", "m"), ("13", "f")]:
        for emotion, pitch in (("anger", 500), ("sadness", 150)):
            path = write(root / "emodb" / "audio" / f"{speaker}a01{emotion[0]}a.wav", pitch)
            rows.append((path.relative_to(root / "emodb"), emotion, speaker, sex, "a01"))
    table(root / "emodb" / "manifest.csv", "path,label,speaker,sex,text_code", rows)
    rows = []
    for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"):
        for digit in (3, 7):
            for take, split in ((0, "test"), (5, "valid"), (10, "train")):
                path = write(root / "digits" / "audio" / f"{digit}_{speaker}_{take}.wav", 100 * digit, 0.5)
                rows.append((path.relative_to(root / "digits"), digit, speaker, take, split))
    table(root / "digits" / "manifest.csv", "path,label,speaker,take,split", rows)
    films(root / "AVA-Speech")
    rows = [
        (write(root / "unlabelled" / f"{number}.wav", 300).name, "here", 10.5) for number in range(40)
    ]  # so it says
    table(root / "unlabelled" / "manifest.csv", "path,source,seconds", rows)


def speech_commands(folder: Path) -> None:
    lists: dict[str, list[str]] = {"validation_list": [], "testing_list": []}
    for speaker in range(10):
        for word, pitch in (("yes", 500), ("no", 250)):
            name = f"{word}/{speaker:02}_nohash_0.wav"
            write(folder / name, pitch)
            if speaker >= 6:
                lists["validation_list" if speaker < 8 else "testing_list"].append(name)
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def vctk(folder: Path) -> None:
    speakers = {"p225": 400, "p226": 120, "p270": 220}
    for speaker, pitch in speakers.items():
        for utterance in (1, 2, 26, 27, 51, 52, 53):
            name = f"{speaker}_{utterance:03}"
            write(folder / "wav48_silence_trimmed" / speaker / f"{name}_mic1.flac", pitch)
            text = folder / "txt" / speaker / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("Please call Stella.\n", encoding="utf-8")
    lines = [
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS",
        *(f"{speaker}  23  F    English    London" for speaker in speakers),
    ]
    (folder / "speaker-info.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def nsynth(folder: Path, number: int) -> None:
    examples = {}
    for family, octave in (("bass", 0), ("flute", 1), ("string", 2)):
        for step in range(6):
            pitch = 40 + 12 * octave + 2 * step
            instrument = f"{family}_acoustic_{number:03}"
            note = f"{instrument}-{pitch:03}-100"
            examples[note] = {
                "note_str": note,
                "pitch": pitch,
                "velocity": 100,
                "instrument_str": instrument,
                "instrument_family_str": family,
                "instrument_source_str": "acoustic",
                "qualities_str": [],
            }
            write(folder / "audio" / f"{note}.wav", 440 * 2 ** ((pitch - 69) / 12))
    (folder / "examples.json").write_text(json.dumps(examples), encoding="utf-8")


def films(folder: Path) -> None:
    """As the tasks count them from the last by name: ten to test, ten to select, the others to train."""
    rows: list[tuple[str, float, float, str]] = []
    for number in range(24):
        film = f"film{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        parts = [sound(f"{film} {pitch}", pitch, 2.0) for pitch in (200, 500)]
        soundfile.write(folder / f"{film}.wav", np.concatenate(parts), RATE)
        rows += [(film, 0.0, 2.0, "NO_SPEECH"), (film, 2.0, 4.0, "CLEAN_SPEECH")]
    (folder / "ava_speech_labels_v1.csv").write_text(
        "".join(f"{film},{start:.2f},{end:.2f},{label}\n" for film, start, end, label in rows), encoding="utf-8"
    )
