"""What a terminal shows of many findings: rows that belong together stay together and are counted as they are."""

from pathlib import Path

import pyarrow as pa

from auricle.explore.findings import Findings


def shown_of(counts: list[int]) -> list[str]:
    """The lines of sets of so many clips."""
    numbers = [number for number, count in enumerate(counts, 1) for _ in range(count)]
    table = pa.table({"set": numbers, "path": [f"{row}.wav" for row in range(len(numbers))]})
    files = [Path(path) for path in table.column("path").to_pylist()]
    found = Findings(
        table, files, "t", "s", ["found"], [], by="set", heading=lambda row, count: f"set {row['set']}: {count} clips"
    )
    return found.as_text().splitlines()


def test_a_set_that_does_not_fit_into_twenty_rows_is_left_for_the_file() -> None:
    lines = shown_of([8, 7, 4, 5, 2])
    assert [line for line in lines if line.startswith("set")] == ["set 1: 8 clips", "set 2: 7 clips", "set 3: 4 clips"]
    assert lines[-2:] == ["  18.wav", "  7 more rows: --out FILE.csv writes all"]


def test_a_first_set_that_is_too_long_is_shown_in_part_and_counted_whole() -> None:
    lines = shown_of([23, 2])
    assert [line for line in lines if line.startswith("set")] == ["set 1: 23 clips"]
    assert lines[-2:] == ["  19.wav", "  5 more rows: --out FILE.csv writes all"]


def test_sets_that_fit_are_all_shown() -> None:
    assert shown_of([18, 2])[-3:] == ["set 2: 2 clips", "  18.wav", "  19.wav"]
    assert shown_of([]) == ["found"]
