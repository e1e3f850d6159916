"""What a person sees on the terminal while a command works: bars and single lines on stderr, made of library events.

Libraries report events and never print; this module, used by the command line alone, shows them.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from auricle import terminal
from auricle.datasets.download import Unpacking
from auricle.embedding import EmbedProgress, EmbedSummary
from auricle.explain import events as explain_events
from auricle.fetching import FetchProgress
from auricle.files import in_units
from auricle.finetuning import events as finetuning_events
from auricle.pretraining.events import Decoding, Event, Held, Note, Plan, Remark, Step
from auricle.score_formats import as_markdown
from auricle.score_tables import ScoreTable, format_cell
from auricle.study import events as study_events
from auricle.transfer import events as transfer_events
from auricle.transfer.predict import PredictSummary
from auricle.words import counted
from auricle.work_events import WorkEvent

NAMED_CLASSES = 8  # of a task, in the line about it
QUICK_SECONDS = 1.0  # work that took less leaves no line


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    """A line for each task: what, the bar, these columns, the time that is left, and last the status, of which a narrow
    terminal shows the beginning."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=min(20, max(4, console.width // 10))),
        *columns,
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=console,
        expand=True,
    )


class _TrainingBar:
    """One bar at a time, for decoding and then for training."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._progress = _bars(self.console)
        self._task: TaskID | None = None
        self._stage: type | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:  # a bar that was never shown would leave an empty line
            self._progress.stop()

    def _bar(self, stage: type, description: str, share: float, status: str) -> None:
        self._progress.start()  # only now: a bar that never had anything to show would leave an empty line
        if self._task is None or self._stage is not stage:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._stage = self._progress.add_task(description, total=1.0, status=""), stage
        self._progress.update(self._task, completed=share, status=status)


class PretrainingBar(_TrainingBar):
    """Shows a pre-training run: what was found, what is planned, then one bar; call it with the run's events."""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Held(step, watched):
                self.console.print(f"held out, step {step:,}: {watched}")
            case Decoding():
                self._bar(Decoding, "decoding", event.share, f"{event.share:.0%}")
            case Plan():
                self._plan(event)
            case Step():
                status = (
                    f"step {event.step:,}/{event.steps:,}  loss {event.loss:.3f}  {event.watched}  "
                    f"{event.clips_per_second:.0f} clips/s"
                )
                self._bar(Step, "training", event.step / event.steps, status)
            case Note():
                self.console.print(f"[yellow]warning:[/] {event.text}")
            case Remark():
                self.console.print(escape(event.text))

    def _plan(self, plan: Plan) -> None:
        rejected = f" · {plan.rejected:,} unreadable (rejected.csv)" if plan.rejected else ""
        files, clips = counted(plan.files, "file"), counted(plan.clips, "clip")
        self.console.print(f"{files} · {plan.hours:,.2f} h{rejected} · {clips}")
        if plan.padding_share > 0:
            self.console.print(f"padding: {plan.padding_share:.1%} of what training sees (clips shorter than a crop)")
        self.console.print(f"log-mel statistics: mean {plan.mean:.2f}, std {plan.std:.2f} (stored with the model)")
        start = f", from step {plan.first_step:,}" if plan.first_step else ""
        self.console.print(f"plan: {counted(plan.steps, 'step')} of {plan.batch_size}{start}")


class FineTuningBar(_TrainingBar):
    """Shows a fine-tuning run: what is planned, one bar, the test scores; call it with the run's events."""

    def __call__(self, event: finetuning_events.Event) -> None:
        """Show an event."""
        match event:
            case Decoding(share):
                self._bar(Decoding, "decoding", share, f"{share:.0%}")
            case finetuning_events.Plan():
                self._plan(event)
            case finetuning_events.Step():
                best = "" if event.best is None else f"  best {event.metric.replace('_', ' ')} {event.best:.1%}"
                status = (
                    f"step {event.step:,}/{event.steps:,}  loss {event.loss:.3f}{best}  "
                    f"{event.clips_per_second:.0f} clips/s"
                )
                self._bar(finetuning_events.Step, "training", event.step / event.steps, status)
            case Note(text):
                self.console.print(f"[yellow]warning:[/] {escape(text)}")
            case finetuning_events.End(summaries):
                if self._task is not None:
                    self._progress.stop()
                    self._task = None
                for result in summaries:
                    metric = result.metric.replace("_", " ")
                    self.console.print(escape(f"test {metric}: {format_cell(result)} % of {result.n:,} clips"))

    def _plan(self, plan: finetuning_events.Plan) -> None:
        rejected = f" · {plan.rejected:,} unreadable (rejected.csv)" if plan.rejected else ""
        clips = f"{plan.train:,} to train, {plan.valid:,} to select, {plan.test:,} to score"
        line = f"{plan.task}: {plan.classes:,} classes · clips: {clips}{rejected}"
        self.console.print(escape(line), soft_wrap=True)
        start = f", from step {plan.first_step:,}" if plan.first_step else ""
        self.console.print(
            f"plan: {plan.steps:,} steps of {plan.batch_size} crops of {plan.crop_seconds:.2f} s, "
            f"{plan.layers} layers and a head{start}"
        )


