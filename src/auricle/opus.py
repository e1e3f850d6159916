"""Find the Opus files that libsndfile gets wrong, by reading their page headers.

Every page of an Ogg Opus stream states the time at its end (RFC 7845, section 4). An encoder that restarts, or that
drops sound, leaves pages whose stated time does not fit the packets that they hold: valid, and decoded by FFmpeg, but
libsndfile 1.2 gives such files up as malformed, or half-way through, and seeks in them to the wrong place.
"""

import struct
from functools import lru_cache
from pathlib import Path

# Samples at 48 kHz in one Opus frame, by the five configuration bits of a packet's first byte (RFC 6716, table 2).
_FRAME_SAMPLES = [480, 960, 1920, 2880] * 3 + [480, 960] * 2 + [120, 240, 480, 960] * 4
_HEADER_PACKETS = 2  # "OpusHead" and "OpusTags" come before the sound
_CONTINUED, _FIRST_PAGE, _LAST_PAGE = 1, 2, 4  # bits of a page's header type
_PAGE_HEADER = struct.Struct("<4sBBqIIIB")  # magic, version, type, time, serial, sequence, checksum, number of segments


def is_opus(path: Path) -> bool:
    """Whether the file is Opus in an Ogg container."""
    with path.open("rb") as file:
        start = file.read(64)
    return start.startswith(b"OggS") and b"OpusHead" in start


def has_irregular_times(path: Path) -> bool:
    """Whether an Ogg Opus file's page times do not fit its packets, so that libsndfile would refuse or misplace it.

    False for any other format. The answer is remembered, since it takes a look at every packet (0.1 s for an hour
    of sound).
    """
    if not is_opus(path):
        return False
    state = path.stat()
    return _has_irregular_times(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _has_irregular_times(path: Path, _modified: int, _size: int) -> bool:
    before = 0
    for number, (end, samples, is_last) in enumerate(_pages_of_sound(path.read_bytes())):
        grown = end - before
        # A first page may start late and a last one may be cut to length; libsndfile knows both, but not on one page.
        if number == 0 and is_last and grown > samples:
            return True
        if number > 0 and not is_last and grown != samples:
            return True
        before = end
    return False


def _pages_of_sound(data: bytes) -> list[tuple[int, int, bool]]:
    """(stated time at the end, samples in the packets that end here, is the last page) of each page, at 48 kHz."""
    pages: list[tuple[int, int, bool]] = []
    position = packets = 0
    unfinished = b""  # start of a packet that goes on from one page to the next
    samples = 0
    while position + _PAGE_HEADER.size <= len(data):
        magic, _, kind, end, _, _, _, segments = _PAGE_HEADER.unpack_from(data, position)
        if magic != b"OggS" or (kind & _FIRST_PAGE and position > 0):  # damaged, or a second stream behind the first
            break
        body = position + _PAGE_HEADER.size + segments
        if body + sum(data[body - segments : body]) > len(data):  # cut off
            break
        if not kind & _CONTINUED:
            unfinished = b""
        start = position = body
        for length in data[body - segments : body]:
            position += length
            if length < 255:  # a packet ends with its first segment that is not full
                if packets >= _HEADER_PACKETS:
                    samples += _samples_of_packet((unfinished + data[start : min(position, start + 2)])[:2])
                packets += 1
                unfinished, start = b"", position
        unfinished = (unfinished + data[start : min(position, start + 2)])[:2]
        if packets > _HEADER_PACKETS and end >= 0:  # -1: no packet ends on this page
            pages.append((end, samples, bool(kind & _LAST_PAGE)))
            samples = 0
    return pages


def _samples_of_packet(start: bytes) -> int:
    """Samples at 48 kHz in the packet that begins with these two bytes (RFC 6716, section 3.1)."""
    if not start:
        return 0
    code = start[0] & 3
    frames = (1, 2, 2, start[1] & 63 if len(start) > 1 else 0)[code]
    return _FRAME_SAMPLES[start[0] >> 3] * frames
