import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.errors import AuricleError
from auricle.manifest import Manifest, ManifestError

ROWS = [
    {"path": "a/1.wav", "start": 0.0, "end": 1.5, "label": "frog", "split": "train", "group": "pond", "pitch": 60},
    {"path": "a/1.wav", "start": 1.5, "end": 3.0, "label": "owl", "split": "train", "group": "pond", "pitch": 62},
    {"path": "b/2.wav", "start": 0.0, "end": None, "label": "frog", "split": "test", "group": "lake", "pitch": None},
]


def changed(row: int, **values):
    return [r | values if i == row else r for i, r in enumerate(ROWS)]


def csv_manifest(tmp_path, text: str) -> Manifest:
    (tmp_path / "clips.csv").write_text(text, encoding="utf-8")
    return Manifest.read(tmp_path / "clips.csv")


# --- what a manifest holds


def test_columns_and_files_are_those_given(tmp_path):
    manifest = Manifest.from_rows(ROWS, root=tmp_path)
    assert len(manifest) == 3
    assert manifest.files == [tmp_path / "a/1.wav", tmp_path / "a/1.wav", tmp_path / "b/2.wav"]
    assert manifest.column("end") == [1.5, 3.0, None]
    assert manifest.column("pitch") == [60, 62, None]
    assert manifest.has("label") and not manifest.has("fold")
    with pytest.raises(ManifestError, match="manifest has no column `fold`; it has path, start"):
        manifest.column("fold")


