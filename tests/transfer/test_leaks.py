"""Leaks across splits: made ones are all found, with nothing else; ESC-50's official ones are known."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
import soundfile

from altered import ALTERED
from auricle import audio, near_duplicates
from auricle.datasets import esc50
from auricle.manifest import Manifest, ManifestError
from auricle.transfer.leaks import find_leaks

RATE = 16_000


def manifest_of(rows: list[dict], root: Path) -> Manifest:
    """As the loaders make it, but without refusing what the check is to find."""
    bare = [{name: value for name, value in row.items() if name != "group"} for row in rows]
    plain = Manifest(Manifest.from_rows(bare, root=root).table, root, "labels.csv")
    return plain if "group" not in rows[0] else plain.with_column("group", [row["group"] for row in rows])


def noise(folder: Path, name: str, seed: int, seconds: float = 1.0) -> str:
    folder.mkdir(exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)
    soundfile.write(folder / name, samples, RATE, subtype="PCM_16")
    return name


def pairs_of(table, kind: str) -> set[tuple[str, str]]:
    return {(row["first"], row["second"]) for row in table.to_pylist() if row["kind"] == kind}


def test_what_has_no_sides_cannot_leak(tmp_path: Path) -> None:
    manifest = manifest_of([{"path": noise(tmp_path, "a.wav", 0)}], tmp_path)
    with pytest.raises(ManifestError, match="neither split nor fold"):
        find_leaks(manifest)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"row 1 \(a\.wav\) is missing"):
        find_leaks(manifest_of([{"path": "a.wav", "split": "train"}], tmp_path), near=False)


def test_groups_on_both_sides_are_counted_and_named_by_their_column(tmp_path: Path) -> None:
    stand = [
        ("train", "pond"),
        ("train", "pond"),
        ("test", "pond"),
        ("test", "hill"),
        ("valid", "hill"),
        ("train", "x"),
    ]
    rows = [
        {"path": noise(tmp_path, f"{row}.wav", row), "split": split, "group": site}
        for row, (split, site) in enumerate(stand)
    ]
    report = find_leaks(manifest_of(rows, tmp_path), group_noun="site", near=False)
    assert report.sentences[0] == "group: 2 sites stand in more than one split (pond, hill)"
    assert pairs_of(report.table, "group") == {("0.wav", "2.wav"), ("3.wav", "4.wav")}
    assert report.unknown == 2
    clean = find_leaks(manifest_of([row for row in rows if row["group"] == "x"], tmp_path), near=False)
    assert clean.sentences[0] == "group: every group stands in one split" and clean.unknown == 0


def test_a_group_that_nobody_gave_is_said(tmp_path: Path) -> None:
    rows = [{"path": noise(tmp_path, f"{row}.wav", row), "fold": row} for row in range(2)]
    report = find_leaks(manifest_of(rows, tmp_path), near=False)
    assert report.sentences[0] == "group: the clips have none, so nothing says what must not straddle folds"
    assert report.sentences[1:] == ("recording: none", "identical: none")


def test_a_cluster_may_straddle_unless_it_is_the_answer(tmp_path: Path) -> None:
    rows = [
        {"path": noise(tmp_path, f"{row}.wav", row), "split": split, "cluster": speaker, "label": speaker}
        for row, (split, speaker) in enumerate([("train", "ann"), ("test", "ann"), ("train", "bob"), ("test", "bob")])
    ]
    speakers = find_leaks(manifest_of(rows, tmp_path), near=False)  # speakers are to be told apart
    assert speakers.table.num_rows == 0
    words = [{**row, "label": f"word {number % 3}"} for number, row in enumerate(rows)]
    report = find_leaks(manifest_of(words, tmp_path), near=False, exceptions="as published")
    assert "cluster: 2 clusters stand in more than one split (known: as published)" in report.sentences
    assert report.table.num_rows == 2 and report.unknown == 0


def test_identical_files_are_found_and_files_of_one_size_are_not(tmp_path: Path) -> None:
    for number in range(6):
        noise(tmp_path, f"{number}.wav", number, seconds=3.0)  # 96 kB: longer than the beginning that is compared first
    for copy in ("copy.wav", "again.wav"):
        shutil.copy(tmp_path / "2.wav", tmp_path / copy)
    late = bytearray((tmp_path / "3.wav").read_bytes())
    late[-1] ^= 1  # differs in its last byte alone
    (tmp_path / "late.wav").write_bytes(late)
    names = {"train": ["0.wav", "1.wav", "2.wav", "3.wav"], "test": ["copy.wav", "again.wav", "late.wav", "5.wav"]}
    rows = [{"path": name, "split": split} for split, listed in names.items() for name in listed]
    report = find_leaks(manifest_of(rows, tmp_path), near=False)
    assert pairs_of(report.table, "identical") == {("2.wav", "copy.wav"), ("2.wav", "again.wav")}
    assert "identical: 2 pairs of files across splits are the same byte for byte" in report.sentences
    within = [{**row, "split": "train"} for row in rows[:-1]] + rows[-1:]
    assert find_leaks(manifest_of(within, tmp_path), near=False).table.num_rows == 0


def test_a_recording_cut_up_across_splits_is_found(tmp_path: Path) -> None:
    name = noise(tmp_path, "long.wav", 0, seconds=3.0)
    other = noise(tmp_path, "other.wav", 1, seconds=3.0)
    rows = [
        {"path": name, "start": 0.0, "end": 1.0, "split": "train"},
        {"path": name, "start": 1.0, "end": 2.0, "split": "train"},
        {"path": name, "start": 2.0, "end": 3.0, "split": "test"},
        {"path": other, "start": 0.0, "end": 1.0, "split": "test"},
    ]
    report = find_leaks(manifest_of(rows, tmp_path), near=False)
    assert [row["shared"] for row in report.table.to_pylist()] == ["long.wav", "long.wav"]
    assert "recording: 1 recording is cut up across splits" in report.sentences
    pairs = [
        [row[f"{which}_{at}"] for which in ("first", "second") for at in ("start", "end")]
        for row in report.table.to_pylist()
    ]
    assert pairs == [[0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 3.0]]
    assert "long.wav from 1 s (train) = long.wav from 2 s (test)" in report.as_text()


def test_the_table_is_written_as_csv(tmp_path: Path) -> None:
    rows = [
        {"path": noise(tmp_path, f"{row}.wav", row), "split": split, "group": "a"}
        for row, split in enumerate(("train", "test"))
    ]
    find_leaks(manifest_of(rows, tmp_path), near=False).write(tmp_path / "leaks.csv")
    table = pyarrow.csv.read_csv(tmp_path / "leaks.csv").to_pylist()
    assert table == [
        {
            "kind": "group",
            "first": "0.wav",
            "second": "1.wav",
            "first_side": "train",
            "second_side": "test",
            "similarity": 1.0,
            "shift": None,
            "shared": "a",
            "known": False,
        }
    ]


# --- near-duplicates of real clips --------------------------------------------------------------------------------


def real_clips(real_data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Sixteen each of four kinds of sound, spread over the folders."""
    for folder in ("ESC-50-master/audio", "VCTK-Corpus-0.92", "speech_commands", "emodb/audio"):
        files = audio.find(real_data / folder)
        for index in np.linspace(0, len(files) - 1, 16).astype(int):
            yield f"{files[index].parent.name}-{files[index].stem}", audio.read(files[index], sample_rate=RATE)


