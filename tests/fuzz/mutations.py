"""What damage and malice do to a file: flipped bits, numbers that overflow, pieces cut, doubled, moved and swapped."""

import random
import struct

# Where programs that count go wrong.
NUMBERS = [
    0,
    1,
    2,
    255,
    256,
    32_767,
    32_768,
    65_535,
    1 << 20,
    2**31 - 1,
    2**31,
    2**32 - 1,
    1 << 40,
    2**63 - 1,
    2**64 - 1,
]
HEADER = 160  # bytes at the start of a file, which decide most about it


def mutated(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """`content` after one to six changes; pieces of `others` may come into it."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        if not changed:
            break
        draw.choice(CHANGES)(changed, draw, others)
    if draw.random() < 0.5:  # what a checksum would refuse must not hide what lies behind it
        restore_page_checksums(changed)
    return bytes(changed)


def place(content: bytearray, draw: random.Random) -> int:
    """A byte, half of the time of the header."""
    return draw.randrange(min(len(content), HEADER) if draw.random() < 0.5 else len(content))


def flip_bits(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    for _ in range(draw.choice((1, 1, 4, 32))):
        content[place(content, draw)] ^= 1 << draw.randrange(8)


def put_number(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    size = draw.choice((1, 2, 4, 4, 8))
    number = draw.choice(NUMBERS) & (256**size - 1)
    at = place(content, draw)
    content[at : at + size] = number.to_bytes(size, draw.choice(("little", "big")))


def put_noise(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    at = place(content, draw)
    noise = draw.randbytes(draw.choice((1, 4, 16, 200)))
    content[at : at + len(noise)] = noise


def cut_off(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    del content[place(content, draw) :]


def take_out(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    at = place(content, draw)
    del content[at : at + draw.choice((1, 2, 4, 8, 100, 1000))]


def double(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    at = place(content, draw)
    piece = content[at : at + draw.choice((1, 8, 100, 2000))]
    content[at:at] = piece * draw.choice((1, 1, 2, 20))


def insert_noise(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    at = place(content, draw)
    content[at:at] = draw.randbytes(draw.choice((1, 2, 8, 300)))


def swap(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    size = draw.choice((1, 4, 50))
    a, b = place(content, draw), place(content, draw)
    first, second = bytes(content[a : a + size]), bytes(content[b : b + size])
    content[a : a + size] = second
    content[b : b + size] = first


def graft(content: bytearray, draw: random.Random, others: list[bytes]) -> None:
    other = draw.choice(others)
    start = draw.randrange(len(other))
    content[place(content, draw) :] = other[start:]


CHANGES = [flip_bits, put_number, put_number, put_noise, cut_off, take_out, double, insert_noise, swap, graft]


def restore_page_checksums(content: bytearray) -> None:
    """Give every whole page of an Ogg file the checksum of what it holds, so that decoders read on (RFC 3533)."""
    at = content.find(b"OggS")
    while 0 <= at <= len(content) - 27:
        segments = content[at + 26]
        end = at + 27 + segments + sum(content[at + 27 : at + 27 + segments])
        if end > len(content):
            return
        content[at + 22 : at + 26] = bytes(4)
        content[at + 22 : at + 26] = struct.pack("<I", page_checksum(content[at:end]))
        at = content.find(b"OggS", end)


def page_checksum(page: bytes | bytearray) -> int:
    checksum = 0
    for byte in page:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ TABLE[checksum >> 24 ^ byte]
    return checksum


def table_entry(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value


TABLE = [table_entry(byte) for byte in range(256)]