def test_a_key_that_only_a_later_row_has_becomes_a_column(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.wav"}, {"path": "b.wav", "sex": "f"}], root=tmp_path)
    assert manifest.column("sex") == [None, "f"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_comes_back_from_disk(suffix, tmp_path):
    rows = [row | {"labels": ["x", "y"] if i else [], "fold": i, "target": 0.25 * i} for i, row in enumerate(ROWS)]
    for row in rows:
        row["group"] = row["path"] + str(row["start"])
    manifest = Manifest.from_rows(rows, root=tmp_path)
    manifest.write(tmp_path / f"clips{suffix}")
    back = Manifest.read(tmp_path / f"clips{suffix}")
    assert back.table.equals(manifest.table)
    assert back.fingerprint == manifest.fingerprint
    assert back.root == tmp_path


def test_a_manifest_written_elsewhere_still_names_the_same_files(tmp_path):
    field = tmp_path / "field"
    (tmp_path / "tables").mkdir()
    manifest = Manifest.from_rows([{"path": "north/a.wav"}, {"path": str(tmp_path / "far.wav")}], root=field)
    for name, paths in {
        "field/rows.csv": ["north/a.wav", str(tmp_path / "far.wav")],
        "rows.csv": ["field/north/a.wav", "far.wav"],
        "tables/rows.csv": [str(field / "north/a.wav"), str(tmp_path / "far.wav")],
    }.items():
        manifest.write(tmp_path / name)
        back = Manifest.read(tmp_path / name)
        assert back.column("path") == paths
        assert back.files == manifest.files


def test_pandas_reads_what_is_written(tmp_path):
    Manifest.from_rows(ROWS, root=tmp_path).write(tmp_path / "clips.csv")
    assert pd.read_csv(tmp_path / "clips.csv")["label"].tolist() == ["frog", "owl", "frog"]


def test_text_stays_text_and_numbers_that_lose_nothing_become_numbers(tmp_path):
    manifest = csv_manifest(
        tmp_path,
        "path,label,split,speaker,take,seconds,word\na.wav,0,train,03,1,0.5,NA\nb.wav,null,test,11,20,12,\n",
    )
    assert manifest.column("label") == ["0", "null"]
    assert manifest.column("speaker") == ["03", "11"]
    assert manifest.column("take") == [1, 20]
    assert manifest.column("seconds") == [0.5, 12.0]
    assert manifest.column("word") == ["NA", None]


def test_labels_are_separated_by_semicolons_in_csv(tmp_path):
    manifest = csv_manifest(tmp_path, "path,labels\na.wav,rain;wind\nb.wav,\nc.wav, frog ; owl \n")
    assert manifest.column("labels") == [["rain", "wind"], [], ["frog", "owl"]]


def test_quotes_commas_accents_and_a_byte_order_mark(tmp_path):
    (tmp_path / "clips.csv").write_text('path, label\n"a, b.wav","über ""x"""\n', encoding="utf-8-sig")
    manifest = Manifest.read(tmp_path / "clips.csv")
    assert manifest.column("path") == ["a, b.wav"]
    assert manifest.column("label") == ['über "x"']


def test_a_root_of_its_own(tmp_path):
    Manifest.from_rows(ROWS, root=tmp_path).write(tmp_path / "clips.csv")
    assert Manifest.read(tmp_path / "clips.csv", root="/sounds").files[0].as_posix() == "/sounds/a/1.wav"


def test_select_keeps_the_order_asked_for(tmp_path):
    manifest = Manifest.from_rows(ROWS, root=tmp_path)
    assert manifest.select([2, 0]).column("path") == ["b/2.wav", "a/1.wav"]
    assert manifest.select(np.array([1])).column("label") == ["owl"]
    assert len(manifest.select([])) == 0


def test_a_column_is_added_or_replaced(tmp_path):
    manifest = Manifest.from_rows(ROWS, root=tmp_path)
    assert manifest.with_column("site", ["n", "s", "n"]).column("site") == ["n", "s", "n"]
    assert manifest.with_column("label", [1, 2, 3]).column("label") == ["1", "2", "3"]
    assert manifest.column("label") == ["frog", "owl", "frog"]
    with pytest.raises(ManifestError, match="2 values for the 3 clips"):
        manifest.with_column("site", ["n", "s"])


# --- fingerprint


def test_the_fingerprint_is_of_the_content_alone(tmp_path):
    manifest = Manifest.from_rows(ROWS, root=tmp_path)
    assert manifest.fingerprint == Manifest.from_rows(ROWS, root="/elsewhere").fingerprint
    reordered = [{name: row[name] for name in reversed(row)} for row in ROWS]
    assert manifest.fingerprint == Manifest.from_rows(reordered, root=tmp_path).fingerprint
    assert len(manifest.fingerprint) == len(hashlib.sha256().hexdigest())
    others = [
        manifest.select([1, 0, 2]),
        manifest.select([0, 1]),
        manifest.with_column("label", ["frog", "owl", "toad"]),
    ]
    assert len({manifest.fingerprint, *(other.fingerprint for other in others)}) == 4


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(names, min_size=1, max_size=5, unique=True), st.data())
def test_csv_and_parquet_give_the_same_fingerprint(tmp_path_factory, paths, data):
    rows = [
        {
            "path": path,
            "label": data.draw(names),
            "target": data.draw(st.floats(-1e9, 1e9)),
            "other": data.draw(st.one_of(st.none(), names)),
        }
        for path in paths
    ]
    folder = tmp_path_factory.mktemp("manifest")
    manifest = Manifest.from_rows(rows, root=folder)
    prints = {manifest.fingerprint}
    for name in ("clips.csv", "clips.parquet"):
        manifest.write(folder / name)
        prints.add(Manifest.read(folder / name).fingerprint)
    assert len(prints) == 1


@pytest.mark.parametrize("text", ["0E0", "1.50", "-0", "1e5", "12345678901234567890", "1_000", "1\n"])
def test_text_that_csv_reads_as_a_number_has_the_fingerprint_of_that_number(text, tmp_path):
    manifest = Manifest.from_rows([{"path": "a.wav", "code": text}], root=tmp_path)
    manifest.write(tmp_path / "clips.csv")
    assert Manifest.read(tmp_path / "clips.csv").fingerprint == manifest.fingerprint


def test_whole_numbers_longer_than_a_float_holds_stay_text(tmp_path):
    manifest = csv_manifest(tmp_path, "path,tag\na.wav,12345678901234567890\nb.wav,12345678901234567891\n")
    assert manifest.column("tag") == ["12345678901234567890", "12345678901234567891"]


# --- what is refused


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (changed(1, split="val"), r"row 2 \(a/1\.wav\) has the unknown split 'val': use train, valid or test"),
        (changed(1, split=None), r"row 2 \(a/1\.wav\) has no split"),
        (changed(1, end=1.5), r"row 2 \(a/1\.wav\) starts at 1\.5 s and ends at 1\.5 s: end must come after start"),
        (changed(0, start=None, end=-1.0), r"row 1 \(a/1\.wav\) starts at 0 s and ends at -1 s"),
        (changed(0, start=-2.0), r"row 1 \(a/1\.wav\) starts at -2 s"),
        (changed(2, end=float("nan")), r"row 3 \(b/2\.wav\) has end nan: expected a finite number"),
        (changed(2, path=""), "row 3 has no path"),
        (changed(2, path=None), "row 3 has no path"),
        (changed(1, start=None, end=1.5), r"row 2 \(a/1\.wav\) is the same clip as row 1"),
        (
            changed(2, group="pond"),
            r"row 3 \(b/2\.wav\) is in split test, but its group 'pond' is also in split train \(row 1, a/1\.wav\)",
        ),
        (changed(1, target=float("inf")), r"row 2 \(a/1\.wav\) has target inf"),
        ([], "has no"),
        ([{"file": "a.wav", "label": "x"}], "has no column `path`; it has file, label"),
        ([{"path": "a.wav", "label": "x"}, {"path": "b.wav", "label": 3}], "column `label` mixes types"),
        ([{"path": "a.wav", "fold": "one"}], r"row 1 \(a\.wav\) has fold 'one': expected a whole number"),
        ([{"path": "a.wav", "fold": 1.5}], r"row 1 \(a\.wav\) has fold 1\.5: expected a whole number"),
        ([{"path": "a.wav", "start": "1:30"}], r"row 1 \(a\.wav\) has start '1:30': expected a number"),
    ],
)
def test_the_sentence_names_the_row_and_the_file(rows, sentence, tmp_path):
    with pytest.raises(ManifestError, match=sentence) as caught:
        Manifest.from_rows(rows, root=tmp_path, source="clips.csv")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, AuricleError)


