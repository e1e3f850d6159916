"""A whole label-efficiency study, tiny: what it trains, what it says, and that stopping it costs nothing."""

import json
from collections import Counter
from pathlib import Path

import pytest

from auricle import results, synth
from auricle.errors import Interrupted
from auricle.manifest import Manifest
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


def test_the_number_is_said_and_the_figure_drawn(finished, tiny_study: tuple[str, ...]) -> None:
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
    assert "with 95 % bootstrap intervals over clusters of test clips and seeds" in page
    assert "An epoch is as many clips as the training part has, at every share." in page
    assert (
        load_study(str(out / "study.yaml"), []).model_dump() == load_study("label-efficiency", tiny_study).model_dump()
    )
    assert not list(out.glob("stages/decoded/*")) and not list(out.glob("stages/fine-tuning/*/checkpoints"))


def test_of_one_cluster_there_is_no_interval_and_the_page_says_so(weights: Path, tmp_path: Path) -> None:
    """Each part one site: another site's clips may differ by more than those of this one do, and by more than seeds."""
    world = synth.make(tmp_path / "data", clips=120, seed=3)
    event = Manifest.read(world.tasks["event"])
    labels, counts = event.column("label"), Counter[str]()
    rows = []
    for path, label in zip(event.column("path"), labels, strict=True):
        counts[label] += 1
        split = ("train", "train", "valid", "test")[counts[label] % 4]
        rows.append({"path": path, "label": label, "split": split, "group": f"site of {split}"})
    Manifest.from_rows(rows, root=event.root).write(event.root / "sites.csv")
    given = (f"data={event.root}", f"weights={weights}", "tasks=[sites.csv]", "shares=[0.5, 1]", "seeds=[0, 1]")
    short = "training={epochs: 1, batch_size: 16, workers: 1, precision: float32, epoch_clips: 24}"
    rates = ("scratch.learning_rates=[0.003]", "pretrained.learning_rates=[0.003]")
    study = load_study("label-efficiency", (*given, short, *rates))
    end = run_study(study, tmp_path / "out")
    summaries = results.summary(results.read(tmp_path / "out" / "results.parquet"))
    assert summaries and all(row.ci_low is None and row.ci_high is None for row in summaries)
    assert any("the test part is one cluster, clips that belong together: no interval" in one for one in end.in_short)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    caption = page.partition("<figcaption>")[2].partition("</figcaption>")[0]
    assert "The test part of sites is one cluster: no interval." in caption
    assert "bootstrap" not in caption and "band" not in caption and "Replicates of the bootstrap" not in page
    reached = not any("does not reach" in sentence for sentence in end.in_short)
    assert ("diamond" in caption) == reached
    assert "An epoch is 24 clips, at every share." in page


def test_what_is_planned_is_said_before_pretraining_begins(tiny_study: tuple[str, ...], tmp_path: Path) -> None:
    """And that there is some: decoding and training take minutes."""
    own = [change for change in tiny_study if not change.startswith("weights=")]
    study = load_study("label-efficiency", [*own, "diet=[speech, non-speech]", "pretraining.overrides.workers=1"])
    told: list[events.Event] = []

    def stop(event: events.Event) -> None:
        told.append(event)
        if isinstance(event, events.Pretraining):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run_study(study, tmp_path, report=stop)
    said = [event.text for event in told if isinstance(event, events.Said)]
    assert said[0].startswith("plan: 10 trainings")
    assert said[-1].startswith("  first, pre-training: 1,200 steps of conformer-small on speech, non-speech")


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
        ("claim=0.2", r"`claim` is 0.2, which is none of the shares \(1/10, 1/3, 2/3, 1\): leave it out, or give one"),
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


def test_shares_are_compared_at_the_one_nearest_to_a_third() -> None:
    assert load_study("label-efficiency", ["shares=[0.3, 1]"]).model_dump()["claim"] == 0.3
    assert load_study("label-efficiency", []).model_dump()["claim"] == 1 / 3
    assert load_study("label-efficiency", ["shares=[0.25, 1/2, 1]", "claim=1/2"]).model_dump()["claim"] == 0.5


def test_a_third_may_be_written_as_one() -> None:
    study = load_study("label-efficiency", ["shares=[1/10, 1/3, 1]"])
    assert study.model_dump()["shares"] == (0.1, 1 / 3, 1.0)
