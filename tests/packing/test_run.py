"""Packing: what goes in comes out at 16 kHz and 16 bits; nothing that happens on the way changes a byte of it."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from auricle import audio
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock
from auricle.manifest import Manifest
from auricle.packing import run, working_shard
from auricle.packing.events import Event, Plan, Progress
from auricle.packing.layout import PackError
from auricle.packing.reader import open_pack
from auricle.packing.run import pack

from .sounds import FILES, content, noise, recordings, write

SHARD = 1 << 20  # bytes: the long recording fills the first one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs") / "pack"
    pack(Manifest.from_folder(folder), out, workers=1, shard_bytes=SHARD)
    return out


def test_the_plan_says_hours_and_size_before_anything_is_packed(folder: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    summary = pack(Manifest.from_folder(folder), tmp_path / "pack", workers=2, shard_bytes=SHARD, report=told.append)
    (plan,) = [event for event in told if isinstance(event, Plan)]
    seconds = sum(seconds for seconds, _, _ in FILES.values())
    assert plan.files == plan.clips == len(FILES) and plan.rejected == 1
    assert plan.hours == pytest.approx(seconds / 3600, rel=1e-3)
    assert plan.size == pytest.approx(seconds * 16_000 * 2, rel=0.01)
    first = next(place for place, event in enumerate(told) if isinstance(event, Progress))
    assert told.index(plan) < first
    assert (summary.clips, summary.rejected, summary.dropped, summary.was_complete) == (len(FILES), 1, 0, False)
    assert summary.size == sum(path.stat().st_size for path in (tmp_path / "pack" / "shards").iterdir())
    assert [row.split(",")[0] for row in (tmp_path / "pack" / "rejected.csv").read_text().splitlines()[1:]] == [
        str(folder / "b" / "broken.wav")
    ]


def test_every_clip_is_its_file_at_16_bits(folder: Path, packed: Path) -> None:
    opened = open_pack(packed)
    assert len(opened) == len(FILES) and opened.info["shards"][0] > SHARD
    for clip, stretch in enumerate(opened.stretches):
        expected = audio.read(stretch.path, sample_rate=16_000)
        found = opened.read(clip, 0, len(expected) + 1)
        assert abs(len(found) - len(expected)) <= 1  # the header's length, at another rate
        assert np.abs(found / 32768 - expected[: len(found)]).max() <= 0.5 / 32768
        middle = len(expected) // 3
        assert (opened.read(clip, middle, 1000) == found[middle : middle + 1000]).all()


def test_a_16_bit_file_comes_through_unchanged(folder: Path, packed: Path) -> None:
    opened = open_pack(packed)
    (clip,) = [clip for clip, stretch in enumerate(opened.stretches) if stretch.path.name == "plain.wav"]
    integers, _ = soundfile.read(folder / "a" / "plain.wav", dtype="int16")
    assert (opened.read(clip, 0, 10**9) == integers).all()


def test_pieces_of_one_recording_are_decoded_in_one_go(folder: Path, tmp_path: Path, packed: Path) -> None:
    pieces = [{"path": "b/long.flac", "start": 10.0 * n, "end": min(10.0 * n + 10, 75)} for n in range(8)]
    del pieces[3]
    plans = run.make_plan(
        run.sorted_clips(Manifest.from_rows(pieces, root=folder)), folder, workers=1, report=lambda event: None
    )
    assert [(group.first, group.last) for group in plans.groups(0)] == [(0, 75 * 16_000)]
    pack(Manifest.from_rows(pieces, root=folder), tmp_path / "pack", workers=1)
    opened, whole = open_pack(tmp_path / "pack"), open_pack(packed)
    (clip,) = [clip for clip, stretch in enumerate(whole.stretches) if stretch.path.name == "long.flac"]
    assert opened.samples.tolist() == [160_000] * 6 + [80_000]
    for number, piece in enumerate(pieces):
        first = round(piece["start"] * 16_000)
        assert (opened.read(number, 0, 160_000) == whole.read(clip, first, int(opened.samples[number]))).all()


def test_samples_beyond_one_are_clipped_and_counted(tmp_path: Path) -> None:
    loud = np.array([0.5, 1.5, -2.0, 1.0, -1.0], dtype=np.float32)
    soundfile.write(tmp_path / "loud.wav", loud, 16_000, subtype="FLOAT")
    summary = pack(Manifest.from_folder(tmp_path), tmp_path / "pack", workers=1)
    opened = open_pack(tmp_path / "pack")
    assert opened.read(0, 0, 5).tolist() == [16384, 32767, -32768, 32767, -32768]
    assert opened.table.column("clipped").to_pylist() == [2] and summary.clipped == 1


# --- what happens on the way


def killed_at(event: int, manifest: Manifest, out: Path) -> None:
    """Pack in a process that is gone, without any cleaning up, at its `event`-th event."""
    child = os.fork()
    if not child:
        count = 0

        def report(_: Event) -> None:
            nonlocal count
            count += 1
            if count == event:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            pack(manifest, out, workers=1, shard_bytes=SHARD, report=report)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_killed_at_every_event_it_ends_as_the_same_bytes(folder: Path, tmp_path: Path, packed: Path) -> None:
    manifest, out = Manifest.from_folder(folder), tmp_path / "pack"
    for event in (1, 2, 2, 2, 3):  # while measuring, at the plan, then after one clip more each time
        killed_at(event, manifest, out)
        assert not (out / "index.arrow").exists()
    summary = pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert not summary.was_complete
    assert content(out) == content(packed)
    assert pack(manifest, out, workers=1, shard_bytes=SHARD).was_complete


@pytest.mark.parametrize("cut", [1, 7, 4000])
def test_what_a_power_cut_left_is_checked_and_made_again(folder: Path, tmp_path: Path, packed: Path, cut: int) -> None:
    manifest, out = Manifest.from_folder(folder), tmp_path / "pack"
    killed_at(5, manifest, out)  # after three clips
    (shard,) = (out / ".work").glob("*.pcm")
    journal = shard.with_suffix(".jsonl")
    if cut == 7:
        journal.write_bytes(journal.read_bytes()[:-cut])  # half a line
    else:
        with shard.open("r+b") as file:
            file.truncate(shard.stat().st_size - cut)
    pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert content(out) == content(packed)


def test_a_shard_that_was_in_place_without_its_part_is_gone_on_with(
    folder: Path, tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, out = Manifest.from_folder(folder), tmp_path / "pack"
    with monkeypatch.context() as patch:
        patch.setattr("auricle.packing.parts.part_name", lambda number: "parts/\0")  # cannot be written
        with pytest.raises(ValueError):
            pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert (out / "shards" / "00000.pcm").exists() and not (out / "parts" / "00000.arrow").exists()
    pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert content(out) == content(packed)


def test_a_full_disk_is_one_sentence_and_no_loss(
    folder: Path, tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, out, written = Manifest.from_folder(folder), tmp_path / "pack", 0

    def full(file, data: bytes) -> None:
        nonlocal written
        written += len(data)
        if written > 1_000_000:
            file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write(data)

    with monkeypatch.context() as patch:
        patch.setattr(working_shard, "_write_all", full)
        with pytest.raises(AuricleError, match=r"disk full while writing .*; free some space and run the same command"):
            pack(manifest, out, workers=1, shard_bytes=SHARD)
    pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert content(out) == content(packed)


def test_ctrl_c_says_how_far_it_was(folder: Path, tmp_path: Path, packed: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.clips == 2:
            raise KeyboardInterrupt

    manifest, out = Manifest.from_folder(folder), tmp_path / "pack"
    with pytest.raises(Interrupted, match=r"stopped after 2 of 7 clips; the same command goes on from there"):
        pack(manifest, out, workers=1, shard_bytes=SHARD, report=stop)
    pack(manifest, out, workers=1, shard_bytes=SHARD)
    assert content(out) == content(packed)


def test_a_file_that_vanishes_or_is_cut_short_costs_itself(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for seed, name in enumerate(("a.wav", "b.wav", "c.wav", "d.wav")):
        write(root / name, noise(2.0, 16_000, seed=seed), 16_000)

    def meddle(event: Event) -> None:
        if isinstance(event, Plan):  # lengths are known by now
            (root / "b.wav").unlink()
            os.truncate(root / "c.wav", 32_044)

    summary = pack(Manifest.from_folder(root), tmp_path / "pack", workers=1, report=meddle)
    opened = open_pack(tmp_path / "pack")
    assert [stretch.path.name for stretch in opened.stretches] == ["a.wav", "c.wav", "d.wav"]
    assert opened.samples.tolist() == [32_000, 16_000, 32_000]
    assert summary.rejected == 1
    assert "b.wav,0,,does not exist" in (tmp_path / "pack" / "rejected.csv").read_text()


# --- what is refused


def test_a_second_process_is_refused(folder: Path, tmp_path: Path) -> None:
    with (
        FolderLock(tmp_path / "pack"),
        pytest.raises(AuricleError, match=r"pack is being written by process \d+ since"),
    ):
        pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1)


def test_a_small_disk_is_refused_before_it_is_filled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(AuricleError, match=r"the pack needs 3\.8 MB, but .*pack has 1\.0 MB free"):
        pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1)
    assert not any(path.stat().st_size for path in (tmp_path / "pack").rglob("*.pcm"))


def test_another_job_in_the_same_folder_is_refused(folder: Path, packed: Path) -> None:
    fewer = Manifest.from_folder(folder).select([0])
    with pytest.raises(PackError, match="is a pack with other clips; delete it or choose another folder"):
        pack(fewer, packed, workers=1, shard_bytes=SHARD)
    with pytest.raises(PackError, match="is a pack with another --drop"):
        pack(Manifest.from_folder(folder), packed, workers=1, shard_bytes=SHARD, drop="exact")


def test_options_and_weights_that_mean_nothing_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="drop is 'all': expected nothing, exact or near"):
        pack(Manifest.from_folder(folder), tmp_path / "pack", drop="all")
    weightless = Manifest.from_rows([{"path": "a/plain.wav", "weight": 0.0}], root=folder)
    with pytest.raises(AuricleError, match="column `weight` must hold numbers above 0"):
        pack(weightless, tmp_path / "pack")


def test_a_header_that_promises_too_much_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "liar.flac", np.zeros((16_000, 1), dtype=np.float32), 16_000)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the 36 bits of a FLAC header that count its samples (RFC 9639, section 8.2)
    content[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    write(tmp_path / "good.wav", noise(1.0, 16_000), 16_000)
    summary = pack(Manifest.from_folder(tmp_path), tmp_path / "pack", workers=1)
    assert (summary.clips, summary.rejected) == (1, 1)
    assert "promises 1,193 h of sound in" in (tmp_path / "pack" / "rejected.csv").read_text()


def test_nothing_usable_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    for said in (
        r"the only clip was left out, \S+broken\.wav",
        r"all 2 clips were left out, the first is \S+also\.wav",
    ):
        with pytest.raises(AuricleError, match=f"nothing to pack: {said}: cannot be decoded"):
            pack(Manifest.from_folder(tmp_path), tmp_path / "pack", workers=1)
        assert [path.name for path in (tmp_path / "pack").iterdir()] == ["rejected.csv"]
        (tmp_path / "also.wav").write_bytes(b"no sound")


def test_an_output_that_cannot_be_written_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuricleError, match="is a file, not a folder"):
        pack(Manifest.from_folder(folder), tmp_path / "file" / "pack", workers=1)


def test_a_damaged_description_is_one_sentence(packed: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(packed, tmp_path / "pack")
    (copy / "pack.json").write_text("{")
    with pytest.raises(PackError, match=r"pack\.json is damaged; delete .* and pack again"):
        open_pack(copy)
    info = json.loads((packed / "pack.json").read_text())
    (copy / "pack.json").write_text(json.dumps(info | {"complete": False}))
    with pytest.raises(PackError, match="is not finished: run the same auricle pack command again"):
        open_pack(copy)
    (copy / "pack.json").write_text(json.dumps(info))
    (copy / "index.arrow").write_bytes((copy / "index.arrow").read_bytes()[:1000])
    with pytest.raises(PackError, match=r"index\.arrow cannot be read"):
        open_pack(copy)


def test_the_index_is_read_by_others(packed: Path) -> None:
    table = pa.ipc.open_file(packed / "index.arrow").read_all()
    assert table.column("samples").to_pylist() == open_pack(packed).samples.tolist()
    assert set(table.column("corpus").to_pylist()) == {
        Path(json.loads((packed / "pack.json").read_text())["source"]).stem
    }
