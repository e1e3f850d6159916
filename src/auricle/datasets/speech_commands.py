"""Speech Commands v2 (Warden 2018): single words by thousands of people, one second each, official lists by speaker.

A file's name begins with a hash of its speaker; the lists for validation and test share no speaker with the rest.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, audio_by_stem, listed_audio
from auricle.manifest import Manifest

_NOT_WORDS = "_background_noise_"
_SPEAKER_END = "_nohash_"


def load(root: Path) -> Manifest:
    """The manifest: ``label`` (the word), ``split``, ``speaker``, which is also ``group`` and ``cluster``.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that its lists name, is not there.
    """
    folder = ENTRY.folder(root)
    words = sorted(part.name for part in folder.iterdir() if part.is_dir() and part.name != _NOT_WORDS)
    stems = audio_by_stem(folder, within=words)
    splits = {
        listed_audio(listed, stems, folder=folder, name=ENTRY.name): split
        for split, name in (("valid", "validation_list.txt"), ("test", "testing_list.txt"))
        for listed in (folder / name).read_text(encoding="utf-8").splitlines()
        if listed
    }
    rows = []
    for path in sorted(stems.values()):
        speaker = Path(path).name.partition(_SPEAKER_END)[0]
        rows.append(
            {
                "path": path,
                "label": Path(path).parent.name,
                "split": splits.get(path, "train"),
                "group": speaker,
                "cluster": speaker,
                "speaker": speaker,
            }
        )
    return Manifest.from_rows(rows, root=folder, source=ENTRY.name)


ENTRY = DatasetEntry(
    name="speech-commands",
    title="Speech Commands v2",
    domain="speech",
    licence="CC BY 4.0",
    citation="P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209, 2018",
    url="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    download="2.4 GB",
    marker="speech_commands/testing_list.txt",
    classes=35,
    unit_seconds=1.0,
    clips=105829,
    load=load,
)
