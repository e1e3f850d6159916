"""Reading packs: the same crops as from the files, and damage that is found and named."""

import functools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from auricle import clips as clips_module
from auricle.audio import AudioError
from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.packing.layout import PackError
from auricle.packing.reader import is_pack, open_pack, open_packed, pack_among
from auricle.packing.run import pack
from auricle.packing.verify import verify

from .sounds import FILES, noise, recordings, write

CUTTING = {"sample_rate": 16_000, "clip_seconds": 10.0, "crop_seconds": 0.95}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs") / "pack"
    pack(Manifest.from_folder(folder), out, workers=1, shard_bytes=1 << 20)
    return out


@pytest.mark.parametrize("padding", ["tail", "repeat"])
def test_crops_are_those_of_the_folder(folder: Path, packed: Path, padding: str) -> None:
    stretches = clips_module.find_stretches([str(folder)])
    files = clips_module.cut(*clips_module.measure(stretches, sample_rate=16_000, workers=1), **CUTTING)
    opened = open_packed(packed, **CUTTING)
    assert len(opened.clips) == len(files) and opened.clips.hours == pytest.approx(files.hours)
    assert [stretch.path for stretch in opened.clips.stretches] == [stretch.path for stretch in files.stretches]
    make = functools.partial(Crops, crop_samples=15_200, sampling="duration", padding=padding, seed=5)
    expected, found = make(files, files), make(opened.clips, opened)
    index = torch.arange(40)
    (crops, clips), (others, other_clips) = expected.read(index), found.read(index)
    assert torch.equal(clips, other_clips)
    assert float((crops - others).abs().max()) <= 0.5 / 32768 + 1e-7


def test_heavier_corpora_are_drawn_more_often(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "in" / f"{number}.wav", noise(1.0, 16_000, seed=number), 16_000)
    weights = [0.5, 0.5, 1.0, 1.0, 1.25, 1.25]
    rows = [{"path": f"{n}.wav", "weight": weight} for n, weight in enumerate(weights)]
    pack(Manifest.from_rows(rows, root=tmp_path / "in"), tmp_path / "pack", workers=1)
    opened = open_packed(tmp_path / "pack", **CUTTING)
    counts = np.mean([np.bincount(opened.members(seed), minlength=6) for seed in range(200)], axis=0)
    assert counts[:4].tolist() == [1, 1, 2, 2]  # the least weight counts as 1
    assert counts[4:] == pytest.approx([2.5, 2.5], abs=0.15)
    even = [{"path": f"{n}.wav", "weight": 3.0} for n in range(6)]
    pack(Manifest.from_rows(even, root=tmp_path / "in"), tmp_path / "even", workers=1)
    assert open_packed(tmp_path / "even", **CUTTING).members(0) is None


def test_another_rate_is_refused(packed: Path) -> None:
    with pytest.raises(AuricleError, match="packed at 16000 Hz, but the encoder hears 32000 Hz"):
        open_packed(packed, **(CUTTING | {"sample_rate": 32_000}))


def test_what_is_no_pack_is_one_sentence(folder: Path, packed: Path) -> None:
    assert is_pack(packed) and not is_pack(folder)
    with pytest.raises(PackError, match=r"is not a pack: it has no pack\.json; make one with auricle pack"):
        open_pack(folder)


# --- damage


@pytest.fixture
def copy(packed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(packed, tmp_path / "copy"))


def test_a_whole_pack_is_whole(packed: Path) -> None:
    told: list[float] = []
    found = verify(packed, workers=2, report=told.append)
    assert found.is_whole and found.clips == len(FILES) and told[-1] == 1.0
    assert found.size == sum(path.stat().st_size for path in (packed / "shards").iterdir())


@pytest.mark.parametrize("clip", range(len(FILES)))
def test_one_flipped_bit_names_the_clip(copy: Path, clip: int) -> None:
    opened = open_pack(copy)
    names = [stretch.path.relative_to(opened.info["root"]).as_posix() for stretch in opened.stretches]
    shard = copy / "shards" / f"{opened.shard[clip]:05d}.pcm"
    content = bytearray(shard.read_bytes())
    content[2 * int(opened.offset[clip]) + 11] ^= 0x10
    shard.write_bytes(content)
    found = verify(copy, workers=1)
    assert not found.is_whole and not found.problems
    assert [damage.path for damage in found.damaged] == [names[clip]]
    assert str(found.damaged[0]) == f"{names[clip]} in shards/{shard.name}"


def test_a_truncated_shard_is_one_sentence(copy: Path) -> None:
    shard = copy / "shards" / "00001.pcm"
    size = shard.stat().st_size
    os.truncate(shard, size - 100)
    with pytest.raises(PackError, match=rf"00001\.pcm is truncated: it has {size - 100:,} bytes, {size:,} were packed"):
        open_pack(copy)
    found = verify(copy, workers=1)
    assert len(found.problems) == 1 and [damage.path for damage in found.damaged] == ["c/lossy.mp3"]
    shard.unlink()
    with pytest.raises(PackError, match=r"00001\.pcm is missing"):
        open_pack(copy)
    assert {damage.shard for damage in verify(copy, workers=1).damaged} == {"shards/00001.pcm"}


def test_a_shard_that_shrinks_or_goes_while_it_is_read_is_one_sentence(copy: Path) -> None:
    opened = open_pack(copy)
    last = len(opened) - 1
    assert len(opened.read(last, 0, 1000)) == 1000
    os.truncate(copy / "shards" / f"{opened.shard[last]:05d}.pcm", 100)
    with pytest.raises(AudioError, match="is truncated: run auricle pack --verify on its folder"):
        opened.read(last, 0, 1000)
    shutil.rmtree(copy / "shards")
    with pytest.raises(AudioError, match="cannot be read: No such file or directory"):
        open_pack_of(opened).read(0, 0, 1000)


def open_pack_of(opened):
    opened.store._opened.cache_clear()
    return opened


def test_a_changed_index_is_said(copy: Path) -> None:
    content = bytearray((copy / "index.arrow").read_bytes())
    at = content.index(b"plain.wav")
    content[at] ^= 1
    (copy / "index.arrow").write_bytes(content)
    assert verify(copy, workers=1).problems == (f"{copy}/index.arrow is not what was written; pack again",)


def test_a_pack_is_not_mixed_with_files(folder: Path, packed: Path) -> None:
    assert pack_among([str(folder)]) is None and pack_among([str(packed)]) == str(packed)
    with pytest.raises(AuricleError, match=r"pack is a pack and cannot be mixed with .*recordings.*: pack all of it"):
        pack_among([str(folder), str(packed)])
