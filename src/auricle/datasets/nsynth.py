"""NSynth (Engel 2017): single notes of about a thousand instruments of eleven families, with pitch and velocity.

Training instruments stand in no other split; validation and test share instruments, officially, so an instrument is a
``cluster`` and not a ``group``. The same notes are a second task, in which the pitch is to be told.
"""

import json
from dataclasses import replace
from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import listed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_SPLITS = ("train", "valid", "test")
_ARCHIVES = "http://download.magenta.tensorflow.org/datasets/nsynth"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (the family), ``split``, ``instrument`` and ``cluster``, ``pitch`` (MIDI), ``velocity``.

    ``source`` is how the sound was made: acoustic, electronic or synthetic. A split whose folder is not there is left
    out, for the training part is large.

    Raises
    ------
    AuricleError
        When the dataset, or a note that it lists, is not there.
    """
    return _load(root, ENTRY, absent)


def load_pitch(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of :func:`load` with ``target``, the pitch as MIDI number, and ``family`` in place of ``label``.

    Raises
    ------
    AuricleError
        As :func:`load`.
    """
    manifest = _load(root, PITCH_ENTRY, absent)
    families = manifest.column("label")
    table = manifest.table.drop_columns(["label"])
    told = Manifest(table, manifest.root, manifest.source).with_column("family", families)
    return told.with_column("target", [float(pitch) for pitch in manifest.column("pitch")])


def _load(root: Path, entry: DatasetEntry, absent: list[str] | None) -> Manifest:
    folder = entry.folder(root)
    rows = []
    for split in _SPLITS:
        part = f"nsynth-{split}"
        if not (folder / part / "examples.json").exists():
            continue
        try:
            notes = json.loads((folder / part / "examples.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise AuricleError(f"{entry.name}: {folder / part / 'examples.json'} is not JSON: {error}") from error
        rows += [
            {
                "path": f"{part}/audio/{note}.wav",
                "label": facts["instrument_family_str"],
                "split": split,
                "cluster": facts["instrument_str"],
                "instrument": facts["instrument_str"],
                "pitch": facts["pitch"],
                "velocity": facts["velocity"],
                "source": facts["instrument_source_str"],
            }
            for note, facts in sorted(notes.items())
        ]
    within = [f"nsynth-{split}/audio" for split in _SPLITS]
    return listed_manifest(rows, folder=folder, within=within, name=entry.name, absent=absent)


ENTRY = DatasetEntry(
    name="nsynth",
    title="NSynth",
    domain="non-speech",
    licence="CC BY 4.0",
    citation="J. Engel et al., Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders, ICML 2017",
    url="https://magenta.tensorflow.org/datasets/nsynth",
    download="25 GB, json and wav",
    marker="nsynth/nsynth-test/examples.json",
    classes=11,
    labels=(
        "bass",
        "brass",
        "flute",
        "guitar",
        "keyboard",
        "mallet",
        "organ",
        "reed",
        "string",
        "synth_lead",
        "vocal",
    ),
    class_noun="families",
    unit_seconds=4.0,
    clips=305979,
    counts={"train": 289205, "valid": 12678, "test": 4096},
    hours=340.0,
    files=(
        RemoteFile(f"{_ARCHIVES}/nsynth-train.jsonwav.tar.gz", "md5:fde6665a93865503ba598b9fac388660", into="nsynth"),
        RemoteFile(f"{_ARCHIVES}/nsynth-valid.jsonwav.tar.gz", "md5:87e94a00a19b6dbc99cf6d4c0c0cae87", into="nsynth"),
        RemoteFile(f"{_ARCHIVES}/nsynth-test.jsonwav.tar.gz", "md5:5e6f8719bf7e16ad0a00d518b78af77d", into="nsynth"),
    ),
    load=load,
    exceptions="validation and test share instruments; the test split has no synth_lead",
)
PITCH_ENTRY = replace(
    ENTRY,
    name="nsynth-pitch",
    title="NSynth, pitch",
    kind="regression",
    metric="r2",
    classes=0,
    labels=(),
    class_noun="instruments",
    counted="instrument",
    load=load_pitch,
    exceptions="validation and test share instruments",
)
