"""CREMA-D (Cao 2014): 91 actors speak twelve sentences in six emotions; which emotion is it?

The corpus has no split. This is TensorFlow Datasets', by speaker, which is reproduced from its rule: 63 actors train, 9
validate, 19 test. Four recordings that its table lists and its repository had not are never used.
"""

import re
from pathlib import Path

from auricle.datasets.entry import DatasetEntry
from auricle.datasets.given_split import shuffled_split
from auricle.datasets.recordings import audio_by_stem, listed_manifest
from auricle.manifest import Manifest

ACTORS = tuple(str(number) for number in range(1001, 1092))
_SHARES = {"train": 7, "valid": 1, "test": 2}
_UNUSED = ("1040_ITH_SAD_XX", "1006_TIE_NEU_XX", "1013_WSI_DIS_XX", "1017_IWW_FEA_XX")
_EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}  # XX and X: unspecified
_RECORDING = re.compile(
    rf"(?P<actor>\d{{4}})_(?P<sentence>[A-Z]{{3}})_(?P<emotion>{'|'.join(_EMOTIONS)})_(?P<level>[A-Z]{{1,2}})"
)


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label``, ``split``, ``speaker``, also ``group`` and ``cluster``, ``sentence`` and ``level``.

    What is in the folder is all there is to know, so nothing is ever `absent`.

    Raises
    ------
    AuricleError
        When the dataset is not there.
    """
    folder = ENTRY.folder(root)
    split_of = shuffled_split(ACTORS, _SHARES)
    rows = []
    for stem, path in sorted(audio_by_stem(folder, within=["AudioWAV"]).items()):
        recording = _RECORDING.fullmatch(Path(stem).name)
        if recording is None or recording["actor"] not in split_of or recording.group() in _UNUSED:
            continue
        rows.append(
            {
                "path": path,
                "label": _EMOTIONS[recording["emotion"]],
                "split": split_of[recording["actor"]],
                "group": recording["actor"],
                "cluster": recording["actor"],
                "speaker": recording["actor"],
                "sentence": recording["sentence"],
                "level": _LEVELS.get(recording["level"]),
            }
        )
    return listed_manifest(rows, folder=folder, within=["AudioWAV"], name=ENTRY.name, absent=absent)


ENTRY = DatasetEntry(
    name="crema-d",
    title="CREMA-D",
    domain="speech",
    licence="ODbL 1.0",
    citation="H. Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE TAC 5(4), 2014",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    download="600 MB by git lfs, AudioWAV",
    marker="CREMA-D/AudioWAV",
    classes=6,
    labels=tuple(sorted(_EMOTIONS.values())),
    class_noun="emotions",
    unit_seconds=2.5,
    clips=7438,
    counts={"train": 5155, "valid": 732, "test": 1551},
    hours=5.2,
    load=load,
    exceptions="all splits share the twelve sentences",
)
