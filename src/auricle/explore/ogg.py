"""Ogg streams that begin alike: their serial numbers made equal, so that many short ones share what they begin with.

The head of an Ogg Vorbis stream, four kilobytes of code books, is the same for all that one encoder writes with one
setting; only the random serial number on every page, and with it the page's checksum, differ (RFC 3533, section 6).
"""

import struct
import zlib

_PAGE = struct.Struct("<4sBBqIIIB")  # magic, version, type, time, serial, sequence, checksum, number of segments
_SERIAL = slice(14, 18)
_CHECKSUM = slice(22, 26)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the bits of each byte backwards
_HEAD_PAGES_END = 0  # granule position of the pages that hold no sound yet


def with_serial(stream: bytes, serial: int) -> bytes:
    """The same stream of whole pages, with another serial number on each of them."""
    out = bytearray(stream)
    number = struct.pack("<I", serial)
    for start, end in _pages(stream):
        page = out[start:end]
        page[_SERIAL] = number
        page[_CHECKSUM] = bytes(4)
        page[_CHECKSUM] = struct.pack("<I", checksum(page))
        out[start:end] = page
    return bytes(out)


def head_length(stream: bytes) -> int:
    """Bytes of the pages before the first that holds sound."""
    for start, _ in _pages(stream):
        if _PAGE.unpack_from(stream, start)[3] != _HEAD_PAGES_END:
            return start
    return len(stream)


def checksum(page: bytes | bytearray) -> int:
    """The checksum of a page whose own checksum field is zero: CRC-32, most significant bit first, begun with zero.

    zlib's has the same polynomial, but takes and gives bits the other way round, and begins with ones.
    """
    backwards = zlib.crc32(bytes(page).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{backwards:032b}"[::-1], 2)


def _pages(stream: bytes) -> list[tuple[int, int]]:
    """Where each page starts and ends."""
    pages = []
    start = 0
    while start < len(stream):
        segments = _PAGE.unpack_from(stream, start)[-1]
        body = start + _PAGE.size + segments
        end = body + sum(stream[body - segments : body])
        pages.append((start, end))
        start = end
    return pages
