"""Ogg pages with another serial number: checked against the checksums that libogg wrote, and by decoding."""

import io

import numpy as np
import soundfile

from auricle.explore import ogg


def stream(samples: int, subtype: str = "VORBIS") -> bytes:
    noise = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 16000, 1, format="OGG", subtype=subtype) as file:
        file.write(noise)
    return buffer.getvalue()


def test_checksums_are_those_of_libogg() -> None:
    for subtype in ("VORBIS", "OPUS"):
        written = stream(40_000, subtype)
        assert ogg.with_serial(written, int.from_bytes(written[14:18], "little")) == written


def test_two_streams_of_one_serial_begin_alike_and_decode_as_before() -> None:
    written = [stream(3000), stream(48_000)]
    changed = [ogg.with_serial(one, 7) for one in written]
    head = ogg.head_length(changed[0])
    assert head > 3000
    assert changed[0][:head] == changed[1][:head]
    assert written[0][:head] != written[1][:head]
    for before, after in zip(written, changed, strict=True):
        assert np.array_equal(soundfile.read(io.BytesIO(before))[0], soundfile.read(io.BytesIO(after))[0])
