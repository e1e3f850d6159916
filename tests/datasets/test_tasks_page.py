"""The page of all tasks says what the registry says; where it does not, the failure shows the row to put there."""

from pathlib import Path

import pytest

from auricle.datasets.registry import dataset, list_datasets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def row(name):
    entry = dataset(name)
    predicted = {
        "multi-class": f"one of {entry.classes:,} {entry.class_noun}",
        "binary": f"{entry.positive} or not",
        "multi-label": f"any of {entry.classes:,} {entry.class_noun}",
        "regression": "a number",
        "frames": f"{entry.positive} over time",
    }[entry.kind]
    folds = sum(part.startswith("fold ") for part in entry.counts) or (5 if name == "emodb" else 0)
    split = f"{folds} folds" if folds else "ours" if entry.split_list else "train, valid, test"
    has_sound = any(not file.name.endswith((".csv", ".txt")) for file in entry.files)
    fetched = "yes" if has_sound else "lists" if entry.files else "no"
    cells = [
        f"`{name}`",
        entry.title,
        predicted,
        f"{entry.clips:,}",
        f"{entry.hours:g}",
        f"{entry.unit_seconds:g}",
        split,
        entry.metric.replace("_", " "),
        entry.licence,
        fetched,
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", list_datasets())
def test_every_task_has_its_row(name):
    assert row(name) in PAGE.read_text(encoding="utf-8").splitlines()


def test_there_is_no_row_too_many():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    tabled = [line.split("`")[1] for line in rows if line.count("|") == 11]
    assert tabled == list_datasets()


@pytest.mark.parametrize("name", list_datasets())
def test_every_folder_that_is_looked_for_is_shown(name):
    assert f"`{dataset(name).marker.partition('/')[0]}/" in PAGE.read_text(encoding="utf-8")
