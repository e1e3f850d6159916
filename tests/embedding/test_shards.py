"""Array jobs: shares that do not depend on the machine, and shards that join to the file of one undivided job."""

import csv
import json
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli import app
from auricle.embedding import embed_manifest
from auricle.embedding.merging import merge_shards
from auricle.embedding.shares import Blocks, Shard
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.registry import load

from .sounds import RATE, embedding_process, excerpts, folder_of_sounds, noise, result_of, small_byola

LONG = 40 << 20  # bytes of a recording that is a block of its own


def listed(*sizes: int, folder: Path) -> Manifest:
    """A manifest of files of these sizes, which hold nothing."""
    folder.mkdir()
    for number, size in enumerate(sizes):
        with (folder / f"{number:05d}.wav").open("wb") as file:
            file.truncate(size)
    return Manifest.from_folder(folder)


def test_shares_are_every_clip_once_and_nearly_equal(tmp_path: Path) -> None:
    manifest = listed(*[1000 + 7 * number % 300 for number in range(5000)], folder=tmp_path / "field")
    blocks = Blocks.of(manifest)
    assert max(end - first for first, end in pairwise(blocks.borders)) == 256
    for of in (1, 2, 3, 7, 16):
        shares = [blocks.share(Shard(number, of)) for number in range(1, of + 1)]
        assert shares[0][0] == 0 and shares[-1][1] == 5000
        assert all(one[1] == other[0] for one, other in pairwise(shares))
        assert all(abs(end - first - 5000 / of) <= 256 for first, end in shares)


def test_long_recordings_weigh_what_they_hold(tmp_path: Path) -> None:
    # Four recordings of 40 MB and 60 small files: two shards of two recordings each, wherever the small files are.
    manifest = listed(LONG, LONG, LONG, LONG, *[1000] * 60, folder=tmp_path / "field")
    assert Blocks.of(manifest).borders[:5] == [0, 1, 2, 3, 4]
    assert Blocks.of(manifest).share(Shard(1, 2)) == (0, 2)
    assert [Blocks.of(manifest).share(Shard(number, 4))[0] for number in range(1, 5)] == [0, 1, 2, 3]


def test_excerpts_weigh_what_they_last_and_absent_files_are_somebodys(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE)
    day = excerpts(tmp_path / "a.wav", 64, 3600.0, root=tmp_path)  # an hour each is 115 MB
    assert Blocks.of(day).borders == list(range(65))
    absent = Manifest.from_rows([{"path": f"{number}.wav"} for number in range(64)], root=tmp_path)
    assert [Blocks.of(absent).share(Shard(number, 4)) for number in (1, 4)] == [(0, 16), (48, 64)]


def test_shares_follow_from_the_files_and_not_from_where_they_lie(tmp_path: Path) -> None:
    one = listed(*[100 * number for number in range(300)], folder=tmp_path / "here")
    other = listed(*[100 * number for number in range(300)], folder=tmp_path / "there")
    assert Blocks.of(one) == Blocks.of(other)


def test_more_shards_than_clips_are_empty_ones(tmp_path: Path) -> None:
    blocks = Blocks.of(listed(10, 10, 10, folder=tmp_path / "field"))
    shares = [blocks.share(Shard(number, 8)) for number in range(1, 9)]
    assert sum(end - first for first, end in shares) == 3 and [0, 0] not in [list(share) for share in shares[-1:]]


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "a/b", "3/0", "-1/8", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(AuricleError, match=r"expected one of 1/N to N/N"):
        Shard.parse(text)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_of_sounds(tmp_path_factory.mktemp("sounds"), 120)
    soundfile.write(folder / "0060-long.wav", noise(70.0), RATE)
    (folder / "0005-broken.wav").write_bytes(b"RIFF")
    (folder / "0110-broken.wav").write_bytes(b"")
    return folder


# Arguments: a JSON object of model, inputs, out and shard.
_SHARD = """
import json, sys
from auricle import load
from auricle.embedding import embed_manifest
from auricle.embedding.shares import Shard
from auricle.inputs import manifest_of

given = json.loads(sys.argv[1])
embed_manifest(
    load(given["model"]),
    manifest_of([given["inputs"]]),
    out=given["out"],
    workers=1,
    batch_seconds=given["batch_seconds"],
    shard=Shard.parse(given["shard"]),
)
"""


