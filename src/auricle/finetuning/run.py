"""One fine-tuning run, from a model and a task to a model that knows the task: the loop that a person reads.

::

    auricle finetune byola-2022 --task digits --root data --out runs/digits
    torchrun --nproc-per-node 2 -m auricle finetune byola-2022 --task digits --root data --out runs/digits
    auricle finetune --resume runs/digits

The run's folder holds `recipe.yaml` (everything resolved), `metrics.jsonl`, `rejected.csv`, `checkpoints/` (the
training state), `model/` (the encoder of the best epoch) and at the end `results.parquet`. A run that is killed at any
moment and resumed gives the same weights as one that was not, bit for bit on a CPU with the same threads and versions.
"""

import copy
import shutil
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from auricle import clips as clips_module
from auricle import randomness, results
from auricle.clips import Crops
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock
from auricle.finetuning import scoring
from auricle.finetuning.augmentation import MaskedFrontEnd, mixup
from auricle.finetuning.classifier import Classifier, parameter_groups
from auricle.finetuning.events import Decoding, End, Note, Plan, Report, Step, say_nothing
from auricle.finetuning.labelled_clips import LabelledClips, Targets, measure, partition_of, targets_of
from auricle.finetuning.recipe import FineTuning, read_recipe
from auricle.models import registry
from auricle.models.depth import layers_in_order
from auricle.models.encoder import Encoder, ModelCard
from auricle.models.global_norm import sum_over_processes, use_global_batch_norm
from auricle.results import Result
from auricle.training import (
    MetricsFile,
    TrainingState,
    environment,
    environment_differences,
    keep_freed_memory,
    learning_rate_at,
    list_states,
    load_state,
    make_accelerator,
    optimizer_tensors,
    refuse_infinite_loss,
    restore_optimizer,
    save_state,
    stop_requests,
)
from auricle.transfer.splits import Partition
from auricle.transfer.task import Task
from auricle.transfer.task_source import Own, find_task

_RESULTS = "results.parquet"


