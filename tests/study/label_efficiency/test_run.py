"""A whole label-efficiency study, tiny: what it trains, what it says, and that stopping it costs nothing."""

import json
from pathlib import Path

import pytest

from auricle import results
from auricle.errors import Interrupted
from auricle.settings import SettingsError
from auricle.study import events
from auricle.study.definition import load_study
from auricle.study.run import run_study


@pytest.fixture(scope="module")
def finished(tiny_study: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[events.Event]]:
    """The folder of the tiny study, and what it told."""
    out = tmp_path_factory.mktemp("labels") / "study"
    told: list[events.Event] = []
    run_study(load_study("label-efficiency", tiny_study), out, command="auricle study run tiny", report=told.append)
    return out, told


def test_both_starts_have_the_same_labels_and_their_own_search(finished) -> None:
    out, _ = finished
    rows = json.loads((out / "trainings.json").read_text())
    # Two shares; from scratch one rate, pre-trained two with the first seed; then the second seed at the best.
    assert len(rows) == 2 * (2 + 3)
    assert {(row["share"], row["clips"]) for row in rows} == {(1 / 3, 12), (1.0, 36)}
    for start, rates in (("from scratch", {0.003}), ("pre-trained", {0.001, 0.003})):
        for share in (1 / 3, 1.0):
            own = [row for row in rows if (row["start"], row["share"]) == (start, share)]
            first = [row for row in own if row["seed"] == 0]
            assert {row["learning_rate"] for row in first} == rates
            best = max(first, key=lambda row: row["valid"])
            assert [row["learning_rate"] for row in own if row["seed"] == 1] == [best["learning_rate"]]
    recipes = sorted(out.glob("stages/fine-tuning/event-*-0.333-seed1-*/recipe.yaml"))
    assert len(recipes) == 2
    scratch, pretrained = (path.read_text().splitlines() for path in recipes)
    apart = {line.partition(":")[0] for line in set(scratch) ^ set(pretrained)}
    assert apart <= {"model", "layer_decay", "learning_rate"}  # augmentation, stopping and labels are the same


def test_results_have_means_with_intervals_over_labels(finished) -> None:
    out, _ = finished
    rows = [row for row in results.read(out / "results.parquet") if row.metric == "accuracy"]
    summaries = results.summary(rows)
    assert len(summaries) == 4 and len(rows) == 4 * (1 + 2)
    for summary in summaries:
        seeds = [row.value for row in rows if row.seed is not None and (row.model, row.k) == (summary.model, summary.k)]
        assert summary.value == pytest.approx(sum(seeds) / 2)
        assert summary.ci_low is not None and summary.ci_low <= summary.value <= (summary.ci_high or 0)
    assert {row.k for row in summaries} == {12, 36}
    assert {row.model for row in summaries} == {"conformer-small from scratch", "conformer-small pre-trained"}


def test_the_number_is_said_and_the_figure_drawn(finished) -> None:
    out, told = finished
    end = told[-1]
    assert isinstance(end, events.End)
    assert any("with all 36 labels" in sentence for sentence in end.in_short)
    # Two epochs are no plateau, and the study does not pretend that they are.
    assert any("10 of 10 trainings ended before validation stood still" in sentence for sentence in end.in_short)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "auricle study run tiny" in page and "svg" in page and "from scratch" in page
    assert (out / "label-efficiency.png").read_bytes().startswith(b"\x89PNG")
    plan = [event.text for event in told if isinstance(event, events.Said)]
    assert plan[0].startswith("plan: 10 trainings: 1 task × 2 shares of the labels")
    assert not list(out.glob("stages/decoded/*")) and not list(out.glob("stages/fine-tuning/*/checkpoints"))


def test_stopped_within_a_training_it_goes_on_to_the_same_numbers(
    finished, tiny_study: tuple[str, ...], tmp_path: Path
) -> None:
    undisturbed, _ = finished
    study = load_study("label-efficiency", tiny_study)
    seen: list[str] = []

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Work) and "1 of the labels, pre-trained" in event.what:
            seen.append(event.what)
            if len(seen) == 3:  # begun, decoded or at its first epoch
                raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command goes on where it was"):
        run_study(study, tmp_path, report=stop)
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/fine-tuning/*/done.json")}
    assert 5 <= len(done) < 10
    run_study(study, tmp_path)
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    assert results.read(tmp_path / "results.parquet") == results.read(undisturbed / "results.parquet")
    again = run_study(study, tmp_path)
    assert again.stages == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("shares=[0.1, 0.5]", "`shares` rise to 1, which is all labels, got 0.1, 0.5"),
        ("claim=0.2", "`claim` is 0.2, which is none of the shares"),
        ("training.seed=3", "`seed` of the training follows from the study itself"),
        ("training.epoch=3", r"no key `epoch`; did you mean `epochs`\?"),
        ("scratch.training={mixup: -1}", "`mixup` is -1"),
        ("scratch.learning_rate=[1]", "no key `scratch.learning_rate`; did you mean `learning_rates`"),
        ("kind=label_efficiency", r"no kind of study is called 'label_efficiency'; did you mean label-efficiency\?"),
        ("diet=[]", "give `weights`, a pre-trained encoder, or `diet`"),
    ],
)
def test_what_is_wrong_is_named(change: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study("label-efficiency", [change])


def test_a_third_may_be_written_as_one() -> None:
    study = load_study("label-efficiency", ["shares=[1/10, 1/3, 1]"])
    assert study.model_dump()["shares"] == (0.1, 1 / 3, 1.0)
