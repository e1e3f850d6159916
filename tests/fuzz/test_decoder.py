"""Whatever is in a file that is said to be sound, the decoder gives sound or a sentence: no crash, hang or blow-up."""

import os
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auricle import audio
from auricle.audio import AudioError

from . import examiner as examining
from .examiner import Examiner
from .mutations import NUMBERS, mutated
from .originals import FFMPEG, HERTZ, LIBSNDFILE, RATE, promising, real_originals

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the memory of processes"),
]
MakeExaminer = Callable[[str], Examiner]


@pytest.mark.parametrize("name", [*LIBSNDFILE, *FFMPEG])
def test_what_is_to_be_damaged_is_whole(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(files[name])
    heard = audio.read(tmp_path / name, sample_rate=RATE)
    if "xi" not in name:  # which has no sample rate
        assert abs(np.argmax(np.abs(np.fft.rfft(heard))) * RATE / len(heard) - HERTZ) < 4
    assert abs(np.abs(heard).max() - 0.4) < 0.08


def examine(
    found: Examiner, files: dict[str, bytes], folder: Path, *, count: int, announce: Callable[[str], None]
) -> None:
    """Change files in `count` ways; keep those that are heard wrongly."""
    seed = int(os.environ.get("AURICLE_FUZZ_SEED", "0"))
    names, others = list(files), list(files.values())
    started = time.monotonic()
    for number in range(count):
        name = names[number % len(names)]
        path = folder / f"damaged-{name}"
        path.write_bytes(mutated(files[name], random.Random(f"{seed} {number}"), others))
        if found.examine(path, seed=number, what=f"{name}, seed {seed}, number {number}").startswith("WRONG"):
            path.rename(folder / f"wrong-{number}-{name}")
    announce(
        f"{found.inputs:,} damaged files (seed {seed}) in {time.monotonic() - started:,.0f} s: "
        f"{found.verdicts['heard']:,} heard, {found.verdicts['refused']:,} refused, {len(found.wrong)} wrong"
    )
    assert not found.wrong, "\n".join(found.wrong)
    # What is always refused, or never, tests nothing.
    assert min(found.verdicts["heard"], found.verdicts["refused"]) > count / 20


def test_damaged_files_of_every_format(
    files: dict[str, bytes], examiner: MakeExaminer, tmp_path: Path, nightly: bool, announce: Callable[[str], None]
) -> None:
    examine(examiner("sound"), files, tmp_path, count=7000 if nightly else 264, announce=announce)


@pytest.mark.real
def test_damaged_recordings(
    real_data: Path, examiner: MakeExaminer, tmp_path: Path, nightly: bool, announce: Callable[[str], None]
) -> None:
    found = real_originals(real_data)
    examine(examiner("sound"), found, tmp_path, count=1500 if nightly else 40, announce=announce)


# --- headers that nobody wrote


NUMBER = st.one_of(st.sampled_from(NUMBERS), st.integers(0, 2**64 - 1))
BODY = st.one_of(st.binary(max_size=400), st.just(bytes(3000)))


def pack(kind: str, *numbers: int) -> bytes:
    """As `struct.pack`, of as many bits as there is room for."""
    return b"".join(
        struct.pack(kind[0] + code, number & (256 ** struct.calcsize("<" + code) - 1))
        for code, number in zip(kind[1:], numbers, strict=True)
    )


@st.composite
def riff(draw: st.DrawFn) -> tuple[str, bytes]:
    """A WAV, RF64 or extensible header in which any number may stand for any other."""
    sane = draw(st.booleans())
    channels = draw(st.integers(1, 8)) if sane else draw(NUMBER)
    bits = draw(st.sampled_from((8, 16, 24, 32, 64))) if sane else draw(NUMBER)
    tag = draw(st.sampled_from((1, 3, 6, 7, 2, 0x11, 0x31, 0x55, 0xFFFE, 0)))
    rate = draw(st.sampled_from((8000, 44_100))) if sane else draw(NUMBER)
    width = draw(st.just(channels * bits // 8)) if sane else draw(NUMBER)
    form = pack("<HHIIHH", tag, channels, rate, rate * width, width, bits)
    form += draw(st.one_of(st.just(b""), st.binary(min_size=2, max_size=24)))
    big = draw(st.booleans())
    sizes = b"ds64" + pack("<IQQQI", 28, draw(NUMBER), draw(NUMBER), draw(NUMBER), 0) if big else b""
    body = draw(BODY)
    length = 0xFFFFFFFF if big else draw(st.one_of(st.just(len(body)), NUMBER))
    chunks = sizes + b"fmt " + pack("<I", len(form)) + form + b"data" + pack("<I", length) + body
    return "x.wav", (b"RF64" if big else b"RIFF") + pack("<I", draw(NUMBER)) + b"WAVE" + chunks


@st.composite
def aiff(draw: st.DrawFn) -> tuple[str, bytes]:
    common = pack(">HIH", draw(st.one_of(st.integers(0, 8), NUMBER)), draw(NUMBER), draw(st.sampled_from((8, 16, 24))))
    common += draw(st.one_of(st.just(b"\x40\x0e\xac\x44" + bytes(6)), st.binary(min_size=10, max_size=10)))
    body = draw(BODY)
    sound = b"SSND" + pack(">III", draw(st.one_of(st.just(len(body) + 8), NUMBER)), draw(NUMBER), 0) + body
    return "x.aiff", b"FORM" + pack(">I", draw(NUMBER)) + b"AIFFCOMM" + pack(">I", len(common)) + common + sound


@st.composite
def au(draw: st.DrawFn) -> tuple[str, bytes]:
    start, size, coding = draw(st.one_of(st.just(24), NUMBER)), draw(NUMBER), draw(st.integers(0, 30))
    rate, channels = draw(st.one_of(st.just(8000), NUMBER)), draw(st.one_of(st.integers(0, 8), NUMBER))
    return "x.au", b".snd" + pack(">IIIII", start, size, coding, rate, channels) + draw(BODY)


@st.composite
def flac(draw: st.DrawFn) -> tuple[str, bytes]:
    info = pack(">HH", draw(NUMBER), draw(NUMBER)) + draw(st.binary(min_size=14, max_size=14)) + bytes(16)
    return "x.flac", b"fLaC" + pack(">I", 0x80000022) + info + b"\xff\xf8" + draw(BODY)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[str, bytes]:
    """MP4: boxes in boxes, whose sizes need not be true."""
    kinds = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stts", b"stsz", b"stco", b"mdat", b"mdhd", b"esds")
    content = b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42"
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=8)):
        body = draw(st.binary(max_size=60))
        content += pack(">I", draw(st.one_of(st.just(len(body) + 8), NUMBER))) + kind + body
    return "x.m4a", content


@st.composite
def anything(draw: st.DrawFn) -> tuple[str, bytes]:
    """A first word that some format begins with, and what follows is anything."""
    words = (
        b"OggS\0\2",
        b"\xff\xfb\x90",
        b"ID3\3",
        b"caff",
        b"Creative Voice File\x1a",
        b"NIST_1A",
        b"\x1aE\xdf\xa3",
        b"",
    )
    name = draw(st.sampled_from(("x.wav", "x.ogg", "x.mp3", "x.opus", "x.webm", "x.aac", "x.mkv")))
    return name, draw(st.sampled_from((*words, b""))) + draw(st.binary(min_size=1, max_size=300))


@pytest.fixture
def hear(examiner: MakeExaminer, tmp_path: Path) -> Callable[[str, bytes], str]:
    found = examiner("sound")

    def heard(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return found.examine(path, seed=0, what=f"{name} of {content!r}")

    return heard


def test_headers_that_nobody_wrote(
    hear: Callable[[str, bytes], str], nightly: bool, announce: Callable[[str], None]
) -> None:
    count = 1500 if nightly else 100
    verdicts: list[str] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(riff(), riff(), aiff(), au(), flac(), boxes(), anything()))
    def check(made: tuple[str, bytes]) -> None:
        verdict = hear(*made)
        verdicts.append(verdict)
        assert not verdict.startswith("WRONG"), verdict

    check()
    heard = verdicts.count("heard")
    announce(f"{len(verdicts):,} made headers: {heard:,} heard, {verdicts.count('refused'):,} refused")
    assert heard > (len(verdicts) / 50 if nightly else 0)  # a hundred are too few for a share


# --- promises, pipes and what stands behind the sentence "no crash, hang or blow-up"


@pytest.mark.parametrize("name", list(promising()))
def test_a_header_that_promises_2_40_samples_is_refused_or_not_believed(
    name: str, hear: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    content = promising()[name]
    assert not hear(name, content).startswith("WRONG")
    try:
        info, heard = audio.info(tmp_path / name), audio.read(tmp_path / name, sample_rate=RATE)
    except AudioError as error:
        assert "h of sound in" in str(error) and "its header is damaged" in str(error)
    else:  # libsndfile has looked how long the file is
        assert info.seconds < 0.5 and len(heard) < 0.5 * RATE
    if name in ("year.flac", "opus.opus"):
        with pytest.raises(AudioError, match=r"promises [\d,]+ h of sound in"):
            audio.info(tmp_path / name)
        with pytest.raises(AudioError, match=r"promises [\d,]+ h of sound in"):
            audio.read(tmp_path / name, sample_rate=RATE)


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    os.mkfifo(tmp_path / "pipe.m4a")
    for path in (tmp_path / "pipe.wav", tmp_path / "pipe.m4a", Path("/dev/zero")):
        for look in (audio.info, lambda path: audio.read(path, sample_rate=RATE)):
            with pytest.raises(AudioError, match="is a pipe or a device, not an audio file"):
                look(path)


_BAD_WORKER = """
import json, os, sys, time
for line in sys.stdin:
    name = os.path.basename(json.loads(line)["path"])
    if "crash" in name:
        os.abort()
    if "work" in name:
        while True:
            pass
    if "wait" in name:
        time.sleep(1000)
    print("heard", flush=True)
"""


def test_a_crash_a_hang_and_a_blow_up_would_be_noticed(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "PROCESSOR_SECONDS", 0.5)
    monkeypatch.setattr(examining, "WAITING_SECONDS", 3.0)
    found = Examiner("sound", tmp_path / "first.wav", command=(sys.executable, "-c", _BAD_WORKER))
    for name in ("good.wav", "crash.wav", "good.wav", "work.wav", "wait.wav", "good.wav"):
        found.examine(tmp_path / name, seed=0, what=name)
    found.close()
    assert found.verdicts == {"heard": 3, "WRONG": 3}
    crash, work, wait = found.wrong
    assert crash.startswith("crash.wav: WRONG ended the process with -6")
    assert "worked for more than" in work and "waited for more than" in wait


def test_memory_beyond_the_limit_would_be_noticed(tmp_path: Path, files: dict[str, bytes]) -> None:
    program = "import worker, numpy; worker.KINDS['sound'] = lambda p, d: str(len(numpy.ones(int(p.name) << 17)))\n"
    program = f"import sys; sys.path.insert(0, {str(examining.WORKER.parent)!r}); {program}worker.main()"
    found = Examiner("sound", tmp_path / "1", command=(sys.executable, "-c", program))
    assert found.examine(tmp_path / "100", seed=0, what="100 MB") == str(100 << 17)
    assert "MemoryError" in found.examine(tmp_path / "2000", seed=0, what="2 GB")
    found.close()


@pytest.mark.parametrize(
    ("name", "number", "reason"),
    [
        ("float.wav", 576, "holds samples that are too large to be resampled"),
        ("vorbis.ogg", 1776, "its Vorbis stream is damaged"),  # libsndfile 1.2 ends the process
        ("aac.m4a", 3777, "its sound is in a coding that FFmpeg does not know"),
    ],
)
def test_what_was_found_once_stays_refused(
    name: str, number: int, reason: str, files: dict[str, bytes], examiner: MakeExaminer, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(files[name], random.Random(f"0 {number}"), list(files.values())))
    assert not examiner("sound").examine(path, seed=number, what=name).startswith("WRONG")
    with pytest.raises(AudioError, match=reason):
        audio.read(path, sample_rate=48_000, offset=0.1)