def test_a_group_on_two_folds_is_refused_and_without_a_group_may_stand_anywhere(tmp_path):
    rows = [{"path": "a.wav", "fold": 1, "group": "x"}, {"path": "b.wav", "fold": 2, "group": "x"}]
    with pytest.raises(ManifestError, match="is in fold 2, but its group 'x' is also in fold 1"):
        Manifest.from_rows(rows, root=tmp_path)
    Manifest.from_rows([row | {"group": None} for row in rows], root=tmp_path)
    Manifest.from_rows([row | {"cluster": "x", "group": None} for row in rows], root=tmp_path)


def test_an_official_split_may_be_looked_at_in_spite_of_its_groups(tmp_path):
    table = pa.table({"path": ["a.wav", "b.wav"], "fold": [1, 2], "group": ["x", "x"]})
    Manifest(table, tmp_path).validate(groups=False)


def test_missing_files_are_counted_and_the_first_is_named(tmp_path, sound_file):
    sound_file("a.wav", np.zeros(9, dtype=np.float32))
    manifest = Manifest.from_rows([{"path": "a.wav"}, {"path": "b.wav"}, {"path": "c.wav"}], root=tmp_path)
    with pytest.raises(ManifestError, match=r"row 2 \(b\.wav\) is missing: no file .*b\.wav \(2 of 3 are\)"):
        manifest.validate(files=True)
    manifest.select([0]).validate(files=True)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("clips.csv", b"", "clips.csv has no column `path`; it has no columns"),
        ("clips.csv", b"path,label\n", "clips.csv has no rows"),
        (
            "clips.csv",
            b"path;label\na.wav;x\n",
            "has no column `path`; it has path;label; separate the columns by commas",
        ),
        ("clips.csv", b"path,label\na.wav,x,y\n", "clips.csv is not a table: .*Expected 2 columns, got 3"),
        ("clips.csv", b"path,label\na.wav,\xe9t\xe9\n", "clips.csv is not UTF-8"),
        ("clips.csv", b"path,path\na.wav,b.wav\n", "has two columns `path`"),
        ("clips.parquet", b"nonsense", "clips.parquet is not a Parquet file"),
        ("clips.xlsx", b"PK", "expected a .csv or .parquet file"),
    ],
)
def test_a_file_that_is_not_a_manifest_is_said(name, content, sentence, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=sentence) as caught:
        Manifest.read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ManifestError, match=r"no\.csv does not exist"):
        Manifest.read(tmp_path / "no.csv")


