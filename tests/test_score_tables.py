"""A score table says what the scores and the paired tests say, no more, in every format alike."""

import csv
import dataclasses
import io
from html.parser import HTMLParser

import pytest

from auricle.comparisons import Comparison
from auricle.errors import AuricleError
from auricle.results import Result
from auricle.score_formats import FORMATS, as_csv, as_html, as_latex, as_markdown, markdown_table
from auricle.score_tables import ScoreTable, Tally, score_tables
from auricle.words import listed


def row(**changes: object) -> Result:
    first = Result(
        model="byola-2022",
        weights_fingerprint="0123456789012345",
        diet="speech",
        task="esc50",
        dataset_fingerprint="abc",
        protocol="ogg2025",
        metric="accuracy",
        value=0.5,
        ci_low=0.45,
        ci_high=0.5512,
        n=2000,
    )
    return dataclasses.replace(first, **changes)


ROWS = [row(), row(model='the "other" | one', weights_fingerprint=None, diet=None, value=0.25)]


def test_table_has_models_as_rows_and_tasks_as_columns_with_intervals() -> None:
    rows = [row(), row(model="yamnet", diet=None, value=0.8), row(task="nsynth", value=0.625), row(seed=2, value=0.1)]
    assert markdown_table(rows).splitlines() == [
        "| model | esc50 (accuracy, %) | nsynth (accuracy, %) |",
        "|---|---:|---:|",
        "| byola-2022 | 50.0 [45.0, 55.1] | 62.5 [45.0, 55.1] |",
        "| yamnet | 80.0 [45.0, 55.1] | – |",
    ]


def test_namesakes_are_told_apart_by_what_differs() -> None:
    rows = [row(), row(diet="music"), row(diet=None), row(model="yamnet", weights_fingerprint="f")]
    assert score_tables(rows)[0].models == [
        "byola-2022 · speech",
        "byola-2022 · music",
        "byola-2022 · no diet",
        "yamnet",
    ]


def test_other_data_of_the_same_name_stands_in_its_own_column() -> None:
    rows = [row(), row(dataset_fingerprint="0f" * 32, value=0.9)]
    (table,) = score_tables(rows)
    assert table.tasks == ["esc50 (accuracy, data abc, %)", "esc50 (accuracy, data 0f0f0f0f, %)"]
    assert [cell and cell.value for cell in table.cells[0]] == [0.5, 0.9]


def test_the_first_metric_is_shown_unless_another_is_asked_for() -> None:
    rows = [row(), row(metric="balanced accuracy", value=0.4)]
    assert score_tables(rows)[0].tasks == ["esc50 (accuracy, %)"]
    assert score_tables(rows, metrics={"esc50": "balanced accuracy"})[0].tasks == ["esc50 (balanced accuracy, %)"]
    with pytest.raises(AuricleError, match="no summary of F1 on task esc50"):
        score_tables(rows, metrics={"esc50": "F1"})


def test_two_summaries_for_one_cell_are_refused() -> None:
    with pytest.raises(AuricleError, match="two summaries of accuracy on task esc50"):
        markdown_table([row(), row(value=0.6)])


def test_names_cannot_break_a_markdown_table() -> None:
    assert r'the "other" \| one' in markdown_table(ROWS)


SCORES = {"a": (0.9, 0.5), "b": (0.8, 0.5), "c": (0.2, 0.7)}
P_VALUES = {("a", "b"): (0.001, 0.9), ("a", "c"): (0.001, 0.02), ("b", "c"): (0.001, 0.3)}


def compared_table() -> ScoreTable:
    """Three models on two tasks: a is clearly best on esc50, on nsynth the test is not sure of anything."""
    rows = [
        row(model=model, diet=None, weights_fingerprint=None, task=task, value=value, ci_low=value - 0.1, ci_high=1.0)
        for model, values in SCORES.items()
        for task, value in zip(("esc50", "nsynth"), values, strict=True)
    ]

    def compare(title: str, scores: list[tuple[str, Result]]) -> list[Comparison]:
        values = {model: score.value for model, score in scores}
        position = 0 if title.startswith("esc50") else 1
        return [
            Comparison(title, a, b, values[a] - values[b], None, None, p[position]) for (a, b), p in P_VALUES.items()
        ]

    (table,) = score_tables(rows)
    return table.compared(compare)


def test_best_is_only_what_the_corrected_test_tells_from_all_others() -> None:
    table = compared_table()
    best = [[table.is_best(row, column) for column in range(2)] for row in range(3)]
    # On nsynth c leads, and 0.02 alone would do against a; three comparisons make it 0.06.
    assert best == [[True, False], [False, False], [False, False]]


def test_without_a_paired_test_nothing_is_best_and_the_table_says_why() -> None:
    (table,) = score_tables([row(model="a"), row(model="b", value=0.9)])
    assert not any(table.is_best(row, 0) for row in range(2))
    assert table.notes()[0].startswith("No paired test")
    assert "**" not in as_markdown([table])


