"""A map from an embeddings file: what is in it, and the one sentence for every file that it cannot be made of."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from auricle import cli
from auricle.errors import AuricleError
from auricle.explore import map_file
from auricle.explore.map_file import write_map

from .fields import CLIPS, Field, make_field


@pytest.fixture(scope="module")
def field(tmp_path_factory) -> Field:
    return make_field(tmp_path_factory.mktemp("field"))


def data_of(html: Path) -> dict:
    block = re.search(r'<script type="application/json" id="map-data">(.*)</script>', html.read_text(encoding="utf-8"))
    assert block is not None
    return json.loads(block[1])


def changed(field: Field, folder: Path, **columns) -> Path:
    """The field's file with other columns; None takes one away."""
    table = pq.read_table(field.file)
    for name, values in columns.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        if values is not None:
            table = table.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    pq.write_table(table, folder / "changed.parquet")
    return folder / "changed.parquet"


def embeddings(vectors: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), vectors.shape[1])


def test_the_command_writes_one_file_and_says_what_is_in_it(field, tmp_path) -> None:
    out = tmp_path / "map.html"
    ran = CliRunner().invoke(cli.app, ["map", str(field.file), "--projection", "pca", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert f"{out}: {CLIPS} clips" in ran.stdout
    assert f"{CLIPS} sounds inside" in ran.stdout
    assert list(tmp_path.iterdir()) == [out]
    data = data_of(out)
    assert data["names"] == field.names
    assert data["columns"][0]["name"] == "label"
    assert Path(data["root"]) == field.folder


def test_the_headline_names_the_encoder_as_its_user_does(field, tmp_path) -> None:
    table = pq.read_table(field.file)
    said = {b"model": b"byola-2022", b"place": b"/home/me/runs/forest/model", b"root": str(field.folder).encode()}
    pq.write_table(table.replace_schema_metadata(said), tmp_path / "forest.parquet")
    told: list[tuple[str, float]] = []
    write_map(
        tmp_path / "forest.parquet",
        tmp_path / "map.html",
        method="pca",
        sound=False,
        report=lambda what, share: told.append((what, share)),
    )
    assert f"<p>{CLIPS} clips as runs/forest hears them" in (tmp_path / "map.html").read_text(encoding="utf-8")
    assert told[-1] == ("laying out by PCA", 1.0)


def test_two_runs_write_the_same_bytes(field, tmp_path) -> None:
    for name in ("a.html", "b.html"):
        write_map(field.file, tmp_path / name, title="t", method="tsne")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_links_lead_from_the_page_to_the_files(field, tmp_path) -> None:
    out = tmp_path / "deep" / "map.html"
    summary = write_map(field.file, out, method="pca", audio_budget=0)
    assert summary.linked == CLIPS
    for link, name in zip(data_of(out)["links"], field.names, strict=True):
        assert (out.parent / unquote(link)).resolve() == (field.folder / name).resolve()
        assert not set(link) & set("<>\"' #?")


def test_clips_beyond_the_budget_are_linked(field, tmp_path) -> None:
    summary = write_map(field.file, tmp_path / "map.html", method="pca", audio_budget=0.02)
    assert 0 < summary.inside < CLIPS
    assert summary.inside + summary.linked == CLIPS
    assert "played from their files" in summary.as_text()


def test_without_sound_nothing_is_read_and_files_may_be_away(field, tmp_path) -> None:
    summary = write_map(field.file, tmp_path / "map.html", method="pca", sound=False, root=tmp_path / "away")
    assert (summary.inside, summary.linked, summary.silent) == (0, 0, 0)


def test_some_missing_files_are_silent_and_said(field, tmp_path) -> None:
    file = changed(field, tmp_path, path=["gone.wav", *field.names[1:]])
    summary = write_map(file, tmp_path / "map.html", method="pca")
    assert (summary.inside, summary.silent) == (CLIPS - 1, 1)
    assert "1 clip cannot be heard" in summary.as_text()
    assert "gone.wav" in summary.as_text()


def test_a_draw_is_of_so_many_clips_and_depends_on_the_seed(field, tmp_path) -> None:
    names = []
    for seed in (0, 0, 1):
        write_map(field.file, tmp_path / "map.html", method="pca", clips=10, seed=seed, sound=False)
        names.append(data_of(tmp_path / "map.html")["names"])
    assert len(names[0]) == 10
    assert names[0] == names[1] != names[2]
    assert set(names[0]) < set(field.names)


def test_paths_of_several_folders_can_be_coloured_by_folder(field, tmp_path) -> None:
    paths = [f"site {row % 2}/{row}.wav" for row in range(CLIPS)]
    file = changed(field, tmp_path, path=paths, label=None, level=None, fold=None, group=None)
    write_map(file, tmp_path / "map.html", method="pca", sound=False)
    first = data_of(tmp_path / "map.html")["columns"][0]
    assert (first["name"], first["classes"]) == ("folder", ["site 0", "site 1"])


@pytest.mark.parametrize("vectors", [np.ones((6, 3)), np.eye(6), np.arange(6.0)[:, None]])
def test_few_and_equal_embeddings_are_drawn(vectors, tmp_path) -> None:
    pq.write_table(pa.table({"path": list("abcdef"), "embedding": embeddings(vectors)}), tmp_path / "few.parquet")
    for method in ("pca", "tsne"):
        write_map(tmp_path / "few.parquet", tmp_path / "map.html", method=method, sound=False)
        assert len(data_of(tmp_path / "map.html")["names"]) == 6


def test_what_cannot_be_drawn_is_refused_with_one_sentence(field, tmp_path, monkeypatch) -> None:
    out, bad = tmp_path / "map.html", np.array(field.vectors)
    bad[3, 1] = np.nan

    def refusal(file: Path, **options) -> str:
        with pytest.raises(AuricleError) as refused:
            write_map(file, options.pop("out", out), method="pca", **options)
        assert not out.exists()
        return str(refused.value)

    assert "does not exist" in refusal(tmp_path / "no.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    assert "cannot be read as Parquet" in refusal(tmp_path / "text.parquet")
    assert "`embedding`" in refusal(changed(field, tmp_path, embedding=None))
    assert "`path`" in refusal(changed(field, tmp_path, path=None))
    assert "row 4 has an embedding that is not finite" in refusal(
        changed(field, tmp_path, embedding=embeddings(bad)), sound=False
    )
    pq.write_table(pq.read_table(field.file).slice(0, 0), tmp_path / "empty.parquet")
    assert "holds no embeddings" in refusal(tmp_path / "empty.parquet")
    pq.write_table(pq.read_table(field.file).slice(0, 3), tmp_path / "three.parquet")
    assert "has 3 rows: a map needs at least 5 clips" in refusal(tmp_path / "three.parquet")
    away = refusal(field.file, root=tmp_path / "away")
    assert "none of the 24 sound files is there" in away
    assert "--root" in away
    assert "no column `species` to colour by; it has label, level, fold" in refusal(field.file, colour="species")
    assert "FILE.html" in refusal(field.file, out=tmp_path / "map.png")
    assert "0 MB or more" in refusal(field.file, audio_budget=-1)
    assert "at least 5 clips, got --clips 2" in refusal(field.file, clips=2)
    monkeypatch.setattr(map_file, "MOST_CLIPS", 20)
    assert "has 24 rows, but a map holds at most 20 clips: give --clips 10" in refusal(field.file)


def test_a_folder_that_cannot_be_written_is_one_sentence(field, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "map.html")
    ran = CliRunner().invoke(cli.app, ["map", str(field.file), "--projection", "pca", "--no-sound", "--out", out])
    assert isinstance(ran.exception, AuricleError)
    assert "is a file, not a folder" in str(ran.exception)