def test_what_csv_cannot_hold_is_said_and_nothing_is_written(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.wav", "labels": ["a;b"]}], root=tmp_path)
    with pytest.raises(ManifestError, match=r"a label holds ';'.*write \.parquet"):
        manifest.write(tmp_path / "x.csv")
    with pytest.raises(ManifestError, match=r"column `box` holds list.*write \.parquet"):
        manifest.with_column("box", [[1, 2]]).with_column("labels", [["a"]]).write(tmp_path / "x.csv")
    with pytest.raises(ManifestError, match=r"expected a \.csv or \.parquet"):
        manifest.write(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


# --- from a folder


def test_a_folder_of_folders_gives_paths_and_labels(tmp_path):
    for name in ("frog/a.wav", "owl/b.FLAC", "owl/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    manifest = Manifest.from_folder(tmp_path, labels=True)
    assert manifest.column("path") == ["frog/a.wav", "owl/b.FLAC"]
    assert manifest.column("label") == ["frog", "owl"]
    assert not Manifest.from_folder(tmp_path).has("label")
    (tmp_path / "c.wav").touch()
    with pytest.raises(ManifestError, match=r"c\.wav lies directly in .*: move it to a folder named after its label"):
        Manifest.from_folder(tmp_path, labels=True)


def test_a_folder_without_audio_is_said(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ManifestError) as caught:
        Manifest.from_folder(tmp_path)
    expected = f"no audio files in {tmp_path} (looked for .wav .flac .ogg .opus .mp3 .aiff"
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith("); is the path right?")
    with pytest.raises(AuricleError, match=r"does not exist; is the path right\?"):
        Manifest.from_folder(tmp_path / "no")


def test_empty_columns_that_a_spreadsheet_left_are_dropped(tmp_path):
    (tmp_path / "a.csv").write_text("path,label,,\na.wav,dog,,\nb.wav,cat,,\n")
    assert Manifest.read(tmp_path / "a.csv").table.column_names == ["path", "label"]
    (tmp_path / "b.csv").write_text("path,,\na.wav,1,2\n")
    with pytest.raises(ManifestError, match=r"b\.csv has two columns without a name"):
        Manifest.read(tmp_path / "b.csv")


def test_a_column_of_another_kind_is_said_even_where_there_is_no_row(tmp_path):
    pq.write_table(
        pa.table({"path": pa.array([], pa.string()), "end": pa.array([], pa.date32())}), tmp_path / "x.parquet"
    )
    with pytest.raises(ManifestError, match=r"x\.parquet: column `end` holds date32\[day\]: expected a number"):
        Manifest.read(tmp_path / "x.parquet")


def test_text_in_parquet_that_is_not_utf_8_is_said(tmp_path):
    path = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    pq.write_table(pa.table({"path": path}), tmp_path / "x.parquet")
    with pytest.raises(ManifestError, match=r"x\.parquet is not a Parquet file.*UTF8"):
        Manifest.read(tmp_path / "x.parquet")


def test_a_line_break_in_a_name_is_spelt_out(tmp_path):
    pq.write_table(pa.table({"a\nb": [1], "\x1b[31m": [2]}), tmp_path / "x.parquet")
    with pytest.raises(ManifestError) as refused:
        Manifest.read(tmp_path / "x.parquet")
    assert str(refused.value) == r"x.parquet has no column `path`; it has a\nb, \x1b[31m"


def test_a_column_of_pairs_is_no_list_of_labels(tmp_path):
    pairs = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8()))
    pq.write_table(pa.table({"path": ["a.wav"], "labels": pairs}), tmp_path / "x.parquet")
    with pytest.raises(ManifestError, match=r"row 1 \(a\.wav\) has labels .*: expected a list of text"):
        Manifest.read(tmp_path / "x.parquet")
