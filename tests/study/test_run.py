"""A whole study, from diets to the report: what it leaves, that it is done once."""

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import auricle
from auricle import results
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock
from auricle.study import events
from auricle.study.base import Study
from auricle.study.definition import load_study
from auricle.study.run import run_study


@pytest.fixture(scope="module")
def study(tiny: tuple[str, ...]) -> Study:
    return load_study("demo", tiny)


@pytest.fixture(scope="module")
def finished(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[events.Event]]:
    """The folder of the tiny study, and what it reported."""
    out = tmp_path_factory.mktemp("study") / "tiny"
    told: list[events.Event] = []
    run_study(study, out, command="auricle study run demo", report=told.append)
    return out, told


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def test_results_hold_every_encoder_on_every_task_with_an_interval(finished, study: Study) -> None:
    out, _ = finished
    rows = results.summary(results.read(out / "results.parquet"))
    assert results.read(out / "results.csv") == results.read(out / "results.parquet")
    encoders = {(row.model, row.diet, row.weights_fingerprint) for row in rows}
    assert len(encoders) == 2 * (1 + len(study.random_seeds)) + 1
    assert {row.diet for row in rows} == {"speech", "non-speech", None}
    for task, metric in (("event", "accuracy"), ("voice-activity", "average_precision")):
        scored = [row for row in rows if row.task == task and row.metric == metric]
        assert len(scored) == len(encoders)
        assert all(row.ci_low is not None and row.ci_low <= row.value <= (row.ci_high or 0) for row in scored)


def test_a_random_encoder_has_its_trained_selfs_front_end(finished) -> None:
    out, _ = finished
    for diet in ("speech", "non-speech"):
        (trained,) = out.glob(f"stages/pretraining/{diet}-seed0-*/model")
        selves = [auricle.load(folder) for folder in out.glob(f"stages/random/{diet}-seed*")]
        assert [encoder.statistics for encoder in selves] == [auricle.load(trained).statistics] * 2
        assert len({encoder.weights_fingerprint for encoder in selves}) == 2


def test_a_clip_that_several_tasks_share_is_embedded_once(finished) -> None:
    out, _ = finished
    files = list(out.glob("stages/embedding/*/vectors.npy"))
    assert len(files) == 7  # encoders; events are among the clips of voice activity
    assert {len(np.load(file)) for file in files} == {120}


def test_a_second_run_does_nothing(finished, study: Study) -> None:
    out, told = finished
    before = state_of(out)
    start = time.monotonic()
    end = run_study(study, out)
    assert time.monotonic() - start < 5
    assert state_of(out) == before
    first = told[-1]
    assert isinstance(first, events.End)
    assert (end.stages, end.cached) == (0, first.stages)


def test_another_task_does_not_train_again(finished, study: Study, tmp_path: Path) -> None:
    out, _ = finished
    again = study.model_copy(update={"tasks": ("event",), "map": None})
    before = state_of(out / "stages" / "pretraining") | state_of(out / "stages" / "probing")
    end = run_study(again, out)
    assert state_of(out / "stages" / "pretraining") | state_of(out / "stages" / "probing") == before
    assert end.stages > 0
    run_study(study, out)  # the other tests look at this one


def test_a_second_process_is_refused(study: Study, tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(AuricleError, match="is being written by process"):
        run_study(study, tmp_path)


def test_stopped_by_the_user_it_says_how_to_go_on(study: Study, tmp_path: Path) -> None:
    def stop(event: events.Event) -> None:
        if isinstance(event, events.Data):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command goes on where it was"):
        run_study(study, tmp_path, report=stop)
    assert not list(tmp_path.glob(".auricle-lock"))


class Loads(HTMLParser):
    """Collects what a page would load, and the tags that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "srcset")]


def test_the_report_loads_nothing_from_anywhere(finished) -> None:
    out, _ = finished
    page = (out / "report.html").read_text(encoding="utf-8")
    parser = Loads()
    parser.feed(page)
    assert all(value.startswith(("#", "data:")) for value in parser.loads)
    assert not {"link", "iframe", "object", "embed"} & set(parser.tags)
    assert not re.search(r"url\(['\"]?(?!#|data:)", page)
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert {"svg", "script", "table"} <= set(parser.tags) and "sound-map" in page


def test_the_report_says_how_it_was_made(finished) -> None:
    out, _ = finished
    page = (out / "report.html").read_text(encoding="utf-8")
    fingerprints = {row.weights_fingerprint for row in results.read(out / "results.parquet")}
    for words in ("auricle study run demo", auricle.__version__, *fingerprints):
        assert str(words) in page
    assert page.count("<figcaption>") == page.count("<figure>") == 5
    for heading in ("What the author expected", "How alike encoders are", "Does the diet have to match the task?"):
        assert f"<h2>{heading}</h2>" in page
    # eight steps teach nothing, and the report does not pretend otherwise
    assert "does not beat its random self" in page or "falls behind its random self" in page
