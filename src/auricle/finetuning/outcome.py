"""What a fine-tuning run leaves: a model, a probe that uses it, and how good both are on the test part."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from auricle import results
from auricle.files import atomic_write
from auricle.finetuning import scoring
from auricle.finetuning.labelled_clips import LabelledClips
from auricle.finetuning.state import Run
from auricle.models.encoder import ModelCard
from auricle.results import Result
from auricle.transfer.fitted import FittedProbe
from auricle.transfer.fitting import calibrate
from auricle.transfer.saved_probe import save_probe
from auricle.transfer.splits import Partition
from auricle.transfer.targets import Targets
from auricle.transfer.task import Task

RESULTS_FILE = "results.parquet"
PREDICTIONS_FILE = "predictions.parquet"


def finish(run: Run, task: Task, part: Partition, targets: Targets, data: LabelledClips) -> list[Result]:
    """Score the best epoch on the test part, and write it as a model and a probe."""
    recipe, encoder, manifest = run.recipe, run.classifier.encoder, task.manifest
    run.classifier.load_state_dict(run.best)
    logits = run.predict(data, "test", precision="float32")
    calibrating = run.predict(data, "valid", precision="float32")
    rows = data.rows[data.test]
    clusters = next((manifest.column(name) for name in ("cluster", "group") if manifest.has(name)), None)
    row = partial(
        Result,
        model=recipe.model.rstrip("/"),
        weights_fingerprint=encoder.weights_fingerprint,
        task=task.name,
        dataset_fingerprint=manifest.fingerprint,
        protocol=recipe.label_of_protocol + (f", fold {part.fold}" if part.fold is not None else ""),
        n=len(rows),
    )
    found = scoring.score(targets, rows, logits, [clusters[at] if clusters else None for at in rows])
    summaries = []
    for position, metric in enumerate(found.names):
        low, high = found.ends(position, 0)
        summaries.append(row(metric=metric, value=float(found.values[position, 0]), ci_low=low, ci_high=high))
    if run.accelerator.is_main_process:
        encoder.name = f"{encoder.name}-{task.name.partition(' (')[0]}"
        encoder.card = _card(run, task, data, summaries)
        run.classifier.cpu()
        for parameter in run.classifier.unused:
            parameter.requires_grad_(True)
        encoder.save_pretrained(run.folder / "model")
        _save_head(run, task, part, targets, data, calibrating, summaries)
        write_predictions(run.folder / PREDICTIONS_FILE, rows, logits)
        results.write(run.folder / RESULTS_FILE, summaries)
    return summaries


def write_predictions(path: Path, rows: NDArray[np.int64], logits: NDArray[np.float32]) -> None:
    """Write the logits ``(n, outputs)`` of test clips beside their rows ``(n,)`` of the manifest."""
    flat = pa.array(logits.reshape(-1), pa.float32())
    table = pa.table({"row": rows, "logits": pa.FixedSizeListArray.from_arrays(flat, logits.shape[1])})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def read_predictions(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What :func:`write_predictions` wrote: rows, and their logits."""
    table = pq.read_table(path)
    logits = table.column("logits").combine_chunks()
    return table.column("row").to_numpy(), logits.flatten().to_numpy().reshape(len(table), -1)


def _save_head(
    run: Run,
    task: Task,
    part: Partition,
    targets: Targets,
    data: LabelledClips,
    logits: NDArray[np.float32],
    summaries: list[Result],
) -> None:
    """Write the head as a probe on the fine-tuned encoder, calibrated on the `logits` of the validation part."""
    weight, bias = run.classifier.folded_head()
    calibration, thresholds = calibrate(logits, targets, data.rows[data.valid])
    fitted = FittedProbe(
        weight=weight.numpy(),
        bias=bias.numpy(),
        classes=targets.classes,
        kind=targets.kind,
        seed=run.recipe.seed,
        fold=part.fold,
        learning_rate=run.recipe.learning_rate,
        weight_decay=run.recipe.weight_decay,
        calibration=calibration,
        thresholds=thresholds,
    )
    save_probe(
        run.folder / "probe",
        fitted,
        model=str(run.folder / "model"),
        weights_fingerprint=run.classifier.encoder.weights_fingerprint,
        manifest=task.manifest.select(data.rows[data.train]),
        task=task.name,
        protocol=run.recipe.label_of_protocol,
        scores={result.metric: result.value for result in summaries},
    )


def _card(run: Run, task: Task, data: LabelledClips, summaries: list[Result]) -> ModelCard:
    before = run.classifier.encoder.card
    return ModelCard(
        licence=f"{before.licence}; and that of the training data",
        source=f"{before.source}; fine-tuned by Auricle",
        data=f"{before.data}; {task.title}: {len(data.train):,} clips",
        recipe=run.recipe.model_dump(mode="json", exclude={"root"}),
        scores={f"{task.name} {result.metric}": result.value for result in summaries},
    )
