"""One pre-training run, from clips to an encoder: the loop that a person reads.

::

    auricle pretrain byola-2022 data=/field --out runs/forest
    torchrun --nproc-per-node 2 -m auricle pretrain byola-2022 data=/field --out runs/forest
    auricle pretrain --resume runs/forest

The run's folder holds `recipe.yaml` (everything resolved), `metrics.jsonl`, `rejected.csv`, `checkpoints/` (the
training state) and `model/` (the online encoder, loadable at any time). A run that is killed at any moment and resumed
gives the same weights as one that was not, bit for bit on a CPU with the same threads and versions.
"""

import itertools
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from auricle import processes, run_folder
from auricle.clips import remove_decoded
from auricle.crops import Crops
from auricle.errors import AuricleError, Interrupted
from auricle.models import registry
from auricle.models.architectures import ARCHITECTURES
from auricle.models.encoder import ModelCard
from auricle.models.global_norm import sum_over_processes, use_global_batch_norm
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining import agreement, corpus
from auricle.pretraining.batches import Batches
from auricle.pretraining.byol_objective import ByolObjective
from auricle.pretraining.cola_objective import ColaObjective
from auricle.pretraining.events import Event, Held, Note, Plan, Remark, Report, Step
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.recipe import Recipe, RecipeError, load_recipe
from auricle.pretraining.start import AUDIO, folder_undone, undone
from auricle.pretraining.validation import Validation
from auricle.pretraining.wav2vec_objective import Wav2VecObjective
from auricle.processes import gather_rows, rows_of_batch
from auricle.training import (
    MetricsFile,
    TrainingState,
    environment,
    environment_differences,
    keep_freed_memory,
    learning_rate_at,
    make_accelerator,
    optimizer_tensors,
    refuse_infinite_loss,
    restore_optimizer,
    save_state,
    stop_requests,
)

OBJECTIVES: dict[str, type[Objective]] = {"byol": ByolObjective, "cola": ColaObjective, "wav2vec2": Wav2VecObjective}
COLLAPSE_AFTER = 50  # steps; the first ones say nothing


def _say_nothing(event: Event) -> None:
    """The default report."""


@dataclass
class _Run:
    """What a checkpoint holds, and what the loop works on."""

    recipe: Recipe
    folder: Path
    accelerator: Accelerator
    encoder: NormalisedEncoder
    objective: Objective
    optimizer: torch.optim.Optimizer
    steps: int
    step: int = 0

    def save(self) -> None:
        """Write the training state and the model; the main process only."""
        prefix = f"{self.recipe.objective}."
        tensors = {f"{prefix}{name}": value for name, value in self.objective.network.state_dict().items()}
        memory, memory_values = self.objective.memory()
        tensors |= optimizer_tensors(self.optimizer) | memory
        statistics = {"mean": float(self.encoder.mean), "std": float(self.encoder.std)}
        length = {"step": self.step, "steps": self.steps, "epochs": self.recipe.epochs}
        values = {**length, "environment": environment(), **memory_values, **statistics}
        save_state(
            self.folder / "checkpoints", self.step, TrainingState(tensors, values), keep=self.recipe.keep_checkpoints
        )
        self.encoder.save_pretrained(self.folder / "model")

    def restore(self, state: TrainingState) -> None:
        """Go back to a state."""
        prefix = f"{self.recipe.objective}."
        network = {name.removeprefix(prefix): t for name, t in state.tensors.items() if name.startswith(prefix)}
        self.objective.network.load_state_dict(network)
        restore_optimizer(self.optimizer, state.tensors)
        self.objective.remember(state.tensors, state.values)
        self.encoder.set_statistics(mean=state.values["mean"], std=state.values["std"])
        self.step = state.values["step"]


