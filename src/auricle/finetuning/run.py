"""One fine-tuning run, from a model and a task to a model that knows the task: the loop that a person reads.

::

    auricle finetune byola-2022 --task digits --root data --out runs/digits
    torchrun --nproc-per-node 2 -m auricle finetune byola-2022 --task digits --root data --out runs/digits
    auricle finetune --resume runs/digits

The run's folder holds `recipe.yaml` (everything resolved), `metrics.jsonl`, `rejected.csv`, `checkpoints/` (the
training state) and at the end `model/` (the encoder of the best epoch), `probe/` (its head, for `auricle predict`) and
`results.parquet` and `predictions.parquet`. A run that is killed at any moment and resumed gives the same weights as
one that was not, bit for bit on a CPU with the same threads and versions.
"""

import copy
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from auricle import clips as clips_module
from auricle import processes, randomness, results, run_folder
from auricle.crops import Crops
from auricle.errors import AuricleError, Interrupted
from auricle.finetuning import scoring
from auricle.finetuning.augmentation import MaskedFrontEnd, mixup
from auricle.finetuning.classifier import Classifier, parameter_groups
from auricle.finetuning.events import Decoding, End, Note, Plan, Report, Step, say_nothing
from auricle.finetuning.labelled_clips import LabelledClips, learnable, measure, partition_of
from auricle.finetuning.outcome import RESULTS_FILE, finish
from auricle.finetuning.recipe import FineTuning, read_recipe
from auricle.finetuning.sampling import BalancedCrops, balancing_weights
from auricle.finetuning.state import FALL, Run
from auricle.models import registry
from auricle.models.depth import layers_in_order
from auricle.models.encoder import Encoder
from auricle.models.global_norm import sum_over_processes, use_global_batch_norm
from auricle.models.pooled import pooled
from auricle.training import (
    MetricsFile,
    environment_differences,
    keep_freed_memory,
    learning_rate_at,
    list_states,
    load_state,
    make_accelerator,
    refuse_infinite_loss,
    stop_requests,
)
from auricle.transfer.splits import Partition
from auricle.transfer.targets import Targets
from auricle.transfer.task import Task
from auricle.transfer.task_source import Own, find_task

EXCERPT_HOP = 1.0  # seconds, of a dataset whose clips are excerpts that overlap when it is scored


def finetune(
    recipe: FineTuning,
    folder: Path,
    *,
    task: Task | None = None,
    decoded: Path | None = None,
    report: Report = say_nothing,
) -> Path:
    """Start a run in `folder`; returns the folder of the trained model.

    Parameters
    ----------
    recipe
        What to do.
    folder
        Of the run.
    task
        What the recipe's task is, where that is known already.
    decoded
        Folder where the task's decoded audio is to be kept for other runs on the same task and fold; by default it lies
        in the run's folder while the run goes on.
    report
        Is told what happens.

    Raises
    ------
    AuricleError
        When the folder already holds a run, model or task cannot be used, or the loss is no longer finite.
    Interrupted
        After Ctrl-C or SIGTERM, when the state has been saved.
    """
    if (folder / "recipe.yaml").exists():
        raise AuricleError(
            f"{folder} already holds a run; continue it with: auricle finetune --resume {folder}, "
            "or choose another folder"
        )
    with processes.in_contact(f"auricle finetune --resume {folder}"):
        return _train(recipe, folder, task, decoded, report)


def resume(
    folder: Path, *, task: Task | None = None, decoded: Path | None = None, report: Report = say_nothing
) -> Path:
    """Go on with the run in `folder` from its last checkpoint; returns the folder of the trained model."""
    recipe = read_recipe(folder / "recipe.yaml")
    if (folder / RESULTS_FILE).exists():
        report(End(results.summary(results.read(folder / RESULTS_FILE))))
        return folder / "model"
    with processes.in_contact(f"auricle finetune --resume {folder}"):
        return _train(recipe, folder, task, decoded, report)


