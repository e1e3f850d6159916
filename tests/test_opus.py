import numpy as np
import pytest

from auricle import audio
from auricle.audio import AudioError
from auricle.opus import has_irregular_times

RATE = 16000


def ogg_checksum(page: bytes) -> int:
    """The CRC of RFC 3533, section 6: polynomial 0x04c11db7, no reflection, start and final value 0."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def shift_page_time(content: bytes, page: int, samples: int) -> bytes:
    """Move the stated time of the `page`-th page by `samples` at 48 kHz, checksum and all."""
    start = -1
    for _ in range(page + 1):
        start = content.index(b"OggS", start + 1)
    end = content.find(b"OggS", start + 1)
    changed = bytearray(content[start : end if end > 0 else len(content)])
    changed[6:14] = (int.from_bytes(changed[6:14], "little") + samples).to_bytes(8, "little")
    changed[22:26] = bytes(4)
    changed[22:26] = ogg_checksum(changed).to_bytes(4, "little")
    return content[:start] + bytes(changed) + content[start + len(changed) :]


@pytest.fixture
def regular(tone, sound_file):
    return sound_file("regular.opus", tone(1000, seconds=5), RATE)


@pytest.fixture
def irregular(regular):
    path = regular.with_name("irregular.ogg")
    path.write_bytes(shift_page_time(regular.read_bytes(), page=3, samples=400))
    return path


def test_files_of_an_ordinary_encoder_are_regular(regular):
    assert not has_irregular_times(regular)


def test_a_page_that_is_late_is_found(irregular):
    assert has_irregular_times(irregular)


def test_an_irregular_file_is_decoded_whole_by_ffmpeg(regular, irregular):
    pytest.importorskip("av")
    heard, expected = audio.read(irregular, sample_rate=RATE), audio.read(regular, sample_rate=RATE)
    assert len(heard) == pytest.approx(len(expected), abs=200)
    # FFmpeg decodes Opus at 48 kHz, libsndfile at the encoder's 16 kHz: alike, not equal.
    assert np.corrcoef(heard[: 4 * RATE], expected[: 4 * RATE])[0, 1] > 0.99
    excerpt = audio.read(irregular, sample_rate=RATE, offset=3.5, duration=1)
    assert np.abs(excerpt - heard[round(3.5 * RATE) : round(4.5 * RATE)]).max() < 1e-4


def test_without_ffmpeg_the_sentence_names_the_extra(irregular, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(
        AudioError, match=r'is an Opus file that libsndfile refuses; it needs the `av` extra: pip install "auricle'
    ):
        audio.read(irregular, sample_rate=RATE)


@pytest.mark.real
def test_the_files_that_libsndfile_refuses_are_read(real_data):
    found = audio.find(real_data / "odd")
    assert len(found) == 3
    # Seconds as ffmpeg decodes them.
    for path, seconds in zip(found, [14.0016, 0.7135, 129.7940], strict=True):
        assert has_irregular_times(path)
        assert len(audio.read(path, sample_rate=RATE)) / RATE == pytest.approx(seconds, abs=1e-3)


@pytest.mark.real
def test_no_other_opus_file_at_hand_is_taken_for_irregular(real_data):
    for path in audio.find(real_data / "unlabelled"):
        assert not has_irregular_times(path), path
