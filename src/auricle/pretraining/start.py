"""How a run begins: what fails before anything was trained leaves nothing that the corrected command stumbles over."""

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auricle.clips import remove_decoded
from auricle.errors import Interrupted
from auricle.processes import is_lost_contact, rank
from auricle.training import MetricsFile, list_states

RECIPE, METRICS, CHECKPOINTS, AUDIO = "recipe.yaml", "metrics.jsonl", "checkpoints", "audio"
_MADE = (RECIPE, METRICS, "validation.jsonl", "rejected.csv", CHECKPOINTS, "model")


@contextmanager
def folder_undone(folder: Path) -> Iterator[None]:
    """Remove the folder again, and those around it, where it was not there before and is empty after an error."""
    made = [entry for entry in (folder, *folder.parents) if not entry.exists()] if rank() == 0 else []
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for entry in made:
                entry.rmdir()
        raise


@contextmanager
def undone(folder: Path, *, go_on: str) -> Iterator[None]:
    """Remove what a first start has put into a run's folder, when it fails before anything was trained.

    Parameters
    ----------
    folder
        Of the run, owned by this process or by the first one of this training.
    go_on
        The command that goes on with the run.

    Raises
    ------
    Interrupted
        In place of Ctrl-C; it says what is kept.
    """
    made: list[Path] = []
    if rank() == 0 and not (folder / RECIPE).exists():
        remove_decoded(folder / AUDIO)  # by a start that was killed, perhaps of other sound
        made = [folder / AUDIO, *(folder / name for name in _MADE if not (folder / name).exists())]
    try:
        yield
    except KeyboardInterrupt:
        begun = (folder / RECIPE).exists()
        if not begun:
            _remove(made)
        stopped = Interrupted(
            f"stopped before training went on; the last checkpoint is kept, continue with: {go_on}"
            if begun
            else "stopped before the first step: nothing is kept, and the same command begins anew (where decoding "
            "takes long, `auricle pack` does it once, and goes on where it was stopped)"
        )
        stopped.everywhere = True
        raise stopped from None
    except BaseException as error:
        if not _is_of_use(folder, error):
            _remove(made)
        raise


def _is_of_use(folder: Path, error: BaseException) -> bool:
    """Whether someone may want to go on with the run, or to look at it."""
    states = list_states(folder / CHECKPOINTS)
    begun = (folder / RECIPE).exists() and bool(states)
    return begun and (len(states) > 1 or bool(MetricsFile(folder / METRICS).read()) or is_lost_contact(error))


def _remove(entries: list[Path]) -> None:
    for entry in entries:
        if entry.name == AUDIO:
            remove_decoded(entry)
        elif entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
