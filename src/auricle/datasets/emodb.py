"""EmoDB (Burkhardt 2005): ten actors speak ten German sentences in seven emotions, as a plain manifest.

It has no split. The five folds here are ours: each holds out one woman and one man, paired in the order of their
numbers, so that no speaker is heard in training and scored, and every fold is balanced by sex. All folds share the ten
sentences.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry
from auricle.datasets.recordings import listed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest

FOLDS = (("03", "08"), ("10", "09"), ("11", "13"), ("12", "14"), ("15", "16"))  # (man, woman)


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label``, ``fold`` (1 to 5), ``speaker`` (also ``group`` and ``cluster``), ``sex``, ``text_code``.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there, or it has a speaker that EmoDB has not.
    """
    folder = ENTRY.folder(root)
    rows = Manifest.read(folder / "manifest.csv").table.to_pylist()
    manifest = listed_manifest(rows, folder=folder, name=ENTRY.name, absent=absent)
    fold_of = {speaker: fold for fold, speakers in enumerate(FOLDS, start=1) for speaker in speakers}
    speakers = manifest.column("speaker")
    if strange := [speaker for speaker in speakers if speaker not in fold_of]:
        raise AuricleError(
            f"{ENTRY.name}: unknown speaker {strange[0]!r}; expected one of {', '.join(sorted(fold_of))}"
        )
    folded = manifest.with_column("fold", [fold_of[speaker] for speaker in speakers])
    return folded.with_column("group", speakers).with_column("cluster", speakers).validate()


ENTRY = DatasetEntry(
    name="emodb",
    title="Berlin Database of Emotional Speech (EmoDB)",
    domain="speech",
    licence="CC0",
    citation="F. Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005",
    url="http://emodb.bilderbar.info",
    download="40 MB; needs a manifest.csv with path, label, speaker, sex, text_code",
    marker="emodb/manifest.csv",
    metric="balanced_accuracy",
    classes=7,
    class_noun="emotions",
    unit_seconds=2.8,
    clips=535,
    hours=0.41,
    load=load,
    exceptions="all folds share the ten sentences",
)
