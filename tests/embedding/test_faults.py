"""What happens to long jobs: broken files, decoders that crash or hang, kills, full disks, a second process."""

import csv
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from auricle import audio
from auricle.embedding import EmbedProgress, bulk, embed_manifest, parts, read_embeddings
from auricle.errors import AuricleError, Interrupted
from auricle.manifest import Manifest
from auricle.models.registry import load
from auricle.reading import Readers

from .sounds import RATE, embedding_process, folder_of_sounds, noise, result_of, small_byola


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def break_one(path: Path, kind: int) -> str:
    """Make a broken file at `path`, whose suffix may change; the path's name as it then is."""
    sound = noise(0.3)
    match kind % 10:
        case 0:
            path.write_bytes(b"")
        case 1:
            path.write_text("this is no sound")
        case 2:
            soundfile.write(path, sound, RATE)
            path.write_bytes(path.read_bytes()[:30])
        case 3:
            soundfile.write(path, np.zeros(0, dtype=np.float32), RATE)
        case 4:
            sound[1000] = np.nan
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        case 5:
            sound[0] = np.inf
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        case 6:
            soundfile.write(path, sound * np.float32(1e30), RATE, subtype="FLOAT")
        case 7:
            path = path.with_suffix(".mp3")
            path.write_bytes(np.random.default_rng(kind).bytes(5000))
        case 8:
            path = path.with_suffix(".flac")
            soundfile.write(path, sound, RATE)
            path.write_bytes(path.read_bytes()[:60])
        case 9:
            path.symlink_to(path.parent / "nowhere.wav")
    return path.name


def test_a_thousand_good_files_and_fifty_broken_ones(tmp_path: Path) -> None:
    folder = tmp_path / "field"
    folder.mkdir()
    formats = [(".wav", 16_000, 1), (".flac", 44_100, 2), (".ogg", 22_050, 1), (".aiff", 8_000, 1)]
    for number in range(1000):
        suffix, rate, channels = formats[number % 4 if number < 200 else 0]
        sound = noise(0.1 + number % 7 * 0.05, seed=number % 50, rate=rate)
        soundfile.write(folder / f"{number:04d}{suffix}", np.stack([sound] * channels, axis=1), rate)
    broken = {break_one(folder / f"{20 * number:04d}-broken.wav", number) for number in range(50)}
    out = tmp_path / "field.parquet"
    summary = embed_manifest(load("logmel-stats"), Manifest.from_folder(folder), out=out, workers=2)
    assert (summary.rows, summary.clips, summary.rejected) == (1000, 1050, 50)
    table, embeddings = read_embeddings(out)
    assert table.column("path").to_pylist() == sorted(set(names_in(folder)) - broken)
    assert np.isfinite(embeddings).all()
    with (tmp_path / "field.rejected.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert {Path(row["path"]).name for row in rejected} == broken
    assert [row["path"] for row in rejected] == sorted(row["path"] for row in rejected)
    reasons = " ".join(row["reason"] for row in rejected)
    for word in ("is empty", "cannot be decoded", "NaN or infinite", "does not exist", "not finite", "no samples"):
        assert word in reasons


def test_nothing_but_broken_files_is_an_error_that_names_one(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "b.wav").write_text("nothing")
    with pytest.raises(AuricleError, match=r"all 2 clips were rejected, the first is .*a\.wav: is empty"):
        embed_manifest(load("logmel-stats"), Manifest.from_folder(tmp_path), out=tmp_path / "o.parquet", workers=1)
    assert names_in(tmp_path) == ["a.wav", "b.wav", "o.rejected.csv"]


# A decoding process as of auricle.reading, but for files that crash or hang the decoder.
_BAD_DECODER = """
import os, sys, time
from pathlib import Path
from auricle import audio, reading

stream = audio.stream

def bad_stream(path, **options):
    name = Path(path).name
    if "crash" in name:
        os.abort()
    if "exit" in name:
        os._exit(3)
    if "hang" in name:
        time.sleep(1000)
    if "once" in name and not Path(path + ".tried").exists():
        Path(path + ".tried").touch()
        blocks = stream(path, **options)
        yield next(blocks)
        os.abort()
    yield from stream(path, **options)

audio.stream = bad_stream
reading.main()
"""


def test_a_decoder_that_crashes_or_hangs_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (sys.executable, "-c", _BAD_DECODER)
    monkeypatch.setattr(bulk, "Readers", partial(Readers, patience=1.5, command=command))
    names = ["a.wav", "b-crash.wav", "c.wav", "d-hang.wav", "e-exit.wav", "f.wav", "g-once.wav", "h.wav"]
    sounds = {name: noise(75.0 if "once" in name else 0.5, seed=seed) for seed, name in enumerate(names)}
    for name, sound in sounds.items():
        soundfile.write(tmp_path / name, sound, RATE, subtype="FLOAT")
    model = load("logmel-stats")
    embed_manifest(model, Manifest.from_folder(tmp_path), out=tmp_path / "o.parquet", workers=2)
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    assert table.column("path").to_pylist() == ["a.wav", "c.wav", "f.wav", "g-once.wav", "h.wav"]
    # What came before a crash is not heard twice.
    assert np.allclose(embeddings[3], model.embed(sounds["g-once.wav"]), rtol=1e-4, atol=1e-4)
    with (tmp_path / "o.rejected.csv").open(newline="") as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        "b-crash.wav": "ended the decoder's process (SIGABRT), 2 times",
        "d-hang.wav": "kept the decoder waiting for 1.5 s, 2 times",
        "e-exit.wav": "ended the decoder's process (exit status 3), 2 times",
    }


