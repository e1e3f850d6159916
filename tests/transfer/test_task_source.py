"""A user's own labels become a task that can be scored, whatever form they come in."""

import io
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.splits import partitions
from auricle.transfer.task_source import Own, find_task, find_tasks

BIRDS = ("owl", "wren")


def rows(count: int = 40, **columns: object) -> list[dict[str, object]]:
    """Clips of two birds at four sites, ten by ten."""
    return [
        {"path": f"{number}.wav", "label": BIRDS[number % 2], "site": number // 10, **columns}
        for number in range(count)
    ]


def written(folder: Path, given: list[dict[str, object]], name: str = "birds.csv") -> str:
    Manifest.from_rows(given, root=folder).write(folder / name)
    return str(folder / name)


def test_without_split_and_group_five_folds_are_drawn_and_one_sentence_warns(tmp_path: Path) -> None:
    task = find_task(written(tmp_path, rows()))
    folds = np.array(task.manifest.column("fold"))
    assert sorted(set(folds)) == [1, 2, 3, 4, 5]
    assert np.bincount(folds)[1:].tolist() == [8] * 5
    assert len(partitions(task.manifest)) == 5
    (notice,) = task.notices
    assert "five stratified folds" in notice
    assert "without --group COLUMN" in notice
    assert (task.name, task.kind, task.metric, task.is_own) == ("birds", "multi-class", "accuracy", True)
    assert task.classes == BIRDS


def test_folds_by_group_keep_sites_together_and_need_no_warning(tmp_path: Path) -> None:
    task = find_task(written(tmp_path, [{**row, "site": row["path"][:1]} for row in rows(90)]), own=Own(group="site"))
    fold_of = dict(zip(task.manifest.column("group"), task.manifest.column("fold"), strict=True))
    pairs = set(zip(task.manifest.column("group"), task.manifest.column("fold"), strict=True))
    assert len(pairs) == len(fold_of)
    assert task.notices == ()


def windows(birds: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    """Windows of a second, by recording the birds of each."""
    return [
        {"path": path, "start": second, "end": second + 1, "label": bird}
        for path, heard in birds.items()
        for second, bird in enumerate(heard)
    ]


def test_windows_of_one_recording_stay_together_where_nobody_says_what_does(tmp_path: Path) -> None:
    task = find_task(written(tmp_path, windows({f"{night}.wav": ("owl", "wren", "owl") for night in range(7)})))
    pairs = set(zip(task.manifest.column("path"), task.manifest.column("fold"), strict=True))
    assert len(pairs) == 7  # each in one fold
    assert task.manifest.column("group") == task.manifest.column("path")  # and its windows are one draw of a bootstrap
    assert task.group_noun == "recording"
    (notice,) = task.notices
    assert "no recording in two of them; without --group COLUMN one speaker or site may be in several" in notice


def test_where_recordings_are_too_few_the_windows_are_dealt_out_and_the_warning_says_why(tmp_path: Path) -> None:
    nights = {f"{night}.wav": ("wren",) * 4 for night in range(6)}
    task = find_task(written(tmp_path, windows({**nights, "0.wav": ("owl",) * 9, "1.wav": ("owl",) * 9})))
    assert "not by recording, for 'owl' stands in 2 of them only: clips of one recording" in task.notices[0]
    assert not task.manifest.has("group")
    task = find_task(written(tmp_path, windows({"0.wav": ("owl", "wren") * 9})))
    assert "not by recording, for their number is 1: clips of one recording" in task.notices[0]
    assert sorted(set(task.manifest.column("fold"))) == [1, 2, 3, 4, 5]


def test_a_validation_part_is_cut_from_whole_recordings(tmp_path: Path) -> None:
    given = windows({f"{night}.wav": ("owl", "wren", "owl") for night in range(12)})
    task = find_task(written(tmp_path, [{**row, "split": "train" if row["path"] < "6" else "test"} for row in given]))
    parts = set(zip(task.manifest.column("path"), task.manifest.column("split"), strict=True))
    assert len(parts) == 12
    assert {"valid", "train", "test"} == set(task.manifest.column("split"))


def test_a_split_that_is_given_counts(tmp_path: Path) -> None:
    given = [{**row, "split": ("train", "valid", "test", "train")[row["site"]]} for row in rows()]
    task = find_task(written(tmp_path, given), own=Own(group="site"))
    assert not task.manifest.has("fold")
    (part,) = partitions(task.manifest)
    assert (len(part.train), len(part.valid), len(part.test)) == (20, 10, 10)


def test_a_split_without_validation_gets_a_fifth_of_the_training_part(tmp_path: Path) -> None:
    given = [{**row, "split": "test" if row["site"] == 3 else "train"} for row in rows()]
    task = find_task(written(tmp_path, given))
    (part,) = partitions(task.manifest)
    assert (len(part.train), len(part.valid), len(part.test)) == (24, 6, 10)
    assert "no validation part" in task.notices[0]


def test_another_column_can_be_predicted(tmp_path: Path) -> None:
    source = written(tmp_path, [{**row, "sex": "mf"[number // 2 % 2]} for number, row in enumerate(rows())])
    assert set(find_task(source, own=Own(label="sex")).manifest.column("label")) == {"m", "f"}
    with pytest.raises(AuricleError, match=r"birds\.csv has no column `age`"):
        find_task(source, own=Own(label="age"))
    detection = find_task(source, own=Own(positive="owl"))
    assert detection.classes == BIRDS
    assert (detection.kind, detection.positive, detection.metric) == ("binary", "owl", "average_precision")


def test_a_folder_of_folders_is_a_task_and_folders_named_as_splits_are_the_split(tmp_path: Path, sound_file) -> None:
    for number in range(6):
        for bird in BIRDS:
            sound_file(f"plain/{bird}/{number}.wav", np.zeros(160, np.float32))
            split = ("train", "train", "train", "validation", "test", "test")[number]
            sound_file(f"divided/{split}/{bird}/{number}.wav", np.zeros(160, np.float32))
    task = find_task(str(tmp_path / "plain"))
    assert (task.name, sorted(set(task.manifest.column("label")))) == ("plain", ["owl", "wren"])
    task = find_task("divided", tmp_path)
    (part,) = partitions(task.manifest)
    assert (len(part.train), len(part.valid), len(part.test)) == (6, 2, 4)


def test_own_labels_in_a_folder_that_is_called_like_a_dataset_are_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "emodb").mkdir()
    task = find_task(written(tmp_path / "emodb", rows(), "manifest.csv"))
    assert task.name == "emodb (own labels)"


def test_paths_may_start_from_the_folder_of_all_data(tmp_path: Path, sound_file) -> None:
    for number in range(12):
        sound_file(f"data/{number}.wav", np.zeros(160, np.float32))
    (tmp_path / "lists").mkdir()
    task = find_task(written(tmp_path / "lists", rows(12)), tmp_path / "data")
    assert task.manifest.files[0].is_file()


def test_what_cannot_be_a_task_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"row 2 \(1\.wav\) has no label: give it one, or leave it out"):
        find_task(written(tmp_path, [{**row, "label": None if row["path"] == "1.wav" else "owl"} for row in rows()]))
    with pytest.raises(AuricleError, match="nothing to predict: expected a column `label`"):
        find_task(written(tmp_path, [{"path": "a.wav", "site": "x"}], "nothing.csv"))
    with pytest.raises(AuricleError, match=r"esc50 is a dataset: give --root"):
        find_task("esc50")
    with pytest.raises(
        AuricleError, match=r"bards\.csv nor bards\.csv does not exist: expected a .csv or .parquet file, or a folder"
    ):
        find_task("bards.csv", tmp_path)
    with pytest.raises(AuricleError, match="--label, --group, --positive and --over-time are for your own labels"):
        find_tasks(["esc50"], tmp_path, own=Own(group="site"))


def wav(hertz: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * hertz * np.arange(1600) / 16000), 16000, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def hugging_face() -> Iterator[Any]:
    """Their library `datasets`, in place of the tests' own package of that name."""

    def is_it(name: str) -> bool:
        return name.partition(".")[0] == "datasets"

    own = {name: sys.modules.pop(name) for name in list(sys.modules) if is_it(name)}
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if Path(entry or ".").resolve() != Path(__file__).parents[1]]
    try:
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        yield datasets
    finally:
        for name in [name for name in sys.modules if is_it(name)]:
            del sys.modules[name]
        sys.modules.update(own)
        sys.path[:] = path


@pytest.fixture(scope="module")
def saved(hugging_face: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset as they save it: train and test, classes by number, a column of text."""
    datasets = hugging_face

    def part(count: int) -> object:
        columns = {
            "sound": [{"bytes": wav(300.0 + number), "path": f"clip{number}.wav"} for number in range(count)],
            "bird": [number % 2 for number in range(count)],
            "site": [f"s{number // 4}" for number in range(count)],
        }
        table = datasets.Dataset.from_dict(columns)
        return table.cast_column("sound", datasets.Audio()).cast_column("bird", datasets.ClassLabel(names=BIRDS))

    folder = tmp_path_factory.mktemp("hub") / "birds"
    datasets.DatasetDict({"train": part(20), "test": part(8)}).save_to_disk(str(folder))
    return folder


def test_a_hugging_face_dataset_becomes_files_with_their_own_bytes(saved: Path, tmp_path: Path) -> None:
    task = find_task(f"hf:{saved}", cache=tmp_path, own=Own(group="site"))
    manifest = task.manifest
    assert task.name == "birds"
    assert manifest.column("label")[:3] == ["owl", "wren", "owl"]
    assert manifest.column("site")[:5] == ["s0", "s0", "s0", "s0", "s1"]
    assert [manifest.column("split").count(split) for split in ("train", "valid", "test")] == [16, 4, 8]
    assert manifest.files[1].read_bytes() == wav(301.0)
    assert manifest.files[1].suffix == ".wav"
    before = {file: file.stat().st_mtime_ns for file in manifest.files}
    again = find_task(f"hf:{saved}", cache=tmp_path, own=Own(group="site"))
    assert again.manifest.fingerprint == manifest.fingerprint
    assert {file: file.stat().st_mtime_ns for file in again.manifest.files} == before


def test_what_a_hugging_face_dataset_lacks_is_one_sentence(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="has no column `species`; it has sound, bird, site"):
        find_task(f"hf:{saved}", cache=tmp_path, own=Own(label="species"))
    with pytest.raises(AuricleError, match=r"hf:.*nowhere cannot be loaded"):
        find_task(f"hf:{tmp_path / 'nowhere'}", cache=tmp_path)


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['datasets'] = None\n"
        "from pathlib import Path\n"
        "from auricle.errors import AuricleError\n"
        "from auricle.transfer.hub_dataset import hub_manifest\n"
        "try:\n    hub_manifest('org/birds', Path('x'))\nexcept AuricleError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == 'hf:org/birds needs the `datasets` extra: pip install "auricle[datasets]"'