def build_encoder(recipe: Recipe) -> NormalisedEncoder:
    """The encoder that a recipe asks for: from existing weights (`init`) or random ones of its seed."""
    if recipe.init is not None:
        encoder = registry.load(recipe.init, seed=recipe.seed)
    else:
        values = dict(recipe.encoder)
        name = str(values.pop("architecture"))
        if name not in ARCHITECTURES:
            raise RecipeError(f"{recipe.name}: no architecture {name!r}; there are {', '.join(ARCHITECTURES)}")
        torch.manual_seed(recipe.seed)
        encoder = ARCHITECTURES[name].from_config(values)
    family = OBJECTIVES[recipe.objective].family
    if not isinstance(encoder, family):
        names = [name for name, known in ARCHITECTURES.items() if issubclass(known, family)]
        raise RecipeError(f"{recipe.name}: {recipe.objective} pre-trains {' and '.join(names)}, not {encoder.name}")
    return encoder


def pretrain(recipe: Recipe, folder: Path, *, go_on: bool = False, report: Report = _say_nothing) -> Path:
    """Start a run in `folder`; returns the folder of the trained model.

    Parameters
    ----------
    recipe
        What to do.
    folder
        Of the run; all processes must see the same one.
    go_on
        Go on with the run that the folder holds, if it is one of the same recipe.
    report
        Is told what happens.

    Raises
    ------
    AuricleError
        When the folder already holds a run, no audio is usable, the loss is no longer finite, or the processes that
        train together differ in what they were given, or lose each other.
    Interrupted
        After Ctrl-C or SIGTERM, when the state has been saved, or before there was one.
    """
    with processes.in_contact(_resumption(folder)), folder_undone(folder):
        with processes.all_or_none():
            if (folder / "recipe.yaml").exists():
                _refuse_another_run(recipe, folder, go_on=go_on)
            elif (folder / "config.json").exists():
                raise AuricleError(
                    f"{folder} holds a model already, which would be loaded in place of the trained one: choose "
                    "another folder"
                )
        return _train(recipe, folder, report)


def resume(folder: Path, *, report: Report = _say_nothing) -> Path:
    """Go on with the run in `folder` from its last checkpoint; returns the folder of the trained model."""
    with processes.in_contact(_resumption(folder)):
        with processes.all_or_none():
            if not (folder / "recipe.yaml").exists():
                raise AuricleError(f"{folder} holds no run to resume: it has no recipe.yaml")
            recipe = load_recipe(folder / "recipe.yaml")
        return _train(recipe, folder, report)


def _resumption(folder: Path) -> str:
    arguments = f"auricle pretrain --resume {folder}"
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return arguments
    return f"torchrun [its options as before] -m {arguments}"


def _refuse_another_run(recipe: Recipe, folder: Path, *, go_on: bool) -> None:
    if not go_on:
        raise AuricleError(
            f"{folder} already holds a run; continue it with: {_resumption(folder)}, or choose another folder"
        )
    asked, held = recipe.model_dump(mode="json"), load_recipe(folder / "recipe.yaml").model_dump(mode="json")
    for key, value in held.items():
        if asked[key] != value:
            raise AuricleError(
                f"{folder} holds another run: its {key} is {value!r}, not {asked[key]!r}; continue it as it is with: "
                f"{_resumption(folder)}, or choose another folder"
            )