def _train(recipe: FineTuning, folder: Path, task: Task | None, decoded: Path | None, report: Report) -> Path:
    keep_freed_memory()
    accelerator = make_accelerator(device=recipe.device, precision=recipe.precision, accumulate=recipe.accumulate)
    main = accelerator.is_main_process
    if not main:
        report = say_nothing
    recipe.rows_of(accelerator)  # refuses a batch that cannot be divided before any work
    task = (task or _task_of(recipe)).listed()
    part = partition_of(task, recipe.fold)
    targets = learnable(task, part)
    encoder = pooled(registry.load(recipe.model, seed=recipe.seed), pooling=recipe.pooling)
    with run_folder.owned(folder, say=lambda text: report(Note(text))):
        states = list_states(folder / "checkpoints")
        accelerator.wait_for_everyone()  # nobody may write a state before all have looked
        run = _prepare(recipe, encoder, targets, folder, accelerator)
        data = _open_clips(run, task, part, decoded or folder / "audio", report)
        crop_seconds = data.crop_seconds(recipe.crop_seconds, shortest=encoder.min_seconds)
        data = data.with_share(targets, recipe.label_share, seed=recipe.seed)
        crops = _crops(recipe, encoder, targets, data, crop_seconds)
        steps = max(1, round(recipe.epochs * (recipe.epoch_clips or len(crops)) / recipe.batch_size))
        if states:
            state = load_state(states[-1])
            run.restore(state)
            for difference in environment_differences(state.values["environment"]):
                report(Note(f"not bit for bit the run that was interrupted: {difference}"))
        metrics = MetricsFile(folder / "metrics.jsonl")
        if main:
            metrics.cut_back(run.step)
            if not states:
                recipe.write(folder / "recipe.yaml")
                run.save()
        report(_plan(run, task, part, targets, data, crop_seconds, steps))
        if not run.stopped:
            _loop(run, task, targets, data, crops, steps, metrics, report)
        summaries = finish(run, task, part, targets, data)
        if main:
            shutil.rmtree(folder / "audio", ignore_errors=True)
        report(End(summaries))
    return folder / "model"


def _task_of(recipe: FineTuning) -> Task:
    """The task that a recipe names."""
    own = Own(label=recipe.label, group=recipe.group, positive=recipe.positive)
    return find_task(recipe.task, None if recipe.root is None else Path(recipe.root), own=own, hop=EXCERPT_HOP)


