"""Planted copies are found as groups, within files and across them, and different recordings are not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from altered import ALTERED
from auricle import audio
from auricle.embedding import embed_manifest
from auricle.errors import AuricleError
from auricle.explore import duplicates as module
from auricle.explore.duplicates import Duplicates, duplicates
from auricle.explore.embedded import Embedded
from auricle.manifest import Manifest
from auricle.models.registry import load

from .files import RATE, embeddings_file, noise, vectors_of


def embedded(folder: Path, rows: list[dict], out: Path, model: str = "logmel-stats") -> Embedded:
    embed_manifest(load(model), Manifest.from_rows(rows, root=folder), out=out, workers=1)
    return Embedded.open(out)


def sets_of(found: Duplicates) -> list[set[str]]:
    rows = found.table.to_pylist()
    return [{row["path"] for row in rows if row["set"] == number} for number in range(1, found.groups + 1)]


def test_copies_of_copies_are_one_group_and_say_what_they_stand_across(tmp_path: Path) -> None:
    for seed in range(12):
        noise(tmp_path / f"{seed}.wav", seed)
    noise(tmp_path / "soft.wav", 3, gain=0.2)
    noise(tmp_path / "upside-down.wav", 3, gain=-0.8)
    noise(tmp_path / "again.wav", 7, gain=0.5)
    split = {"soft.wav": "test", "9.wav": "test"}
    names = sorted(path.name for path in tmp_path.glob("*.wav"))
    rows = [{"path": name, "split": split.get(name, "train")} for name in names]
    shares: list[str] = []
    file = embedded(tmp_path, rows, tmp_path / "e.parquet")
    found = duplicates([file], report=lambda what, share: shares.append(what))
    assert sets_of(found) == [{"3.wav", "soft.wav", "upside-down.wav"}, {"7.wav", "again.wav"}]
    assert found.table.column_names[:3] == ["set", "across", "similarity"] and "split" in found.table.column_names
    assert found.table.column("across").to_pylist() == ["split"] * 3 + [""] * 2
    assert min(found.table.column("similarity").to_pylist()) > 0.99
    assert [file.name for file in found.files] == found.table.column("path").to_pylist()
    assert found.sentences() == [
        "2 groups of near-duplicates: 5 of 15 clips",
        "1 of the groups stands in more than one split",
    ]
    assert {"comparing embeddings", "comparing clips"} <= set(shares)


def test_across_files_the_same_clip_and_its_copy_are_one_group(tmp_path: Path) -> None:
    for seed in range(10):
        noise(tmp_path / "a" / f"{seed}.wav", seed)
    noise(tmp_path / "b" / "copy.wav", 4, gain=0.3)
    one = embedded(tmp_path / "a", [{"path": f"{n}.wav"} for n in range(10)], tmp_path / "one.parquet")
    rows = [{"path": name, "site": "pond"} for name in ("a/4.wav", "b/copy.wav", "a/5.wav")]
    two = embedded(tmp_path, rows, tmp_path / "two.parquet")
    found = duplicates([one, two])
    assert sets_of(found) == [{"4.wav", "a/4.wav", "b/copy.wav"}, {"5.wav", "a/5.wav"}]
    assert set(found.table.column("across").to_pylist()) == {"file"}
    files = dict(zip(found.table.column("path").to_pylist(), found.table.column("file").to_pylist(), strict=True))
    assert files["4.wav"] == str(one.path) and files["b/copy.wav"] == str(two.path)
    assert found.clips == 13


def test_windows_of_one_recording_are_not_duplicates_of_each_other(tmp_path: Path) -> None:
    time = np.arange(4 * RATE) / RATE
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * time), RATE)
    noise(tmp_path / "noise.wav", 1, seconds=2.0)
    model = load("logmel-stats")
    manifest = Manifest.from_rows([{"path": "tone.wav"}, {"path": "noise.wav"}], root=tmp_path)
    embed_manifest(model, manifest, out=tmp_path / "w.parquet", window=1.0, hop=0.5, workers=1)
    found = duplicates([Embedded.open(tmp_path / "w.parquet")])
    assert found.groups == 0 and found.sentences() == ["no near-duplicates among 10 clips"]


def test_windows_of_one_recording_are_one_set_where_a_third_agrees_with_both(tmp_path: Path) -> None:
    for seed in range(8):
        noise(tmp_path / f"{seed}.wav", seed)
    once = audio.read(tmp_path / "3.wav", sample_rate=RATE)
    soundfile.write(tmp_path / "twice.wav", np.concatenate([once, once]), RATE)
    manifest = Manifest.from_rows([{"path": path.name} for path in sorted(tmp_path.glob("*.wav"))], root=tmp_path)
    embed_manifest(load("logmel-stats"), manifest, out=tmp_path / "w.parquet", window=1.0, hop=1.0, workers=1)
    found = duplicates([Embedded.open(tmp_path / "w.parquet")])
    rows = found.table.to_pylist()
    assert [(row["set"], row["path"], row["start"]) for row in rows] == [
        (1, "3.wav", 0.0),
        (1, "twice.wav", 0.0),
        (1, "twice.wav", 1.0),
    ]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    for seed in range(3):
        noise(tmp_path / f"{seed}.wav", seed)
    some = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(5), root=tmp_path))
    found = duplicates([some])
    assert (found.clips, found.absent) == (3, 2)
    assert found.sentences()[-1] == "2 clips were not compared: their sound is not there, or not readable"
    with pytest.raises(
        AuricleError, match=r"none of the 5 clips is there \(the first is /nowhere/0\.wav\): give --root"
    ):
        duplicates([Embedded.open(embeddings_file(tmp_path / "n.parquet", vectors_of(5), root=Path("/nowhere")))])
    assert duplicates([some], root=tmp_path).clips == 3
    other = Embedded.open(embeddings_file(tmp_path / "o.parquet", vectors_of(5), fingerprint="0" * 16))
    with pytest.raises(AuricleError, match=r"o\.parquet is by another encoder than .*e\.parquet"):
        duplicates([some, other])
    windows = Embedded.open(embeddings_file(tmp_path / "w.parquet", vectors_of(5), window=1.0, hop=1.0))
    with pytest.raises(AuricleError, match="of another window than"):
        duplicates([some, windows])
    frames = Embedded.open(embeddings_file(tmp_path / "f.parquet", vectors_of(5), frames=True))
    with pytest.raises(AuricleError, match="holds frames"):
        duplicates([frames])


@pytest.mark.real
@pytest.mark.parametrize("few", [0, 1000])
def test_altered_copies_of_real_clips_are_found_by_the_embeddings_at_hand_and_by_sound_prints(
    few: int, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEW_CLIPS", few)
    files = audio.find(real_data / "ESC-50-master" / "audio")[::56]
    rows, wanted = [], []
    for number, file in enumerate(files):
        samples = audio.read(file, sample_rate=RATE)
        written = {f"{file.stem}.wav": samples}
        if number % 2 == 0:
            how = list(ALTERED)[number // 2 % len(ALTERED)]
            written[f"{file.stem} {how}.wav"] = ALTERED[how](samples)
            wanted.append(set(written))
        for name, sound in written.items():
            soundfile.write(tmp_path / name, sound.astype(np.float32), RATE, subtype="FLOAT")
            rows.append({"path": name})
    found = sets_of(duplicates([embedded(tmp_path, rows, tmp_path / "e.parquet")]))
    assert len(wanted) == 18
    assert all(group in wanted for group in found)
    assert len(found) >= 17, [group for group in wanted if group not in found]
