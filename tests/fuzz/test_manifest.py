"""Whatever is in a table that is said to be a manifest, its reader gives a manifest or one sentence."""

import datetime
import decimal
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auricle.manifest import Manifest

from .examiner import Examiner
from .mutations import mutated

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the memory of processes"),
]
Examine = Callable[[str, bytes, str], str]
KNOWN = ("path", "start", "end", "label", "labels", "target", "split", "fold", "group", "cluster", "weight", "corpus")


def table() -> pa.Table:
    rows = [
        {"path": f"{n:02d}.wav", "start": n / 4, "end": n + 1.0, "label": "dog", "labels": ["a", "b"][: n % 3]}
        | {"split": ("train", "valid", "test")[n % 3], "fold": n % 3, "group": f"g{n}", "target": 0.5, "note": 'ö, "x"'}
        for n in range(12)
    ]
    return pa.Table.from_pylist(rows)


def whole_files(folder: Path) -> dict[str, bytes]:
    """Valid manifests: CSV as several programs write it, Parquet in several codecs and layouts."""
    folder.mkdir()
    rows = table()
    Manifest(rows, folder).write(folder / "plain.csv")
    text = (folder / "plain.csv").read_text()
    (folder / "bom.csv").write_text("\ufeff" + text.replace("\n", "\r\n"))
    (folder / "small.csv").write_text('path,label\na.wav,dog\nb.wav,"cat, or\ndog"\n')
    for codec in ("none", "snappy", "zstd", "gzip"):
        pq.write_table(rows, folder / f"{codec}.parquet", compression=codec)
    pq.write_table(rows, folder / "pages.parquet", use_dictionary=False, data_page_size=64, data_page_version="2.0")
    pq.write_table(
        rows, folder / "deltas.parquet", use_dictionary=False, column_encoding={"fold": "DELTA_BINARY_PACKED"}
    )
    pq.write_table(rows.append_column("deep", pa.array([{"x": [{"y": 1}]}] * 12)), folder / "nested.parquet")
    for path in folder.iterdir():
        assert len(Manifest.read(path)) in (12, 2)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


PIECES = [
    b",",
    b'"',
    b"\n",
    b"\r",
    b";",
    b"-",
    b"1e400",
    b"nan",
    b"0",
    b"a.wav",
    b"train",
    b"",
    b"\xc3\xa9",
    b"path",
    b"  ",
]


def changed(name: str, content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Damaged in any way, or so little that a reader comes far: text stays text, Parquet keeps its length and end."""
    if draw.random() < 0.3:
        return mutated(content, draw, others)
    table = bytearray(content)
    for _ in range(draw.choice((1, 2, 5))):
        at = draw.randrange(4, len(table) - 9)
        if name.endswith(".csv"):
            table[at : at + draw.choice((0, 0, 1, 3))] = draw.choice(PIECES)
        elif draw.random() < 0.5:
            table[at] ^= 1 << draw.randrange(8)
        else:
            table[at : at + 1] = draw.choice((b"\0", b"\1", b"\x7f", b"\x80", b"\xff"))
    return bytes(table)


@pytest.fixture
def examine(examiner: Callable[[str], Examiner], tmp_path: Path) -> Examine:
    found = examiner("manifest")

    def verdict(name: str, content: bytes, what: str) -> str:
        (tmp_path / name).write_bytes(content)
        return found.examine(tmp_path / name, seed=0, what=what)

    return verdict


def test_damaged_manifests(examine: Examine, tmp_path: Path, nightly: bool, announce: Callable[[str], None]) -> None:
    files = whole_files(tmp_path / "whole")
    names, others = list(files), list(files.values())
    seed = int(os.environ.get("AURICLE_FUZZ_SEED", "0"))
    verdicts: list[str] = []
    wrong: list[str] = []
    for number in range(2000 if nightly else 110):
        name = names[number % len(names)]
        content = changed(name, files[name], random.Random(f"manifest {seed} {number}"), others)
        verdicts.append(examine(name, content, f"{name}, seed {seed}, number {number}"))
        if verdicts[-1].startswith("WRONG"):
            (tmp_path / name).rename(tmp_path / f"wrong-{number}-{name}")
            wrong.append(f"{name}, seed {seed}, number {number}: {verdicts[-1]}")
    read, refused = verdicts.count("heard"), verdicts.count("refused")
    announce(
        f"{len(verdicts):,} damaged manifests (seed {seed}): {read:,} read, {refused:,} refused, {len(wrong)} wrong"
    )
    assert not wrong, "\n".join(wrong)
    assert min(read, refused) > len(verdicts) / 20


# --- tables that nobody wrote

CELL = st.one_of(
    st.text(max_size=8),
    st.sampled_from(("", "a.wav", "../../etc/passwd", "/dev/zero", "nan", "inf", "-1", "1e999", "0x10", "NA", "train")),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)


@st.composite
def csv_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Names and cells in any order and number, some quoted, some rows too long; in an encoding that may be wrong."""
    names = draw(st.lists(st.one_of(st.sampled_from(KNOWN), st.text(max_size=6)), min_size=1, max_size=6))
    if draw(st.booleans()):
        names[0] = "path"
    rows = draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names) + 1), max_size=6))
    quoted = draw(st.booleans())
    separator = draw(st.sampled_from(",,,,;\t"))

    def line(cells: list[str]) -> str:
        return separator.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if quoted else cell for cell in cells)

    text = draw(st.sampled_from(("\n", "\r\n", "\r"))).join(map(line, [names, *[row[: len(names)] for row in rows]]))
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")))
    return "x.csv", text.encode(encoding, errors="replace")


TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), st.text(max_size=5)),
    (pa.large_string(), st.sampled_from(("a", "b", "train", ""))),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(("a", "b", "train"))),
    (pa.binary(), st.binary(max_size=4)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.int64(), st.integers(-3, 3)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.bool_(), st.booleans()),
    (pa.date32(), st.just(datetime.date(2020, 2, 29))),
    (pa.timestamp("ns"), st.just(datetime.datetime(2020, 2, 29))),
    (pa.duration("s"), st.just(datetime.timedelta(seconds=1))),
    (pa.time64("us"), st.just(datetime.time(1))),
    (pa.decimal128(9, 2), st.just(decimal.Decimal("1.25"))),
    (pa.list_(pa.string()), st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3)),
    (pa.list_(pa.list_(pa.int8())), st.just([[1]])),
    (pa.large_list(pa.string()), st.lists(st.just("x"), max_size=2)),
    (pa.list_(pa.string(), 2), st.just(["x", "y"])),
    (pa.list_(pa.float64()), st.just([1.5])),
    (pa.struct([("x", pa.int8())]), st.just({"x": 1})),
    (pa.map_(pa.string(), pa.int8()), st.just([("k", 1)])),
    (pa.null(), st.none()),
]


@st.composite
def parquet_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Known columns of any type, with nulls, in one or many groups of rows."""
    count = draw(st.integers(0, 5))
    columns: dict[str, pa.Array] = {}
    if draw(st.integers(0, 3)):
        columns["path"] = pa.array([f"{n}.wav" for n in range(count)], pa.string())
    for name in draw(st.lists(st.one_of(st.sampled_from(KNOWN), st.text(min_size=1, max_size=4)), max_size=4)):
        kind, values = draw(st.sampled_from(TYPES))
        nulls = draw(st.booleans())
        cells = draw(st.lists(st.one_of(st.none(), values) if nulls else values, min_size=count, max_size=count))
        columns.setdefault(name, pa.array(cells, kind))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, row_group_size=draw(st.sampled_from((1, 100))))
    return "x.parquet", sink.getvalue().to_pybytes()


@pytest.mark.parametrize(("kind", "files", "quick", "many"), [
    ("CSV", csv_files(), 60, 1000),
    ("Parquet", parquet_files(), 90, 1500),
])  # fmt: skip
def test_tables_that_nobody_wrote(
    kind: str,
    files: st.SearchStrategy[tuple[str, bytes]],
    quick: int,
    many: int,
    examine: Examine,
    nightly: bool,
    announce: Callable[[str], None],
) -> None:
    verdicts: list[str] = []

    @settings(
        max_examples=many if nightly else quick,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(files)
    def check(made: tuple[str, bytes]) -> None:
        verdicts.append(examine(*made, f"{made!r}"))
        assert not verdicts[-1].startswith("WRONG"), verdicts[-1]

    check()
    read = verdicts.count("heard")
    announce(f"{len(verdicts):,} made {kind} files: {read:,} read, {verdicts.count('refused'):,} refused")
    assert read > len(verdicts) / 50