def test_mean_ranks_share_ties_and_tallies_count_pairs() -> None:
    table = compared_table()
    # esc50: a 1, b 2, c 3; nsynth: c 1, a and b share 2 and 3.
    assert table.mean_ranks() == [1.75, 2.25, 2.0]
    assert table.tallies() == [Tally(2, 2, 0), Tally(1, 2, 1), Tally(0, 2, 2)]


def test_a_model_without_a_score_leaves_no_ranks() -> None:
    (table,) = score_tables([row(), row(task="nsynth"), row(model="b")])
    assert table.mean_ranks() is None


def test_the_lowest_error_ranks_first() -> None:
    rows = [row(model=model, metric="mean_absolute_error", value=value) for model, value in (("a", 0.5), ("b", 0.1))]
    (table,) = score_tables(rows)
    assert table.mean_ranks() == [2.0, 1.0]
    assert table.tasks == ["esc50 (mean absolute error)"]


def test_one_sentence_says_which_models_cannot_be_told_apart() -> None:
    assert compared_table().notes() == [
        "Cannot be told apart: a, b and c on nsynth "
        "(paired permutation test, Holm's correction over the models, p ≥ 0.05)."
    ]


def test_a_test_part_of_few_clusters_is_said_to_decide_nothing() -> None:
    def compare(clusters: int) -> list[str]:
        (table,) = score_tables([row(model=model, diet=None) for model in "abc"])
        pairs = [Comparison(table.tasks[0], a, b, 0.1, None, None, 0.04, clusters) for a, b in ("ab", "ac", "bc")]
        return table.compared(lambda *_: pairs).notes()

    # Of n clusters the smallest p is 2 / 2ⁿ, three times that after Holm: 0.09 for six, 0.047 for seven.
    assert any("has only 6 independent clusters" in note for note in compare(6))
    assert not any("independent speakers" in note for note in compare(7))


def test_local_copies_are_named_and_never_stand_beside_published_numbers() -> None:
    name = "speech-commands (local: 20 words, 6,000 clips)"
    (table,) = score_tables([row(task=name), row(task="esc50")])
    (note,) = table.notes()
    assert note.startswith(f"{name} is no published data set but a local copy")
    assert "must not be put beside published numbers" in note
    for write in (as_markdown, as_html, as_latex):
        assert "must not be put beside published numbers" in write([table])
        assert "(local: 20 words, 6,000 clips)" in write([table])
    assert "(local: 20 words, 6,000 clips)" in as_csv([table])


def test_every_protocol_has_its_own_table() -> None:
    tables = score_tables([row(), row(k=5), row(protocol="evar"), row(protocol="knn", k=5)])
    assert [table.protocol for table in tables] == ["ogg2025", "ogg2025, 5 shots", "evar", "knn"]


def test_csv_has_plain_numbers_that_a_reader_of_csv_gets_back() -> None:
    first, second, third = csv.DictReader(io.StringIO(as_csv([compared_table()])))
    assert float(first["esc50 (accuracy)"]) == 0.9
    assert float(first["esc50 (accuracy) low"]) == pytest.approx(0.8)
    assert (first["esc50 (accuracy) best"], second["esc50 (accuracy) best"]) == ("yes", "no")
    assert (third["model"], third["mean rank"], third["won"], third["tied"], third["lost"]) == (
        "c",
        "2.0",
        "0",
        "2",
        "2",
    )


class Cells(HTMLParser):
    """Collects a page's text and what is strong in it."""

    def __init__(self) -> None:
        super().__init__()
        self.path: list[str] = []
        self.text: list[str] = []
        self.strong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.path.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "strong" in self.path:
            self.strong.append(data)


def test_html_shows_names_as_they_are_and_the_best_in_bold() -> None:
    page = Cells()
    page.feed(as_html([*score_tables([row(model="<script>&")]), compared_table()]))
    assert page.path == []
    assert "<script>&" in page.text
    assert page.strong == ["90.0"]


def test_markdown_and_latex_have_the_best_in_bold() -> None:
    assert "| a | **90.0** [80.0, 100.0] | 50.0 [40.0, 100.0] | 1.8 | 2 · 2 · 0 |" in as_markdown([compared_table()])
    latex = as_latex([compared_table()])
    assert r"a & \textbf{90.0} {\footnotesize [80.0, 100.0]} & 50.0" in latex
    assert latex.count(r"\textbf") == 1


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    text = as_latex(score_tables([row(model="my_model 100% #1 & $x$ \\cmd{}")]))
    assert r"my\_model 100\% \#1 \& \$x\$ \textbackslash{}cmd\{\}" in text


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_every_model_and_task(name: str) -> None:
    text = FORMATS[name]([compared_table()])
    assert all(word in text for word in ("esc50", "nsynth", "accuracy"))


def test_lists_read_as_people_write() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
