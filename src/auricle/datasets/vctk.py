"""VCTK 0.92 (Yamagishi 2019): 110 speakers of English who read about 400 sentences each; whose voice is it?

The corpus has no split. By the rule of Ogg (2025) utterances up to 25 are validation, up to 50 test, the others
training; the first microphone is used (the paper does not say which). Speakers are the classes, so they are no group.
"""

import re
from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import audio_by_stem, listed_manifest
from auricle.manifest import Manifest

LAST_VALID_UTTERANCE = 25
LAST_TEST_UTTERANCE = 50

_AUDIO = "wav48_silence_trimmed"
_RECORDING = re.compile(r".*/(?P<speaker>\w+?)_(?P<utterance>\d+)_mic1")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` and ``speaker``, ``split``, ``utterance``, ``text``, ``sex`` (f, m), ``age``, ``accent``.

    What the corpus does not know of a speaker (texts of p315, all of a speaker who is not in its table) is null. What
    it has a text but no recording of (some of p362) is no clip; there is no list, so nothing is ever `absent`.

    Raises
    ------
    AuricleError
        When the dataset is not there.
    """
    folder = ENTRY.folder(root)
    speakers = _speakers(folder / "speaker-info.txt")
    rows = []
    for stem, path in sorted(audio_by_stem(folder, within=[_AUDIO]).items()):
        recording = _RECORDING.fullmatch(stem)
        if recording is None:  # the second microphone
            continue
        speaker, utterance = recording["speaker"], int(recording["utterance"])
        text = folder / "txt" / speaker / f"{speaker}_{recording['utterance']}.txt"
        rows.append(
            {
                "path": path,
                "label": speaker,
                "split": split_of(utterance),
                "speaker": speaker,
                "utterance": utterance,
                "text": text.read_text(encoding="utf-8").strip() if text.exists() else None,
                "sex": None,
                "age": None,
                "accent": None,
                **speakers.get(speaker, {}),
            }
        )
    return listed_manifest(rows, folder=folder, within=[_AUDIO], name=ENTRY.name, absent=absent)


def split_of(utterance: int) -> str:
    """The study's split of an utterance by its number."""
    if utterance <= LAST_VALID_UTTERANCE:
        return "valid"
    return "test" if utterance <= LAST_TEST_UTTERANCE else "train"


def _speakers(path: Path) -> dict[str, dict[str, str | int | None]]:
    """``speaker-info.txt``: ID, AGE, GENDER, ACCENTS, REGION, separated by spaces; the last may be missing."""
    speakers: dict[str, dict[str, str | int | None]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4:
            identity, age, sex, accent = fields[:4]
            speakers[identity] = {"sex": sex.lower(), "age": int(age) if age.isdigit() else None, "accent": accent}
    return speakers


ENTRY = DatasetEntry(
    name="vctk",
    title="CSTR VCTK Corpus 0.92",
    domain="speech",
    licence="CC BY 4.0",
    citation="J. Yamagishi et al., CSTR VCTK Corpus (version 0.92), University of Edinburgh 2019, doi:10.7488/ds/2645",
    url="https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
    download="11 GB",
    marker="VCTK-Corpus-0.92/speaker-info.txt",
    classes=110,
    class_noun="speakers",
    unit_seconds=3.0,
    clips=44455,
    hours=44.0,
    files=(
        RemoteFile(
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
            "sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
            into="VCTK-Corpus-0.92",
        ),
    ),
    load=load,
    exceptions="each speaker was recorded in one session, so the room and the device tell speakers apart too",
)