class EmbeddingBar:
    """Shows a bulk embedding as one bar, with seconds of audio per second; call it with the job's progress."""

    def __init__(self, what: str = "embedding", console: Console | None = None) -> None:
        self._what = what
        self._progress = _bars(console or Console(stderr=True, highlight=False))
        self._task: TaskID | None = None
        self._start = 0.0, 0.0  # when the first progress came, and the seconds it told of

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:  # a bar that was never shown would leave an empty line
            self._progress.stop()

    def __call__(self, now: EmbedProgress) -> None:
        """Show how far the job is."""
        if self._task is None:
            self._start = time.monotonic(), now.seconds
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=now.clips, status="")
        elapsed = time.monotonic() - self._start[0]
        speed = f"  {(now.seconds - self._start[1]) / elapsed:,.0f} s of audio per s" if elapsed > 1 else ""
        rejected = f"  {now.rejected:,} rejected" if now.rejected else ""
        status = f"{now.done:,}/{now.clips:,} clips  {now.seconds / 3600:,.2f} h{rejected}{speed}"
        self._progress.update(self._task, completed=now.done, status=status)


def embedding_summary(summary: EmbedSummary, what: str = "embeddings") -> str:
    """One line about a finished embeddings file, or another whose rows are `what`."""
    rejected = f" · {summary.rejected:,} rejected ({summary.rejected_path})" if summary.rejected else ""
    complete = " (complete already, nothing to do)" if summary.was_complete else ""
    hours = f"{summary.seconds / 3600:,.2f} h"
    return f"{summary.path}: {summary.rows:,} {what} of {summary.clips:,} clips · {hours}{rejected}{complete}"


def prediction_summary(summary: PredictSummary) -> str:
    """One line about a file of events."""
    scored = summary.scored
    rejected = f" · {scored.rejected:,} rejected ({scored.rejected_path})" if scored.rejected else ""
    complete = " (all had been heard before)" if scored.was_complete else ""
    events, heard = counted(summary.events, "event"), counted(summary.heard, "recording")
    windows = f"{scored.rows:,} windows in {scored.seconds / 3600:,.2f} h"
    return f"{summary.out}: {events} in {summary.recordings:,} of {heard} · {windows}{rejected}{complete}"


