"""What the embeddings of every row of an ablation do not change with: level, noise, pitch and speed."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auricle import audio
from auricle.audio import Waveform
from auricle.explain.invariance import ALTERATIONS, Alteration, Invariance, invariance
from auricle.files import atomic_write
from auricle.stages import Stage
from auricle.study.ablation.definition import Ablation
from auricle.study.ablation.outcome import Outcome, VariantEncoder
from auricle.study.analyses import choose_clips
from auricle.study.session import Session
from auricle.transfer.task import Task, clips_of

VERSION = 1
INVARIANCE = "invariance.csv"
_COLUMNS = ("row", "seed", "alteration", "amount", "moved", "ci_low", "ci_high", "found", "clips")


def measured(
    study: Ablation, session: Session, encoders: Sequence[VariantEncoder], tasks: Sequence[Task]
) -> Mapping[str, list[list[Invariance]]]:
    """What every encoder does not change with, seed by seed, by the titles of rows; nothing where it is not asked for.

    Clips are drawn at random from the part of the task that selects probes.
    """
    if study.invariance is None:
        return {}
    wanted = study.invariance.task
    task = next(task for task in tasks if wanted in (None, task.short_name))
    rows = choose_clips(task, part="valid", clips=study.invariance.clips, seed=study.seed)
    found: dict[str, list[list[Invariance]]] = defaultdict(list)
    for encoder in session.each("altering clips", encoders, lambda encoder: encoder.label):

        def work(folder: Path, encoder: VariantEncoder = encoder) -> dict[str, Any]:  # noqa: ARG001
            model = encoder.load(session.device)
            waveforms = _waveforms(task, rows, model.sample_rate)
            return {"found": [asdict(one) for one in invariance(model, waveforms, seed=study.seed)]}

        inputs = {
            "weights": encoder.fingerprint,
            "sound": task.sound,
            "rows": rows.tolist(),
            "alterations": [asdict(alteration) for alteration in ALTERATIONS],
            "seed": study.seed,
        }
        done = session.stages.run(Stage("invariance", f"{task.name}-{encoder.label}", VERSION, inputs), work)
        found[encoder.variant.title].append(
            [Invariance(**{**one, "alteration": Alteration(**one["alteration"])}) for one in done.facts["found"]]
        )
    return found


def _waveforms(task: Task, rows: Any, sample_rate: int) -> list[Waveform]:
    found = []
    for path, start, end in clips_of(task.select(rows)):
        duration = None if end is None else end - start
        try:
            found.append(audio.read(Path(path), sample_rate=sample_rate, offset=start, duration=duration))
        except audio.AudioError:  # said already, when it was embedded
            continue
    return found


def write_invariance(outcome: Outcome, path: Path) -> None:
    """Write every number as CSV, all or nothing."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for title, seeds in outcome.altered.items():
            for seed, found in zip(outcome.study.pretraining.seeds, seeds, strict=True):
                writer.writerows(
                    [
                        title,
                        seed,
                        one.alteration.what,
                        one.alteration.amount,
                        *(f"{value:.6g}" for value in (one.moved, one.ci_low, one.ci_high, one.found)),
                        one.clips,
                    ]
                    for one in found
                )
