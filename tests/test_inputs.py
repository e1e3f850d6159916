"""Files, folders and manifests in any mixture become one manifest."""

from pathlib import Path

import pytest

from auricle.errors import AuricleError
from auricle.inputs import manifest_of
from auricle.manifest import Manifest


@pytest.fixture
def field(tmp_path: Path) -> Path:
    for name in ("north/a.wav", "north/b.flac", "south/a.wav", "south/deep/c.mp3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not looked at")
    rows = [{"path": "a.wav", "start": 1.0, "end": 2.0, "site": 4}]
    Manifest.from_rows(rows, root=tmp_path / "south").write(tmp_path / "south" / "rows.csv")
    return tmp_path


def test_one_input_is_taken_as_it_is(field: Path) -> None:
    assert manifest_of([field]).column("path") == ["north/a.wav", "north/b.flac", "south/a.wav", "south/deep/c.mp3"]
    assert manifest_of([field / "south" / "rows.csv"]).table.column_names == ["path", "start", "end", "site"]
    alone = manifest_of([field / "north" / "a.wav"])
    assert (alone.root, alone.column("path")) == (field / "north", ["a.wav"])


def test_several_inputs_are_joined_in_their_order(field: Path) -> None:
    joined = manifest_of([field / "south" / "rows.csv", field / "north", field / "south" / "deep" / "c.mp3"])
    assert joined.files == [field / name for name in ("south/a.wav", "north/a.wav", "north/b.flac", "south/deep/c.mp3")]
    assert joined.column("site") == [4, None, None, None]
    assert joined.column("end") == [2.0, None, None, None]


def test_what_cannot_be_input_is_named(field: Path) -> None:
    with pytest.raises(AuricleError, match=r"gone\.wav does not exist"):
        manifest_of([field / "gone.wav"])
    (field / "notes.txt").write_text("x")
    with pytest.raises(AuricleError, match=r"notes\.txt is neither a manifest"):
        manifest_of([field / "notes.txt"])
    with pytest.raises(AuricleError, match="same clip"):
        manifest_of([field / "north", field / "north" / "a.wav"])
    with pytest.raises(AuricleError, match="no input"):
        manifest_of([])