class WorkBar:
    """Shows long work of several kinds as one bar for each, leaves a line of what took time; call it with events."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._progress = _bars(self.console, TextColumn("{task.percentage:>3.0f} %"))
        self._task: TaskID | None = None
        self._kind = ""
        self._start = 0.0
        self._pieces = 0, 0  # of the kind of work that goes on: done, and of how many
        self._what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:  # a bar that was never shown would leave an empty line
            self._progress.stop()

    def _work(self, event: WorkEvent) -> None:
        """Show an event that every kind of long work has."""
        match event:
            case transfer_events.Work(kind, what, done, total):
                self._pieces, self._what = (done, total), what
                self._bar(escape(kind), done / total if total else 1.0, f"{done}/{total}  {escape(what)}")
                if done == total:
                    self._close()
            case transfer_events.Embedding(progress) if self._task is not None:
                done, total = self._pieces
                status = f"{done}/{total}  {escape(self._what)}: {progress.done:,}/{progress.clips:,} clips"
                self._bar(self._kind, (done + progress.done / max(1, progress.clips)) / total, status)
            case transfer_events.Share(share) if self._task is not None:
                done, total = self._pieces
                self._bar(self._kind, (done + share) / total, f"{done}/{total}  {escape(self._what)}")
            case transfer_events.Notice(text):
                self.console.print(f"[yellow]note:[/] {escape(text)}", soft_wrap=True)

    def _bar(self, kind: str, share: float, status: str) -> None:
        if self._task is None or self._kind != kind:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._progress.start()
            self._task = self._progress.add_task(kind, total=1.0, status=status)
            self._kind, self._start = kind, time.monotonic()
        self._progress.update(self._task, completed=share, status=status)

    def _close(self) -> None:
        """Leave one line of what took time."""
        seconds = time.monotonic() - self._start
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if seconds > QUICK_SECONDS:
            self._say(f"{self._kind}: done in {seconds:.0f} s")

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)


class TaskBar(WorkBar):
    """Shows a download, by its events, or a search for leaks, by :meth:`search`."""

    def __call__(self, event: FetchProgress | Unpacking) -> None:
        """Show how far a file is."""
        match event:
            case FetchProgress(name, done, total):
                of = "" if total is None else f" of {in_units(total)}"
                self._bar(f"fetching {escape(name)}", done / total if total else 0.0, f"{in_units(done)}{of}")
                if done == total:
                    self._close()
            case Unpacking(name, done, size):
                self._bar(f"unpacking {escape(name)}", min(0.99, done / max(1, size)), in_units(done))

    def search(self, what: str, share: float) -> None:
        """Show what is being looked at, and the share of it that is done."""
        self._bar(escape(what), share, "")


class StudyBar(WorkBar):
    """Shows a study: what it works on, one bar for all pre-training, one for each kind of work; call it with events."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self._first_loss: dict[int, float] = {}

    def __call__(self, event: study_events.Event) -> None:
        """Show an event."""
        match event:
            case study_events.Data():
                self._say(_data_line(event))
            case study_events.Said(text):
                self._say(escape(text))
            case study_events.Pretraining():
                self._pretraining(event)
            case study_events.End():
                pass
            case _:
                self._work(event)

    def _pretraining(self, event: study_events.Pretraining) -> None:
        of_kind = f"pre-training {event.recipe} ({event.runs} to do)"
        match event.event:
            case Step() as step:
                first = self._first_loss.setdefault(event.number, step.loss)
                share = (event.number - 1 + step.step / step.steps) / event.runs
                status = f"{event.diet}: {first:.2f} → {step.loss:.2f}  {step.clips_per_second:.0f} clips/s"
                self._bar(of_kind, share, escape(status))
                if event.number == event.runs and step.step == step.steps:
                    self._close()
            case Decoding(share):
                self._bar(of_kind, (event.number - 1) / event.runs, escape(f"{event.diet}: decoding {share:.0%}"))
            case Plan(rejected=rejected) if rejected:
                self.console.print(f"[yellow]note:[/] {rejected:,} files of {escape(event.diet)} cannot be read")
            case Note(text):
                self.console.print(f"[yellow]warning:[/] {escape(event.diet)}: {escape(text)}")


def _of_classes(classes: Sequence[str]) -> str:
    """Which classes, as far as they fit into a line."""
    if not classes:
        return ""
    named = ", ".join(classes[:NAMED_CLASSES]) + (", …" if len(classes) > NAMED_CLASSES else "")
    return f" of {len(classes)} class{'' if len(classes) == 1 else 'es'} ({named})"


class EvaluationBar(WorkBar):
    """Shows an evaluation: what is evaluated, one bar for each kind of work; call it with events."""

    def __call__(self, event: transfer_events.Event) -> None:
        """Show an event."""
        match event:
            case transfer_events.Plan(models, clips, classes):
                self._say(f"{counted(models, 'model')} on")
                for name, count in clips.items():
                    self._say(escape(f"  {name}: {count:,} clips{_of_classes(classes.get(name, ()))}"))
            case transfer_events.End():
                pass
            case _:
                self._work(event)


class ExplanationBar(WorkBar):
    """Shows an explanation: what is explained, one bar for each kind of work; call it with events."""

    def __call__(self, event: explain_events.Event) -> None:
        """Show an event."""
        match event:
            case explain_events.Plan(models, descriptors, clips):
                tasks = " · ".join(f"{name}: {count:,} clips" for name, count in clips.items())
                self._say(f"{counted(models, 'model')} × {descriptors} descriptors on {tasks}")
            case explain_events.Work() | explain_events.Embedding() | explain_events.Notice():
                self._work(event)


def explanation_summary(table: Path, report: Path) -> str:
    """What is said when an explanation is finished."""
    return f"table: {table}\nreport: {report}   open it in a browser"


def _data_line(data: study_events.Data) -> str:
    name = "sound world" if data.synthetic else "data"
    minutes = "" if data.seconds is None else f", {data.seconds / 60:,.0f} min of audio"
    tasks = "1 task" if data.tasks == 1 else f"{data.tasks} tasks"
    return f"{name}: {data.clips:,} clips, {tasks}{minutes}"


def study_summary(end: study_events.End) -> str:
    """What is said when a study is finished."""
    nothing = f"nothing to do: all {end.cached} stages were finished before\n" if not end.stages else ""
    found = "".join(f"{sentence}\n" for sentence in end.in_short)
    return f"{nothing}{found}results: {end.results}\nreport: {end.report}   open it in a browser"


def show_scores(tables: Sequence[ScoreTable]) -> None:
    """Score tables on stdout: for eyes on a terminal, as Markdown elsewhere."""
    console = Console(highlight=False)
    if console.is_terminal:
        terminal.show(tables, console)
    else:
        print(as_markdown(tables))