def _train(recipe: Recipe, folder: Path, report: Report) -> Path:
    keep_freed_memory()
    accelerator = make_accelerator(device=recipe.device, precision=recipe.precision, accumulate=recipe.accumulate)
    main = accelerator.is_main_process
    if not main:
        report = _say_nothing
    agreement.refuse_different_setups(recipe)
    with (
        run_folder.owned(folder, say=lambda text: report(Note(text))),
        undone(folder, go_on=_resumption(folder)),
    ):
        with processes.all_or_none():
            encoder = build_encoder(recipe)
        state = agreement.newest_state(folder / "checkpoints")
        if state is not None and _is_complete(recipe, state):
            report(Remark(f"complete already at step {state.values['step']:,}, nothing to do"))
            if main:
                remove_decoded(folder / AUDIO)
            return folder / "model"
        held_out = _open_held_out(recipe, encoder)
        crops = corpus.open_crops(recipe, encoder, folder, report, held_out=held_out)
        agreement.refuse_different_data(crops)
        with processes.all_or_none():
            batches = corpus.batches_of(recipe, crops)
            if OBJECTIVES[recipe.objective].tells_clips_apart and len(crops.clips) < 2:
                raise AuricleError(
                    f"{recipe.objective} learns to tell clips apart and needs two of them at least: `data` has one of "
                    f"at most {recipe.clip_seconds:g} s"
                )
        steps = recipe.steps or math.ceil((recipe.epochs or 0) * batches.per_epoch / recipe.accumulate)
        run = _prepare(recipe, encoder, folder, accelerator, steps)
        validation = None if held_out is None else Validation(recipe, run.objective, held_out, accelerator)
        if state is not None:
            run.restore(state)
            for difference in environment_differences(state.values["environment"]):
                report(Note(f"not bit for bit the run that was interrupted: {difference}"))
        else:
            mean, std = 0.0, 1.0
            if recipe.pre_norm:
                mean, std = corpus.statistics(recipe, encoder, crops, padding=run.objective.sees_padding)
            encoder.set_statistics(mean=mean, std=std)
        encoder.card = _card(recipe, crops)
        metrics = MetricsFile(folder / "metrics.jsonl")
        with processes.all_or_none():
            if main:
                metrics.cut_back(run.step)
                if state is None:
                    recipe.write(folder / "recipe.yaml")
                    run.save()
        report(_plan(run, crops, batches))
        _loop(run, crops, batches, validation, metrics, report)
        if main:
            remove_decoded(folder / AUDIO)
    return folder / "model"


def _is_complete(recipe: Recipe, state: TrainingState) -> bool:
    """Whether nothing is left to train, as far as that can be told before the sound is looked at."""
    steps = recipe.steps
    if steps is None and state.values.get("epochs") == recipe.epochs:
        steps = state.values["steps"]
    return steps is not None and state.values["step"] >= steps


def _prepare(recipe: Recipe, encoder: NormalisedEncoder, folder: Path, accelerator: Accelerator, steps: int) -> _Run:
    """Networks and optimiser on their device."""
    torch.manual_seed(recipe.seed)
    objective = OBJECTIVES[recipe.objective](recipe, encoder, accelerator)
    network = objective.network
    if accelerator.num_processes > 1:
        use_global_batch_norm(network)
    encoder.to(accelerator.device)
    network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(
        trained, lr=recipe.learning_rate, betas=recipe.adam_betas, weight_decay=recipe.weight_decay, fused=True
    )
    return _Run(recipe, folder, accelerator, encoder, objective, optimizer, steps)


