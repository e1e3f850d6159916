"""NSynth (Engel 2017): single notes of about a thousand instruments of eleven families, with pitch and velocity.

Training instruments stand in no other split; validation and test share instruments, officially, so an instrument is a
``cluster`` and not a ``group``.
"""

import json
from pathlib import Path

from auricle.datasets.entry import DatasetEntry, audio_by_stem, listed_audio
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_SPLITS = ("train", "valid", "test")


def load(root: Path) -> Manifest:
    """The manifest: ``label`` (the family), ``split``, ``instrument`` and ``cluster``, ``pitch`` (MIDI), ``velocity``.

    ``source`` is how the sound was made: acoustic, electronic or synthetic. A split whose folder is not there is left
    out, for the training part is large.

    Raises
    ------
    AuricleError
        When the dataset, or a note that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    rows = []
    for split in _SPLITS:
        part = f"nsynth-{split}"
        if not (folder / part / "examples.json").exists():
            continue
        try:
            notes = json.loads((folder / part / "examples.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise AuricleError(f"{ENTRY.name}: {folder / part / 'examples.json'} is not JSON: {error}") from error
        stems = audio_by_stem(folder, within=[f"{part}/audio"])
        for note, facts in sorted(notes.items()):
            path = listed_audio(f"{part}/audio/{note}.wav", stems, folder=folder, name=ENTRY.name)
            rows.append(
                {
                    "path": path,
                    "label": facts["instrument_family_str"],
                    "split": split,
                    "cluster": facts["instrument_str"],
                    "instrument": facts["instrument_str"],
                    "pitch": facts["pitch"],
                    "velocity": facts["velocity"],
                    "source": facts["instrument_source_str"],
                }
            )
    return Manifest.from_rows(rows, root=folder, source=ENTRY.name)


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
    unit_seconds=4.0,
    clips=305979,
    load=load,
    exceptions="validation and test share instruments; the test split has no synth_lead",
)
