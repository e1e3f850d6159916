"""Tiny copies of the published folder layouts, of silent files, for the loaders' tests."""

import json
from pathlib import Path

import numpy as np
import soundfile


def silence(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(160, dtype=np.int16), 16000)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def esc50(root: Path, *, suffix: str = ".wav") -> None:
    names = ["1-100032-A-0", "2-100038-A-14", "3-100038-B-14", "4-5-A-0", "5-6-A-14"]
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for name in names:
        fold, source, take, target = name.split("-")
        category, esc10 = ("dog", True) if target == "0" else ("chirping_birds", False)
        rows.append(f"{name}.wav,{fold},{target},{category},{esc10},{source},{take}")
        silence(root / "ESC-50-master" / "audio" / f"{name}{suffix}")
    text(root / "ESC-50-master" / "meta" / "esc50.csv", *rows)


def urbansound8k(root: Path) -> None:
    rows = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        name = f"{1000 + fold}-3-0-0.wav"
        rows.append(f"{name},{1000 + fold},0.0,0.5,{1 + fold % 2},{fold},3,dog_bark")
        silence(root / "UrbanSound8K" / "audio" / f"fold{fold}" / name)
    text(root / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv", *rows)


def speech_commands(root: Path) -> None:
    folder = root / "speech_commands"
    for speaker, word, take in [("aa", "yes", 0), ("aa", "no", 0), ("aa", "no", 1), ("bb", "yes", 0), ("cc", "no", 0)]:
        silence(folder / word / f"{speaker}_nohash_{take}.wav")
    silence(folder / "_background_noise_" / "pink_noise.wav")
    text(folder / "validation_list.txt", "yes/bb_nohash_0.wav")
    text(folder / "testing_list.txt", "no/cc_nohash_0.wav")


def vctk(root: Path) -> None:
    folder = root / "VCTK-Corpus-0.92"
    text(
        folder / "speaker-info.txt",
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS",
        "p225  23  F    English    Southern  England",
        "p280  25  F    Unknown    France (mic2 files unavailable)",
        "p315  18  M    American   New  England (text files unavailable)",
    )
    for speaker, utterances in {"p225": ["001", "025", "026", "050", "051"], "p280": ["001"], "p315": ["366"]}.items():
        for utterance in utterances:
            recording = f"{speaker}_{utterance}"
            for microphone in ["mic1"] if speaker == "p280" else ["mic1", "mic2"]:
                silence(folder / "wav48_silence_trimmed" / speaker / f"{recording}_{microphone}.flac")
            if speaker != "p315":
                text(folder / "txt" / speaker / f"{recording}.txt", "Please call Stella.")
    silence(folder / "wav48_silence_trimmed" / "s5" / "s5_100_mic1.flac")


def nsynth(root: Path, *, below: str = "nsynth") -> None:
    notes = {
        "train": [("bass_synthetic_033", "bass", "synthetic", 22, 25)],
        "valid": [("guitar_acoustic_015", "guitar", "acoustic", 60, 127)],
        "test": [("guitar_acoustic_015", "guitar", "acoustic", 72, 50)],
    }
    for split, facts in notes.items():
        folder = root / below / f"nsynth-{split}"
        examples = {}
        for instrument, family, source, pitch, velocity in facts:
            note = f"{instrument}-{pitch:03d}-{velocity:03d}"
            examples[note] = {
                "note_str": note,
                "pitch": pitch,
                "velocity": velocity,
                "instrument_str": instrument,
                "instrument_family_str": family,
                "instrument_source_str": source,
                "qualities_str": [],
            }
            silence(folder / "audio" / f"{note}.wav")
        text(folder / "examples.json", json.dumps(examples))


def ava_speech(root: Path, *, films: int = 55, gone: int = 1) -> None:
    folder = root / "AVA-Speech"
    lines = []
    for number in range(films):
        film = f"film{number:02d}"
        lines += [
            f"{film},900.00,903.50,NO_SPEECH",
            f"{film},903.50,904.00,CLEAN_SPEECH",
            f"{film},904.00,906.00,SPEECH_WITH_MUSIC",
        ]
        if number >= gone:
            silence(folder / f"{film}.wav")
    text(folder / "ava_speech_labels_v1.csv", *lines)


def digits(root: Path) -> None:
    rows = ["path,label,speaker,take,split"]
    for digit, take, split in [(0, 0, "test"), (1, 5, "valid"), (2, 10, "train")]:
        rows.append(f"audio/{digit}_george_{take}.wav,{digit},george,{take},{split}")
        silence(root / "digits" / "audio" / f"{digit}_george_{take}.wav")
    text(root / "digits" / "manifest.csv", *rows)


def emodb(root: Path) -> None:
    rows = ["path,label,speaker,sex,text_code"]
    sexes = dict.fromkeys(["03", "10", "11", "12", "15"], "m") | dict.fromkeys(["08", "09", "13", "14", "16"], "f")
    for speaker, sex in sexes.items():
        rows.append(f"audio/{speaker}a01Fa.wav,happiness,{speaker},{sex},a01")
        silence(root / "emodb" / "audio" / f"{speaker}a01Fa.wav")
    text(root / "emodb" / "manifest.csv", *rows)


BUILD = {
    "esc50": esc50,
    "urbansound8k": urbansound8k,
    "speech-commands": speech_commands,
    "vctk": vctk,
    "nsynth": nsynth,
    "ava-speech": ava_speech,
    "ava-speech-limited": ava_speech,
    "digits": digits,
    "emodb": emodb,
}
