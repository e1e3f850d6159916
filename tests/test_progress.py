"""What a terminal shows while a command works."""

import io

import pytest
from rich.console import Console

from auricle.embedding import EmbedProgress
from auricle.pretraining.events import Step
from auricle.progress import EmbeddingBar, EvaluationBar, PretrainingBar, WorkBar
from auricle.transfer import events

STEP = Step(
    step=12_345,
    steps=100_000,
    epoch=12.0,
    loss=1.39,
    learning_rate=1e-4,
    clips_per_second=260.0,
    monitors={},
    watched="spread 0.0561  rank 106/256",
)


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def last_line(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().split("\r")[-1].strip("\n")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_narrow_terminal_cuts_the_end_of_what_is_said_and_never_the_time_that_is_left(width: int) -> None:
    console = terminal(width)
    with PretrainingBar(console) as bar:
        bar(STEP)
    line = last_line(console)
    assert "training" in line
    assert "--:--" in line  # nothing to reckon it from yet
    assert "step 12,345/100,000  loss" in line
    assert ("260 clips/s" in line) == (width == 200)

    console = terminal(width)
    with EmbeddingBar("embedding", console) as shown:
        shown(EmbedProgress(99_999, 100_000, 9e6, 0))
    assert "--:--" in last_line(console)
    assert "99,999/100,000" in last_line(console)

    console = terminal(width)
    with WorkBar(console) as work:
        work._work(events.Work("looking for leaks", "a-task-with-a-long-name", 1, 2))
    assert "50 %" in last_line(console)
    assert "1/2  a-task" in last_line(console)


def test_a_long_piece_of_work_moves_the_bar_before_it_is_done() -> None:
    console = terminal(120)
    with WorkBar(console) as bar:
        bar._work(events.Work("probing", "esc50, byola-2022", 0, 2))
        assert "  0 %" in last_line(console)
        bar._work(events.Share(0.5))
    assert " 25 %" in last_line(console)


def test_an_evaluation_names_the_classes_of_ones_own_labels(capsys: pytest.CaptureFixture[str]) -> None:
    bar = EvaluationBar(Console(highlight=False, width=200))
    many = [str(number) for number in range(20)]
    bar(events.Plan(1, {"frogs": 440, "esc50": 2000, "many": 99}, {"frogs": ("frog", "other"), "many": many}))
    assert capsys.readouterr().out.splitlines() == [
        "1 model on",
        "  frogs: 440 clips of 2 classes (frog, other)",
        "  esc50: 2,000 clips",
        "  many: 99 clips of 20 classes (0, 1, 2, 3, 4, 5, 6, 7, …)",
    ]