def test_a_decoder_that_cannot_start_is_an_error_and_no_rejection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "Readers", partial(Readers, command=(sys.executable, "-c", "raise SystemExit(1)")))
    folder_of_sounds(tmp_path, 3)
    with pytest.raises(AuricleError, match="decoding process does not start"):
        embed_manifest(load("logmel-stats"), Manifest.from_folder(tmp_path), out=tmp_path / "o.parquet", workers=2)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_of_sounds(tmp_path_factory.mktemp("sounds"), 300)
    audio.write(folder / "0100-long.flac", noise(90.0), sample_rate=RATE)
    (folder / "0005-broken.wav").write_bytes(b"RIFF")
    (folder / "0250-broken.wav").write_bytes(b"")
    return folder


def wait_for_parts(folder: Path, process: "subprocess.Popen[str]", count: int) -> None:
    while len(list(folder.glob("part-*.parquet"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "kills"),
    [({}, 3), ({"window": 0.4, "hop": 0.15}, 1), ({"frames": True}, 1)],
    ids=["clips", "windows", "frames"],
)
def test_killed_at_random_times_it_ends_with_the_table_of_an_undisturbed_job(
    sounds: Path, tmp_path: Path, options: dict[str, Any], kills: int
) -> None:
    model = small_byola()
    model.save_pretrained(tmp_path / "model")
    undisturbed, out = tmp_path / "undisturbed.parquet", tmp_path / "killed.parquet"
    summary = embed_manifest(
        model, Manifest.from_folder(sounds), out=undisturbed, workers=1, batch_seconds=2.0, **options
    )
    start = partial(
        embedding_process, [sounds], out, model=tmp_path / "model", part_seconds=0.0, batch_seconds=2.0, **options
    )
    folder = tmp_path / "killed.parquet.parts"
    times = random.Random(kills)
    kept: list[tuple[Path, int]] = []
    for _ in range(kills):
        process = start(pause=0.01)
        wait_for_parts(folder, process, len(kept) + times.randint(1, 6))
        time.sleep(times.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not out.exists()
        assert all(path.stat().st_mtime_ns == written for path, written in kept)  # no part is made twice
        kept = [(path, path.stat().st_mtime_ns) for path in sorted(folder.glob("part-*.parquet"))]
        assert pq.read_table(folder).num_rows > 0  # what was done can be used
    done = result_of(start())
    assert done["first"] > 0
    assert done["rejected"] == summary.rejected == 2
    assert done["rows"] == summary.rows == pq.read_table(out).num_rows
    assert pq.read_table(out).equals(pq.read_table(undisturbed))
    rejected = [(tmp_path / f"{name}.rejected.csv").read_text() for name in ("killed", "undisturbed")]
    assert rejected[0] == rejected[1]
    assert not folder.exists()


def test_ctrl_c_keeps_what_was_done_and_says_so(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    process = embedding_process([sounds], out, pause=0.2, batch_seconds=2.0, part_seconds=0.0)
    wait_for_parts(tmp_path / "o.parquet.parts", process, 2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and errors == ""
    assert "of 303 clips; the same command goes on from there" in output
    assert int(output.split()[2]) > 0
    kept = pq.read_table(tmp_path / "o.parquet.parts").num_rows
    assert kept > 0
    assert not (tmp_path / "o.parquet.parts" / ".auricle-lock").exists()
    assert result_of(embedding_process([sounds], out))["first"] >= kept


def test_a_stop_between_parts_keeps_whole_pools(sounds: Path, tmp_path: Path) -> None:
    manifest = Manifest.from_folder(sounds)
    events = []

    def stop(event: EmbedProgress) -> None:
        events.append(event.done)
        if event.done > 40:
            raise KeyboardInterrupt

    arguments = {"out": tmp_path / "o.parquet", "workers": 1, "batch_seconds": 2.0}
    with pytest.raises(Interrupted, match="stopped after"):
        embed_manifest(load("logmel-stats"), manifest, progress=stop, **arguments)
    stopped_at = events[-1]
    embed_manifest(load("logmel-stats"), manifest, progress=lambda event: events.append(event.done), **arguments)
    assert stopped_at in events[len(events) - events[::-1].index(stopped_at) - 1 :]
    assert min(events[events.index(stopped_at) + 1 :]) == stopped_at


def test_a_complete_file_is_left_alone_and_another_job_refused(sounds: Path, tmp_path: Path) -> None:
    manifest = Manifest.from_folder(sounds).select(range(8))
    model = load("logmel-stats")
    out = tmp_path / "o.parquet"
    embed = partial(embed_manifest, out=out, workers=1)
    first = embed(model, manifest)
    written = out.stat().st_mtime_ns
    again = embed(model, manifest)
    assert again.was_complete and not first.was_complete
    assert (
        (again.rows, again.rejected, again.seconds)
        == (first.rows, first.rejected, first.seconds)
        == (7, 1, first.seconds)
    )
    for other, options, difference in (
        (load("mfcc-stats"), {}, "its model is logmel-stats"),
        (model, {"window": 1.0}, "its window is none, not 1.0"),
        (model, {"frames": True}, "its frames is false, not true"),
        (model, {"precision": "bfloat16"}, "its precision is float32, not bfloat16"),
    ):
        with pytest.raises(AuricleError, match=difference):
            embed(other, manifest, **options)
    with pytest.raises(AuricleError, match="its clips are not these"):
        embed(model, manifest.select(range(7)))
    with pytest.raises(AuricleError, match="its root folder is"):
        embed(model, Manifest(manifest.table, tmp_path))
    out.with_name("other.parquet").write_text("my notes")
    with pytest.raises(AuricleError, match="is no embeddings file"):
        embed_manifest(model, manifest, out=out.with_name("other.parquet"), workers=1)
    assert out.stat().st_mtime_ns == written
    assert names_in(tmp_path) == ["o.parquet", "o.rejected.csv", "other.parquet"]


def stopped_job(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parts of a job with logmel-stats that was interrupted."""

    def stop(event: EmbedProgress) -> None:
        if event.done > 100:
            raise KeyboardInterrupt

    monkeypatch.setattr(parts, "PART_SECONDS", 0.0)
    with pytest.raises(Interrupted):
        embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, batch_seconds=2.0, progress=stop)
    return out.with_name(out.name + ".parts")


def test_parts_of_another_job_are_refused_and_stay(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest.from_folder(sounds)
    folder = stopped_job(manifest, tmp_path / "o.parquet", monkeypatch)
    before = names_in(folder)
    with pytest.raises(AuricleError, match=r"o\.parquet\.parts holds the parts of another job \(its model is logmel"):
        embed_manifest(load("mfcc-stats"), manifest, out=tmp_path / "o.parquet", workers=1)
    assert names_in(folder) == before


def test_a_damaged_part_and_those_after_it_are_made_again(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest.from_folder(sounds)
    out = tmp_path / "o.parquet"
    folder = stopped_job(manifest, out, monkeypatch)
    damaged = folder / "part-000001.parquet"
    assert (folder / "part-000003.parquet").exists()
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (folder / ".part-000009.0123.tmp.parquet").write_bytes(b"cut off by a kill")
    embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, batch_seconds=2.0)
    embed_manifest(load("logmel-stats"), manifest, out=tmp_path / "p.parquet", workers=1, batch_seconds=2.0)
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "p.parquet"))
    assert not folder.exists()


def test_parts_that_outlived_their_finished_file_are_removed(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest.from_folder(sounds)
    out = tmp_path / "o.parquet"
    embed_manifest(load("logmel-stats"), manifest, out=tmp_path / "p.parquet", workers=1)
    folder = stopped_job(manifest, out, monkeypatch)
    (tmp_path / "p.parquet").rename(out)
    assert embed_manifest(load("logmel-stats"), manifest, out=out, workers=1).was_complete
    assert not folder.exists()


def test_a_second_process_on_the_same_output_is_refused(sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    process = embedding_process([sounds], out, pause=0.1, batch_seconds=2.0, part_seconds=0.0)
    try:
        wait_for_parts(tmp_path / "o.parquet.parts", process, 1)
        sentence = rf"o\.parquet\.parts is being written by process {process.pid} since"
        with pytest.raises(AuricleError, match=sentence):
            embed_manifest(load("logmel-stats"), Manifest.from_folder(sounds), out=out, workers=1)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_keeps_finished_parts(
    sounds: Path, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SECONDS", 0.0)
    manifest = Manifest.from_folder(sounds)
    embed = partial(embed_manifest, load("logmel-stats"), manifest, workers=1, batch_seconds=2.0, window=0.05)
    out = small_disk / "o.parquet"
    with pytest.raises(AuricleError, match=r"disk full while writing .*part-0000.*free some space"):
        embed(out=out)
    folder = small_disk / "o.parquet.parts"
    kept = len(list(folder.glob("part-*.parquet")))
    assert kept > 2
    # With room for the parts, but not for the joined file beside them.
    subprocess.run(["mount", "-o", "remount,size=5m", small_disk], check=True)
    with pytest.raises(AuricleError, match=r"disk full.*finished parts are kept; free 0\.\d GB and run the same"):
        embed(out=out)
    assert len(list(folder.glob("part-*.parquet"))) > kept
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    events: list[int] = []
    embed(out=out, progress=lambda event: events.append(event.done))
    assert events == [] or min(events) == len(manifest)
    embed(out=tmp_path / "p.parquet")
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "p.parquet"))


def test_a_folder_that_cannot_be_written_is_said(sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AuricleError, match="is a file, not a folder"):
        out = tmp_path / "file" / "o.parquet"
        embed_manifest(load("logmel-stats"), Manifest.from_folder(sounds), out=out, workers=1)