@dataclass
class _Run:
    """What a checkpoint holds, and what the loop works on."""

    recipe: FineTuning
    folder: Path
    accelerator: Accelerator
    classifier: Classifier
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]  # the classifier's tensors at its best epoch
    best_score: float = -1.0
    best_step: int = 0
    step: int = 0

    def save(self) -> None:
        """Write the training state; the main process only."""
        tensors = {f"now.{name}": value for name, value in self.classifier.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= optimizer_tensors(self.optimizer)
        values = {name: getattr(self, name) for name in ("step", "best_score", "best_step")}
        state = TrainingState(tensors, {**values, "environment": environment()})
        save_state(self.folder / "checkpoints", self.step, state, keep=self.recipe.keep_checkpoints)

    def restore(self, state: TrainingState) -> None:
        """Go back to a state."""
        self.classifier.load_state_dict(_below("now.", state.tensors))
        device = self.accelerator.device
        self.best = {name: value.to(device) for name, value in _below("best.", state.tensors).items()}
        restore_optimizer(self.optimizer, state.tensors)
        for name in ("step", "best_score", "best_step"):
            setattr(self, name, state.values[name])

    def keep(self, score: float) -> None:
        """Take what the classifier is now as the best, when its validation score is better than all before."""
        if score > self.best_score:
            self.best = copy.deepcopy(self.classifier.state_dict())
            self.best_score, self.best_step = score, self.step


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def finetune(recipe: FineTuning, folder: Path, *, report: Report = say_nothing) -> Path:
    """Start a run in `folder`; returns the folder of the trained model.

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
    return _train(recipe, folder, report)


def resume(folder: Path, *, report: Report = say_nothing) -> Path:
    """Go on with the run in `folder` from its last checkpoint; returns the folder of the trained model."""
    recipe = read_recipe(folder / "recipe.yaml")
    if (folder / _RESULTS).exists():
        report(End(results.summary(results.read(folder / _RESULTS))))
        return folder / "model"
    return _train(recipe, folder, report)


def _train(recipe: FineTuning, folder: Path, report: Report) -> Path:
    keep_freed_memory()
    accelerator = make_accelerator(device=recipe.device, precision=recipe.precision, accumulate=recipe.accumulate)
    main = accelerator.is_main_process
    if not main:
        report = say_nothing
    recipe.rows_of(accelerator)  # refuses a batch that cannot be divided before any work
    own = Own(label=recipe.label, group=recipe.group, positive=recipe.positive)
    task = find_task(recipe.task, None if recipe.root is None else Path(recipe.root), own=own)
    part = partition_of(task, recipe.fold)
    targets = targets_of(task, part)
    encoder = registry.load(recipe.model, seed=recipe.seed)
    with ExitStack() as stack:
        if main:
            stack.enter_context(FolderLock(folder))
        states = list_states(folder / "checkpoints")
        accelerator.wait_for_everyone()  # nobody may write a state before all have looked
        run = _prepare(recipe, encoder, targets, folder, accelerator)
        data = _open_clips(run, task, part, report)
        crop_seconds = data.crop_seconds(recipe.crop_seconds, shortest=encoder.min_seconds)
        crops = Crops(
            data.clips,
            data.reader,
            crop_samples=round(crop_seconds * encoder.sample_rate),
            sampling="clip",
            padding="repeat",
            seed=recipe.seed,
            shortest=encoder.min_samples,
            members=data.train,
        )
        steps = max(1, round(recipe.epochs * len(crops) / recipe.batch_size))
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
        _loop(run, task, targets, data, crops, steps, metrics, report)
        summaries = _finish(run, task, part, targets, data)
        if main:
            shutil.rmtree(folder / "audio", ignore_errors=True)
        report(End(summaries))
    return folder / "model"


def _prepare(recipe: FineTuning, encoder: Encoder, targets: Targets, folder: Path, accelerator: Accelerator) -> _Run:
    """Classifier and optimiser on their device."""
    torch.manual_seed(recipe.seed)
    classifier = Classifier(encoder, outputs=targets.values.shape[1], exclusive=targets.exclusive)
    if accelerator.num_processes > 1:
        use_global_batch_norm(classifier)
    classifier.to(accelerator.device)
    groups = parameter_groups(classifier, layer_decay=recipe.layer_decay, weight_decay=recipe.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    return _Run(recipe, folder, accelerator, classifier, optimizer, best=copy.deepcopy(classifier.state_dict()))


def _open_clips(run: _Run, task: Task, part: Partition, report: Report) -> LabelledClips:
    """Find, measure and, when it fits, decode the task's clips."""
    recipe, main = run.recipe, run.accelerator.is_main_process
    measured = measure(task, part, sample_rate=run.classifier.encoder.sample_rate, workers=recipe.workers)
    cache = run.folder / "audio" if measured.fits(recipe.cache_gib) else None
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
    run: _Run,
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
    ends = {max(1, round((epoch + 1) * len(crops) / recipe.batch_size)) for epoch in range(recipe.epochs)} | {steps}
    truth = targets.values[data.rows[data.valid]]
    total, since, clock = torch.zeros((), device=accelerator.device), 0, time.perf_counter()
    with stop_requests() as stop, MaskedFrontEnd(classifier.encoder, recipe.specaugment, seed=recipe.seed) as masked:
        for passes, (waveform, clips) in enumerate(batches, start=run.step * recipe.accumulate):
            rate = learning_rate_at(
                run.step,
                peak=recipe.learning_rate,
                warmup=round(recipe.warmup * steps),
                total=steps,
                schedule="cosine",
            )
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            index = torch.arange(passes * batch, (passes + 1) * batch)
            sound, wanted = _mixed(run, waveform, targets.values[data.rows[clips.numpy()]], index, rows)
            masked.next(index[rows])
            _seed_dropout(recipe.seed, passes, accelerator.process_index)
            with accelerator.accumulate(network):
                loss = network(sound, wanted)
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
                valid = _score(run, task, truth, data) if epoch_ends else None
                if valid is not None:
                    run.keep(valid)
                state = Step(
                    step=run.step,
                    steps=steps,
                    epoch=run.step * recipe.batch_size / len(crops),
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
            if interrupted and run.step < steps:
                raise Interrupted(
                    f"stopped at step {run.step:,}; continue with: auricle finetune --resume {run.folder}"
                )


def _mixed(run: _Run, waveform: Tensor, wanted: Tensor, index: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
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


def _score(run: _Run, task: Task, truth: Tensor, data: LabelledClips) -> float:
    """The task's metric on the validation part."""
    scores = _predict(run, data, "valid", precision=run.recipe.precision)
    measured = scoring.measures(truth, scores, exclusive=run.classifier.exclusive)
    return float(measured[task.metric](None))


def _predict(run: _Run, data: LabelledClips, part: str, *, precision: str) -> Tensor:
    accelerator = run.accelerator
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    return scoring.predict(run.classifier, data, getattr(data, part), precision=precision, share=share)


def _finish(run: _Run, task: Task, part: Partition, targets: Targets, data: LabelledClips) -> list[Result]:
    """Score the best epoch on the test part, and write it as a model."""
    recipe, encoder, manifest = run.recipe, run.classifier.encoder, task.manifest
    run.classifier.load_state_dict(run.best)
    scores = _predict(run, data, "test", precision="float32")
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
    measured = scoring.measures(targets.values[rows], scores, exclusive=run.classifier.exclusive)
    summaries = scoring.results_of(measured, [clusters[at] if clusters else None for at in rows], row)
    if run.accelerator.is_main_process:
        encoder.name = f"{encoder.name}-{task.name}"
        encoder.card = _card(run, task, data, summaries)
        encoder.cpu().save_pretrained(run.folder / "model")
        results.write(run.folder / _RESULTS, summaries)
    return summaries


def _card(run: _Run, task: Task, data: LabelledClips, summaries: list[Result]) -> ModelCard:
    before = run.classifier.encoder.card
    return ModelCard(
        licence=f"{before.licence}; and that of the training data",
        source=f"{before.source}; fine-tuned by Auricle",
        data=f"{before.data}; {task.title}: {len(data.train):,} clips",
        recipe=run.recipe.model_dump(mode="json", exclude={"root"}),
        scores={f"{task.name} {result.metric}": result.value for result in summaries},
    )


def _plan(
    run: _Run, task: Task, part: Partition, targets: Targets, data: LabelledClips, crop_seconds: float, steps: int
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