@pytest.mark.real
def test_altered_copies_of_real_clips_are_found_and_different_clips_are_not(real_data: Path, tmp_path: Path) -> None:
    rows, wanted = [], {}
    for number, (name, samples) in enumerate(real_clips(real_data)):
        written = {"train": samples}
        if number % 2 == 0:  # every second clip has a copy on the other side; of the rest some stand there themselves
            how = list(ALTERED)[number // 2 % len(ALTERED)]
            written["test"] = ALTERED[how](samples)
            wanted[frozenset([f"train-{name}.wav", f"test-{name}.wav"])] = how
        elif number % 4 == 1:
            written = {"test": samples}
        for split, sound in written.items():
            soundfile.write(tmp_path / f"{split}-{name}.wav", sound.astype(np.float32), RATE, subtype="FLOAT")
            rows.append({"path": f"{split}-{name}.wav", "split": split})
    report = find_leaks(manifest_of(rows, tmp_path), workers=1)
    found = {frozenset(pair) for pair in pairs_of(report.table, "near-duplicate")}
    assert len(wanted) == 32
    assert found <= wanted.keys()
    missed = [how for pair, how in wanted.items() if pair not in found]
    assert len(missed) <= 1, missed


@pytest.mark.real
def test_the_official_exceptions_of_esc50_are_known_and_what_nobody_told_is_found(
    real_data: Path, tmp_path: Path
) -> None:
    whole = esc50.load(real_data)
    names = [Path(path).stem for path in whole.column("path")]
    straddling = {"131943", "134049", "209698", "234879"}  # of which ESC-50's own readers tell
    alike = {"1-14262-A-37", "4-198841-A-37"}  # one alarm clock, 0.29 s apart, by two Freesound recordings
    rows = [
        row
        for row, name in enumerate(names)
        if whole.column("cluster")[row] in straddling or name in alike or row % 40 == 0
    ]
    report = find_leaks(whole.select(rows), exceptions=esc50.ENTRY.exceptions, work=tmp_path, workers=1)
    found = report.table.to_pylist()
    assert {row["shared"] for row in found if row["kind"] == "cluster"} == straddling
    assert all(row["known"] for row in found if row["kind"] == "cluster")
    [pair] = [row for row in found if not row["known"]]
    assert pair["kind"] == "near-duplicate" and {Path(pair[key]).stem for key in ("first", "second")} == alike
    assert abs(pair["shift"]) == pytest.approx(0.29, abs=0.01)
    assert any(f"(known: {esc50.ENTRY.exceptions})" in sentence for sentence in report.sentences)
    told: list[str] = []
    again = find_leaks(whole.select(rows), work=tmp_path, workers=1, report=lambda what, share: told.append(what))
    assert again.table.num_rows == report.table.num_rows
    assert "embedding" not in told and "comparing embeddings" in told


def test_more_candidates_than_are_compared_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_CANDIDATES", 2)
    for number in range(12):
        noise(tmp_path, f"{number}.wav", number)
        samples, _ = soundfile.read(tmp_path / f"{number}.wav")
        soundfile.write(tmp_path / f"{number}-soft.wav", 0.5 * samples, RATE, subtype="PCM_16")
    rows = [{"path": f"{n}.wav", "split": "train"} for n in range(12)]
    rows += [{"path": f"{n}-soft.wav", "split": "test"} for n in range(12)]
    report = find_leaks(manifest_of(rows, tmp_path), workers=1)
    assert len(pairs_of(report.table, "near-duplicate")) == 2
    assert report.sentences[-1].endswith("(10 pairs that are less alike were not compared)")


def test_a_clip_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    rows = [{"path": noise(tmp_path, f"{n}.wav", n), "split": ("train", "test")[n % 2]} for n in range(4)]
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    report = find_leaks(manifest_of([*rows, {"path": "broken.wav", "split": "test"}], tmp_path), workers=1)
    assert report.sentences[-1] == "near-duplicate: none (1 clip cannot be read)"
