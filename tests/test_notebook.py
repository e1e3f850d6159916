"""Objects in a notebook are tables that an XML parser reads, and nothing in them is taken for markup."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

import auricle
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.score_tables import score_tables


def cells(html: str) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(html).iter("tr")]


def test_a_manifest() -> None:
    rows = [
        {"path": f"<b>{number}.wav", "target": number / 2, "labels": ["rain", "wind & sea"]} for number in range(12)
    ]
    manifest = Manifest.from_rows(rows, root=Path("field"), source="clips.csv")
    found = cells(manifest._repr_html_())
    assert found[0] == ["path", "target", "labels"]
    assert found[2] == ["<b>1.wav", "0.5", "rain; wind & sea"]
    assert len(found) == 1 + 10
    assert "the first 10 of 12 clips" in manifest._repr_html_()


def test_an_encoder_says_what_it_is() -> None:
    encoder = auricle.load("byola-2022")
    said = repr(encoder)
    for fact in ("byola-2022", "6,333,376 parameters", "16000 Hz", "3072 dimensions", "every 40 ms", "from 0.95 s"):
        assert fact in said
    facts = dict(cells(encoder._repr_html_()))
    assert facts["weights"] == encoder.weights_fingerprint
    assert facts["front end"].startswith("64 mel bands")


def test_a_table_of_scores() -> None:
    rows = [
        Result(model=model, task="esc50", protocol="linear", metric="accuracy", value=value, n=8)
        for model, value in (("a<b", 0.5), ("c", np.float64(0.25)))
    ]
    (table,) = score_tables(rows)
    found = cells(f"<div>{table._repr_html_()}</div>")
    assert found[0][:2] == ["model", "esc50 (accuracy, %)"]
    assert [row[0] for row in found[1:]] == ["a<b", "c"]
    assert found[1][1].startswith("50.0")