def _prepare(recipe: FineTuning, encoder: Encoder, targets: Targets, folder: Path, accelerator: Accelerator) -> Run:
    """Classifier and optimiser on their device."""
    torch.manual_seed(recipe.seed)
    classifier = Classifier(encoder, outputs=targets.outputs, exclusive=targets.kind == "multi-class")
    if accelerator.num_processes > 1:
        use_global_batch_norm(classifier)
    classifier.to(accelerator.device)
    groups = parameter_groups(classifier, layer_decay=recipe.layer_decay, weight_decay=recipe.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    return Run(recipe, folder, accelerator, classifier, optimizer, best=copy.deepcopy(classifier.state_dict()))


def _crops(recipe: FineTuning, encoder: Encoder, targets: Targets, data: LabelledClips, crop_seconds: float) -> Crops:
    """The training crops, all clips alike or rare classes more often."""
    options: dict[str, Any] = {
        "crop_samples": round(crop_seconds * encoder.sample_rate),
        "sampling": "clip",
        "padding": "repeat",
        "seed": recipe.seed,
        "shortest": encoder.min_samples,
        "members": data.train,
    }
    if recipe.balance == 0:
        return Crops(data.clips, data.reader, **options)
    weights = balancing_weights(targets.indicator[data.rows[data.train]], power=recipe.balance)
    return BalancedCrops(data.clips, data.reader, weights=weights, **options)


def _open_clips(run: Run, task: Task, part: Partition, decoded: Path, report: Report) -> LabelledClips:
    """Find, measure and, when it fits, decode the task's clips."""
    recipe, main = run.recipe, run.accelerator.is_main_process
    measured = measure(task, part, sample_rate=run.classifier.encoder.sample_rate, workers=recipe.workers)
    cache = decoded if measured.fits(recipe.cache_gib) else None
    if cache is not None:
        if main:
            for share in measured.decode(cache, workers=recipe.workers):
                report(Decoding(share))
        run.accelerator.wait_for_everyone()
    clips, reader = measured.open(cache)
    if main:
        clips_module.write_rejected(clips.rejected, run.folder / "rejected.csv")
    return LabelledClips.of(task, part, clips, reader)


def _loop(
    run: Run,
    task: Task,
    targets: Targets,
    data: LabelledClips,
    crops: Crops,
    steps: int,
    metrics: MetricsFile,
    report: Report,
) -> None:
    """Train from the run's step to `steps`."""
    recipe, accelerator, classifier = run.recipe, run.accelerator, run.classifier
    network, optimizer = accelerator.prepare(classifier, run.optimizer)
    network.train()
    batch = recipe.batch_size // recipe.accumulate
    rows = recipe.rows_of(accelerator)
    batches = crops.batches(
        run.step * recipe.batch_size, batch, (steps - run.step) * recipe.accumulate, rows=rows, workers=recipe.workers
    )
    # Epochs end between two steps; clips go on in one stream.
    epoch_clips = recipe.epoch_clips or len(crops)
    ends = {max(1, round((epoch + 1) * epoch_clips / recipe.batch_size)) for epoch in range(recipe.epochs)} | {steps}
    wanted = torch.from_numpy(targets.indicator).float()
    total, since, clock = torch.zeros((), device=accelerator.device), 0, time.perf_counter()
    with stop_requests() as stop, MaskedFrontEnd(classifier.encoder, recipe.specaugment, seed=recipe.seed) as masked:
        for passes, (waveform, clips) in enumerate(batches, start=run.step * recipe.accumulate):
            rate = _learning_rate(run, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            index = torch.arange(passes * batch, (passes + 1) * batch)
            sound, shares = _mixed(run, waveform, wanted[data.rows[clips.numpy()]], index, rows)
            masked.next(index[rows])
            _seed_dropout(recipe.seed, passes, accelerator.process_index)
            with accelerator.accumulate(network):
                loss = network(sound, shares)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.detach() / recipe.accumulate
            if not accelerator.sync_gradients:
                continue
            run.step += 1
            since += 1

            interrupted = bool(sum_over_processes(torch.tensor(float(stop.is_set()))) > 0)
            epoch_ends = run.step in ends
            checkpoint = run.step % recipe.checkpoint_every == 0 or epoch_ends or interrupted
            if checkpoint or run.step % recipe.log_every == 0:
                mean_loss = float(sum_over_processes(total)) / since / accelerator.num_processes
                seconds = time.perf_counter() - clock
                refuse_infinite_loss(
                    mean_loss,
                    step=run.step,
                    checkpoints=run.folder / "checkpoints",
                    learning_rate=recipe.learning_rate,
                )
                valid = _score(run, task, targets, data) if epoch_ends else None
                if valid is not None:
                    run.keep(valid)
                state = Step(
                    step=run.step,
                    steps=steps,
                    epoch=run.step * recipe.batch_size / epoch_clips,
                    loss=mean_loss,
                    learning_rate=rate,
                    clips_per_second=since * recipe.batch_size / seconds,
                    metric=task.metric,
                    valid=valid,
                    best=run.best_score if run.best_step else None,
                )
                if accelerator.is_main_process:
                    metrics.append(asdict(state))
                report(state)
                total, since, clock = torch.zeros_like(total), 0, time.perf_counter()
            if checkpoint:
                if accelerator.is_main_process:
                    run.save()
                accelerator.wait_for_everyone()
                clock = time.perf_counter()
            if run.stopped:
                break
            if interrupted and run.step < steps:
                raise Interrupted(
                    f"stopped at step {run.step:,}; continue with: auricle finetune --resume {run.folder}"
                )


def _learning_rate(run: Run, steps: int) -> float:
    """Of the head, in the step that comes."""
    recipe = run.recipe
    schedule = "cosine" if recipe.schedule == "cosine" else "constant"
    warmup = round(recipe.warmup * steps)
    rate = learning_rate_at(run.step, peak=recipe.learning_rate, warmup=warmup, total=steps, schedule=schedule)
    return rate * FALL**run.falls


def _mixed(run: Run, waveform: Tensor, wanted: Tensor, index: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """This process's rows of a batch, mixed with others of the global batch where the recipe says so."""
    recipe, accelerator = run.recipe, run.accelerator
    waveform, wanted = waveform.to(accelerator.device), wanted.to(accelerator.device)
    if recipe.mixup == 0:
        return waveform, wanted
    waveform, wanted = mixup(
        accelerator.gather(waveform), accelerator.gather(wanted), index, alpha=recipe.mixup, seed=recipe.seed
    )
    return waveform[rows], wanted[rows]


def _seed_dropout(seed: int, passes: int, process: int) -> None:
    """Make what is random within the encoder a function of the step, so that a resumed run draws the same."""
    key = randomness.keys(seed, f"dropout of process {process}", torch.tensor([passes]))
    torch.manual_seed(int(key))


def _score(run: Run, task: Task, targets: Targets, data: LabelledClips) -> float:
    """The task's metric on the validation part."""
    logits = run.predict(data, "valid", precision=run.recipe.precision)
    found = scoring.score(targets, data.rows[data.valid], logits)
    return float(found.values[found.names.index(task.metric), 0])


def _plan(
    run: Run, task: Task, part: Partition, targets: Targets, data: LabelledClips, crop_seconds: float, steps: int
) -> Plan:
    return Plan(
        task=task.name if part.fold is None else f"{task.name}, fold {part.fold} tested",
        train=len(data.train),
        valid=len(data.valid),
        test=len(data.test),
        rejected=len(data.clips.rejected),
        classes=len(targets.classes),
        layers=len(layers_in_order(run.classifier.encoder)),
        crop_seconds=crop_seconds,
        steps=steps,
        batch_size=run.recipe.batch_size,
        first_step=run.step,
    )
