"""The leak check of a user's own task as a finished stage: once for its clips and their division."""

from pathlib import Path
from typing import Any

from auricle.stages import Finished, Stage, Stages
from auricle.transfer.events import Report, Work
from auricle.transfer.frame_sets import recordings_of
from auricle.transfer.leaks import find_leaks
from auricle.transfer.task import Task

LEAKS_VERSION = 2
LEAKS = "leaks.parquet"


def leaks_of(stages: Stages, task: Task, *, workers: int | None, report: Report) -> Finished:
    """Look for leaks between the sides of a task, unless it is done; what was found are sentences and a table.

    Clips whose files are missing are left out: they cannot be scored either, and are reported with what is rejected.
    """

    def work(folder: Path) -> dict[str, Any]:
        def tell(what: str, share: float) -> None:
            report(Work("looking for leaks", f"{task.name}: {what}", min(99, int(100 * share)), 100))

        clips = recordings_of(task.manifest) if task.kind == "frames" else task.manifest
        there = [row for row, file in enumerate(clips.files) if file.is_file()]
        found = find_leaks(
            clips if len(there) == len(clips) else clips.select(there),
            group_noun=task.group_noun,
            work=folder,
            workers=workers,
            report=tell,
        )
        found.write(folder / LEAKS)
        report(Work("looking for leaks", "", 100, 100))
        kinds = set(found.table.column("kind").to_pylist())
        sentences = [text for kind, _, text in (said.partition(": ") for said in found.sentences) if kind in kinds]
        return {"sentences": sentences, "pairs": len(found.table)}

    inputs = {"sound": task.sound, "labels": task.fingerprint, "group": task.group_noun}
    return stages.run(Stage("leaks", task.name, LEAKS_VERSION, inputs), work, resumable=True, outputs=[LEAKS])
