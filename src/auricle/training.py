"""What every training loop needs: settings, processes, a state on disk that survives anything, a metrics file.

Nothing here knows what is trained. A training state is one safetensors file, written atomically: tensors by name, and
one JSON document in its header.
"""

import ctypes
import json
import math
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
import torch
import yaml
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from auricle import __version__, processes
from auricle.errors import AuricleError
from auricle.files import atomic_write, refused_writes_are_errors
from auricle.settings import Positive, Settings, SettingsError

STATE_PREFIX = "step-"
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # glibc's mallopt parameters
_TOP_PAD_BYTES = 64 << 20


class TrainingSettings(Settings):
    """What the recipe of any training says."""

    batch_size: Annotated[int, pydantic.Field(ge=2)] = 256  # crops of one optimiser step, over all processes
    accumulate: Positive = 1  # forward passes of one optimiser step; normalisation sees batch_size / accumulate
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, pydantic.Field(ge=0)] = 0.0
    cache_gib: Annotated[float, pydantic.Field(ge=0)] = 8.0  # decode once to disk up to this size, else at every crop

    seed: int = 42
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    device: str = "auto"
    workers: Annotated[int, pydantic.Field(ge=0)] = 2
    checkpoint_every: Positive = 1000  # steps
    keep_checkpoints: Positive = 2
    log_every: Positive = 10  # steps

    @pydantic.model_validator(mode="after")
    def _batch_can_be_divided(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate}")
        return self

    def rows_of(self, accelerator: Accelerator) -> slice:
        """The rows of each forward pass's batch that this process works on.

        Raises
        ------
        SettingsError
            When the batch cannot be divided among processes and passes.
        """
        rows, rest = divmod(self.batch_size, self.accumulate * accelerator.num_processes)
        if rest or rows < 1:
            error = SettingsError(
                f"batch_size {self.batch_size} cannot be divided among "
                f"{accelerator.num_processes} processes × accumulate {self.accumulate}: start a number of processes "
                f"that divides {self.batch_size // self.accumulate}"
            )
            error.everywhere = True
            raise error
        return slice(accelerator.process_index * rows, (accelerator.process_index + 1) * rows)

    def write(self, path: Path) -> None:
        """Write all settings as YAML."""
        with atomic_write(path) as temporary:
            temporary.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def keep_freed_memory() -> bool:
    """Let glibc keep freed buffers in the process instead of giving them back to the system.

    A training step frees and takes gigabytes of large temporary buffers; given back, every one of them comes again as
    page faults, which cost more than the arithmetic. The process then stays at its peak size until it ends.

    Returns
    -------
    bool
        Whether the C library has this setting (glibc has, others have not and need not).
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, 2**31 - 1),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
        (_M_ARENA_MAX, 1),  # what one thread frees serves the others
    )
    return all(libc.mallopt(parameter, value) == 1 for parameter, value in settings)


def make_accelerator(*, device: str, precision: str, accumulate: int = 1) -> Accelerator:
    """Processes, device and precision of one training.

    Parameters
    ----------
    device
        ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
    precision
        ``float32`` or ``bfloat16``.
    accumulate
        Forward passes per optimiser step.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise AuricleError(f"device is {device!r}: expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise AuricleError("device is cuda, but this machine has no usable CUDA GPU; use device=cpu")
    processes.join()
    AcceleratorState._reset_state(reset_partial_state=False)  # two runs in one process may differ in precision
    return Accelerator(
        cpu=device == "cpu" or not torch.cuda.is_available(),
        mixed_precision="bf16" if precision == "bfloat16" else "no",
        gradient_accumulation_steps=accumulate,
    )


def is_main_process() -> bool:
    """Whether this is the one process of a `torchrun` that talks to the user; always so without it."""
    return os.environ.get("RANK", "0") == "0"


def environment() -> dict[str, Any]:
    """What bit-for-bit equality depends on besides the recipe: versions, threads and processes."""
    return {
        "auricle": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def environment_differences(stored: dict[str, Any]) -> list[str]:
    """What of :func:`environment` is not as it was, as words."""
    now = environment()
    return [f"{key} {stored.get(key)} is now {now[key]}" for key in now if stored.get(key) != now[key]]


def learning_rate_at(step: int, *, peak: float, warmup: int, total: int, schedule: str) -> float:
    """Learning rate of optimiser step `step` (from 0): linear warm-up, then constant or a half cosine down to 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    share = (step - warmup) / max(1, total - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class Decoding:
    """Share of a training's audio that is decoded."""

    share: float


@dataclass(frozen=True)
class Note:
    """Something that the user should know of a training: a collapse, a changed environment."""

    text: str


@dataclass(frozen=True)
class Remark:
    """What a training does just now, where that is no reason to worry."""

    text: str


@contextmanager
def stop_requests(heard: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is finished and saved before the process ends.

    `heard` is called at once, by another thread, when the first of them comes.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    over = False

    def wait() -> None:
        stop.wait()
        if heard is not None and not over:
            heard()

    # Not the handler calls it: that runs amid any line, also one that writes to the same stream.
    waiting = threading.Thread(target=wait, name="says that a stop was heard", daemon=True)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    waiting.start()
    try:
        yield stop
    finally:
        over = True
        stop.set()
        waiting.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_infinite_loss(loss: float, *, step: int, checkpoints: Path, learning_rate: float) -> None:
    """Stop a training whose loss is NaN or infinity; the sentence says from which checkpoint it can go on."""
    if math.isfinite(loss):
        return
    states = list_states(checkpoints)
    last = load_state(states[-1]).values["step"] if states else 0
    error = AuricleError(
        f"stopped at step {step}: loss is not finite; last good checkpoint {last}; "
        f"lower learning_rate (now {learning_rate:g})"
    )
    error.everywhere = True
    raise error


@dataclass(frozen=True)
class TrainingState:
    """One moment of a training: tensors by name, and plain values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as tensors named ``optimizer.<parameter>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{number}.{name}": value for number, entry in state.items() for name, value in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` gave."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, parameter in enumerate(parameters):
        prefix = f"optimizer.{number}."
        entry: dict[str, Tensor] = {}
        for name, value in tensors.items():
            if name.startswith(prefix):
                # The memory layout must be the parameter's own: fused optimisers walk both side by side.
                like = torch.empty_like(parameter, dtype=value.dtype) if value.ndim else torch.empty_like(value)
                entry[name.removeprefix(prefix)] = like.copy_(value)
        if entry:
            optimizer.state[parameter] = entry


def save_state(folder: Path, step: int, state: TrainingState, *, keep: int) -> Path:
    """Write a state atomically as ``step-<number>.safetensors`` and delete all but the newest `keep`."""
    path = folder / f"{STATE_PREFIX}{step:09d}.safetensors"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    with atomic_write(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"values": json.dumps(state.values)})
        except SafetensorError as error:  # its text is all that is left of the system's error
            raise AuricleError(f"cannot write {path}: {error}; the checkpoints before it are kept") from error
    for old in list_states(folder)[:-keep]:
        old.unlink()
    return path


def list_states(folder: Path) -> list[Path]:
    """States in `folder`, oldest first."""
    return sorted(folder.glob(f"{STATE_PREFIX}*.safetensors"))


def load_state(path: Path) -> TrainingState:
    """Read what :func:`save_state` wrote."""
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            values = json.loads((opened.metadata() or {})["values"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise AuricleError(f"{path} is damaged ({error}); delete it to go on from the checkpoint before it") from error
    return TrainingState(tensors, values)


class MetricsFile:
    """One JSON object per line, in order of steps."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, values: dict[str, Any]) -> None:
        """Add one line."""
        with refused_writes_are_errors(self.path), self.path.open("a") as file:
            file.write(json.dumps(values) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All complete lines; a last one that a kill cut short is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def cut_back(self, step: int) -> None:
        """Forget what was measured after `step`."""
        rows = [row for row in self.read() if row["step"] <= step]
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