def _loop(
    run: _Run, crops: Crops, batches: Batches, validation: Validation | None, metrics: MetricsFile, report: Report
) -> None:
    """Train from the run's step to its last."""
    recipe, accelerator, steps = run.recipe, run.accelerator, run.steps
    objective = run.objective
    network, optimizer = accelerator.prepare(objective.network, run.optimizer)
    network.train()
    first, last = run.step * recipe.accumulate, steps * recipe.accumulate
    ahead, mine = itertools.tee(map(batches.index, range(first, last)))
    stream = crops.stream(
        (index[rows_of_batch(len(index))] for index in ahead),
        workers=recipe.workers,
        trimmed=recipe.bucket,
        takes=recipe.takes,
    )
    if run.step == 0:
        _validate(run, validation, network, report)
    total, since, seen, clock = torch.zeros((), device=accelerator.device), 0, 0, time.perf_counter()
    collapsed = False
    with stop_requests(lambda: report(Remark("stopping after this step, which is saved …"))) as stop:
        for index, (waveform, clips) in zip(mine, stream, strict=True):
            rate = learning_rate_at(
                run.step, peak=recipe.learning_rate, warmup=recipe.warmup_steps, total=steps, schedule=recipe.schedule
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            with accelerator.accumulate(network):
                lengths = crops.lengths(clips).clamp_max(waveform.shape[2]).to(accelerator.device)
                rows = rows_of_batch(len(index))
                batch = Batch(waveform.to(accelerator.device), lengths, index.to(accelerator.device), rows)
                inputs = objective.inputs(batch)
                loss, observed = network(*inputs)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.detach() / recipe.accumulate
            seen += len(index)
            if not accelerator.sync_gradients:
                continue
            objective.after_step()
            run.step += 1
            since += 1

            interrupted = bool(sum_over_processes(torch.tensor(float(stop.is_set()))) > 0)
            checkpoint = run.step % recipe.checkpoint_every == 0 or run.step == steps or interrupted
            if checkpoint or run.step % recipe.log_every == 0:
                everyone = gather_rows(observed, len(index))
                state = Step(
                    step=run.step,
                    steps=steps,
                    epoch=float(run.step * recipe.accumulate / batches.per_epoch),
                    loss=float(sum_over_processes(total)) / since / accelerator.num_processes,
                    learning_rate=rate,
                    clips_per_second=seen / (time.perf_counter() - clock),
                    monitors=(monitors := objective.monitors(everyone)),
                    watched=objective.in_words(monitors),
                )
                refuse_infinite_loss(
                    state.loss,
                    step=run.step,
                    checkpoints=run.folder / "checkpoints",
                    learning_rate=recipe.learning_rate,
                )
                if accelerator.is_main_process:
                    metrics.append(state.as_row())
                report(state)
                complaint = objective.complaint(state.monitors) if state.step >= COLLAPSE_AFTER else None
                if complaint and not collapsed:
                    collapsed = True
                    report(Note(f"at step {state.step:,} {complaint}"))
                total, since, seen, clock = torch.zeros_like(total), 0, 0, time.perf_counter()
            if run.step % recipe.validate_every == 0 or run.step == steps:
                _validate(run, validation, network, report)
                clock = time.perf_counter()
            if checkpoint:
                with processes.all_or_none():
                    if accelerator.is_main_process:
                        run.save()
                clock = time.perf_counter()
            if interrupted and run.step < steps:
                stopped = Interrupted(f"stopped at step {run.step:,}; continue with: {_resumption(run.folder)}")
                stopped.everywhere = True
                raise stopped


def _open_held_out(recipe: Recipe, encoder: NormalisedEncoder) -> Crops | None:
    if not recipe.validation:
        return None
    with processes.all_or_none():
        crops = corpus.open_validation(recipe, encoder)
    agreement.refuse_different_data(crops)
    return crops


def _validate(run: _Run, validation: Validation | None, network: nn.Module, report: Report) -> None:
    """A line of validation.jsonl."""
    if validation is None:
        return
    found = validation.measure(network)
    if run.accelerator.is_main_process:
        file = MetricsFile(run.folder / "validation.jsonl")
        file.cut_back(run.step - 1)
        file.append({"step": run.step, **found})
    report(Held(run.step, run.objective.in_words(found)))


def _plan(run: _Run, crops: Crops, batches: Batches) -> Plan:
    clips = crops.clips
    return Plan(
        files=clips.files,
        rejected=len(clips.rejected),
        hours=clips.hours,
        clips=len(clips),
        crops_per_epoch=len(crops),
        padding_share=batches.padding_share,
        mean=float(run.encoder.mean),
        std=float(run.encoder.std),
        steps=run.steps,
        batch_size=run.recipe.batch_size,
        first_step=run.step,
    )


def _card(recipe: Recipe, crops: Crops) -> ModelCard:
    sources = ", ".join(Path(source).name for source in recipe.data)
    return ModelCard(
        licence="that of the training data",
        source=f"pre-trained by Auricle's recipe {recipe.name}",
        data=f"{sources}: {len(crops.clips):,} clips, {crops.clips.hours:.2f} h",
        recipe=recipe.model_dump(mode="json", exclude={"data", "init", "validation"}),
    )