def shard_process(model: Path, inputs: Path, out: Path, shard: str) -> "subprocess.Popen[str]":
    given = {"model": str(model), "inputs": str(inputs), "out": str(out), "shard": shard, "batch_seconds": 2.0}
    command = [sys.executable, "-c", _SHARD, json.dumps(given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rejected(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_shards_of_processes_join_to_the_file_of_one_undivided_job(sounds: Path, tmp_path: Path) -> None:
    model = load(small_byola().save_pretrained(tmp_path / "model"))
    whole, out = tmp_path / "whole.parquet", tmp_path / "o.parquet"
    summary = embed_manifest(model, Manifest.from_folder(sounds), out=whole, workers=1, batch_seconds=2.0)
    for number in (3, 1):
        process = shard_process(tmp_path / "model", sounds, out, f"{number}/3")
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, output + errors
    with pytest.raises(AuricleError, match=r"1 of the 3 shards of .*o\.parquet is not finished.* with 2/3 first"):
        merge_shards(out)
    embed_manifest(model, Manifest.from_folder(sounds), out=out, workers=2, batch_seconds=2.0, shard=Shard(2, 3))
    merged = merge_shards(out)
    assert pq.read_table(out).equals(pq.read_table(whole))
    assert (merged.rows, merged.clips, merged.rejected) == (summary.rows, summary.clips, 2)
    assert merged.seconds == pytest.approx(summary.seconds)
    assert rejected(merged.rejected_path) == rejected(summary.rejected_path)
    texts = [pq.read_schema(path).metadata for path in (out, whole)]
    for text in texts:
        del text[b"seconds"]
    assert texts[0] == texts[1]
    assert not (tmp_path / "o.parquet.shards").exists()
    # A job that comes late finds that all is done.
    late = embed_manifest(model, Manifest.from_folder(sounds), out=out, workers=1, shard=Shard(2, 3))
    assert late.was_complete and late.rows == merged.rows and merge_shards(out).was_complete


def test_a_killed_shard_goes_on_and_a_second_process_is_refused(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    manifest = Manifest.from_folder(sounds)
    model = load("logmel-stats")
    process = embedding_process([sounds], out, pause=0.1, batch_seconds=1.0, part_seconds=0.0, shard=(1, 2))
    folder = tmp_path / "o.parquet.shards" / "1-of-2.parquet.parts"
    while len(list(folder.glob("part-*.parquet"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    with pytest.raises(AuricleError, match=rf"1-of-2\.parquet\.parts is being written by process {process.pid} since"):
        embed_manifest(model, manifest, out=out, workers=1, shard=Shard(1, 2))
    embed_manifest(model, manifest, out=out, workers=1, batch_seconds=1.0, shard=Shard(2, 2))  # does not disturb
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert result_of(embedding_process([sounds], out, batch_seconds=1.0, shard=(1, 2)))["first"] > 0
    merge_shards(out)
    embed_manifest(model, manifest, out=tmp_path / "whole.parquet", workers=1, batch_seconds=1.0)
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"))


def test_a_shard_of_nothing_but_broken_files_and_one_without_clips(tmp_path: Path) -> None:
    (tmp_path / "field").mkdir()
    for number in range(2):
        (tmp_path / "field" / f"{number}.wav").write_bytes(b"")
    soundfile.write(tmp_path / "field" / "2.wav", noise(0.5), RATE)
    manifest = Manifest.from_folder(tmp_path / "field")
    out = tmp_path / "o.parquet"
    for number in range(1, 7):
        embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, shard=Shard(number, 6))
    summary = merge_shards(out)
    assert (summary.rows, summary.clips, summary.rejected) == (1, 3, 2)
    assert pq.read_table(out).column("path").to_pylist() == ["2.wav"]


def test_shards_of_different_jobs_are_not_joined(tmp_path: Path) -> None:
    manifest = Manifest.from_folder(folder_of_sounds(tmp_path / "field", 8))
    out = tmp_path / "o.parquet"
    embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, shard=Shard(1, 2))
    embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, shard=Shard(2, 2), window=0.1)
    with pytest.raises(AuricleError, match=r"2-of-2\.parquet is of another job .*its window is 0\.1, not none"):
        merge_shards(out)
    embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, shard=Shard(3, 4))
    with pytest.raises(AuricleError, match=r"holds shards of 2 and 4: delete those"):
        merge_shards(out)


def test_files_that_changed_between_the_jobs_are_noticed(tmp_path: Path) -> None:
    folder = folder_of_sounds(tmp_path / "field", 64)
    out = tmp_path / "o.parquet"
    embed_manifest(load("logmel-stats"), Manifest.from_folder(folder), out=out, workers=1, shard=Shard(1, 2))
    soundfile.write(folder / "0000.wav", noise(60.0), RATE)  # as heavy as all others together
    embed_manifest(load("logmel-stats"), Manifest.from_folder(folder), out=out, workers=1, shard=Shard(2, 2))
    with pytest.raises(AuricleError, match="files changed between their jobs"):
        merge_shards(out)


def test_the_commands(tmp_path: Path) -> None:
    folder = folder_of_sounds(tmp_path / "field", 6)
    out = tmp_path / "o.parquet"

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, done.stdout

    for number in (1, 2):
        command = ("embed", "logmel-stats", str(folder), "--out", str(out), "--workers", "1", "--shard", f"{number}/2")
        code, printed = run(*command)
        assert code == 0 and printed.startswith(f"{out}.shards/{number}-of-2.parquet: ")
    assert run("merge", str(out)) == (0, f"{out}: 6 embeddings of 6 clips · 0.00 h\n")
    assert run("merge", str(out))[1].strip().endswith("(complete already, nothing to do)")


def test_nothing_to_join_is_said(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"none\.parquet has no shards: expected .*none\.parquet\.shards"):
        merge_shards(tmp_path / "none.parquet")
