"""Explain models: which acoustic properties order what they make of sounds, how alike they are, and how sure that is.

::

    auricle explain byola-2022 logmel-stats --task esc50 --task nsynth --root /data --out why

``why/`` holds `rsa.parquet` (every comparison), `report.html`, and `stages/`, where everything that was computed lies
under its key (:mod:`auricle.stages`): the same command goes on where a stopped one was, and another model or task adds
to what is there.
"""

import filecmp
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle import __version__
from auricle.embedding import choose_device
from auricle.errors import AuricleError, Interrupted
from auricle.explain import heard
from auricle.explain.bootstrap import DRAWS, FEWEST_CLUSTERS, drawn_clusters
from auricle.explain.descriptors import COLUMNS, columns_of
from auricle.explain.events import Embedding, End, Notice, Plan, Report, Work, say_nothing
from auricle.explain.heard import Model
from auricle.explain.mantel import PERMUTATIONS, permutes_within
from auricle.explain.outcome import REPORT, TABLE, Explanation, Picture, Settings
from auricle.explain.rdm import Floats
from auricle.explain.report import write_report
from auricle.explain.similarity import Inference, Similarity, as_table, from_table, similarities, with_q
from auricle.explain.task_clips import CLIPS, CLUSTERS, TaskClips
from auricle.files import FolderLock, atomic_write
from auricle.projection import FEWEST_CLIPS as FEWEST_IN_A_PICTURE
from auricle.projection import tsne
from auricle.stages import Finished, Stage, Stages

SIMILARITY_VERSION = 2
TSNE_VERSION = 1
REPORT_VERSION = 2
_ROWS, _POINTS = "rows.parquet", "points.parquet"

_Piece = TypeVar("_Piece")


def explained_columns(names: Sequence[str] | None) -> tuple[str, ...]:
    """What models are explained by: descriptors over time by their median, and columns that are named themselves.

    Raises
    ------
    AuricleError
        When there is nothing of a name.
    """
    named = names or ()
    return tuple(column for column in columns_of(names) if column in named or column == COLUMNS[column].columns[0])


def explain_models(
    models: Sequence[str],
    tasks: Sequence[TaskClips],
    *,
    out: Path,
    descriptors: Sequence[str] | None = None,
    layers: bool = True,
    pooling: str | None = None,
    clips: int = CLIPS,
    permutations: int = PERMUTATIONS,
    draws: int = DRAWS,
    seed: int = 0,
    workers: int | None = None,
    device: str = "auto",
    command: str = "",
    report: Report = say_nothing,
) -> Explanation:
    """Compare every model, at every layer, with every descriptor and every other model, on every task's clips.

    Parameters
    ----------
    models
        What :func:`auricle.load` takes.
    tasks
        From :func:`auricle.explain.task_clips.task_clips`.
    out
        Folder of results, report and stages; one process at a time works on it.
    descriptors
        Descriptors, families or columns (:mod:`auricle.explain.descriptors`), those over time by their median unless a
        column is named; all descriptors by default. Descriptors of pitch are used on tasks of notes only.
    layers
        Whether to explain every layer too, where a model has some.
    pooling
        Of frames into a clip's embedding: ``mean``, ``max`` or ``mean+max``; each model's own by default.
    clips
        What `tasks` were drawn with, for the report.
    permutations, draws, seed
        Of Mantel's test, of the bootstrap, and of both.
    workers
        Processes that decode; by default one per available processor.
    device
        ``auto``, ``cpu`` or ``cuda``.
    command
        What repeats this, for the report.
    report
        Is told what happens.

    Raises
    ------
    AuricleError
        When a model or descriptor is not there, nothing can be compared, or another process works on `out`.
    Interrupted
        After Ctrl-C; the same call goes on.
    """
    if not models or not tasks:
        raise AuricleError("nothing to explain: give at least one model and one task")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise AuricleError(f"two tasks are called {name}: give each once, and manifests different file names")
    columns = explained_columns(descriptors)
    settings = Settings(clips=clips, permutations=permutations, draws=draws, seed=seed)
    found = [Model.find(name, layers=layers, pooling=pooling) for name in dict.fromkeys(models)]
    _refuse_same_weights(found)
    with FolderLock(out):
        try:
            run = _Run(out, found, tasks, columns, settings, choose_device(device), workers, report)
            return run.all(command)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                f"stopped; what is done is kept in {out}, and the same command goes on where it was"
            ) from None


class _Run:
    """One call of :func:`explain_models`."""

    def __init__(
        self,
        out: Path,
        models: list[Model],
        tasks: Sequence[TaskClips],
        columns: Sequence[str],
        settings: Settings,
        device: Any,
        workers: int | None,
        report: Report,
    ) -> None:
        self.out, self.models, self.tasks, self.columns, self.settings = out, models, tasks, columns, settings
        self.device, self.workers, self.report = device, workers, report
        self.stages = Stages(out / "stages")
        self.notices: list[str] = []

    def all(self, command: str) -> Explanation:
        self.report(Plan(len(self.models), len(self.columns), {task.name: len(task.manifest) for task in self.tasks}))
        heard_by = self._hear()
        described = {task.name: self._describe(task) for task in self._each("describing", self.tasks, _name)}
        rows: list[Similarity] = []
        for task in self._each("comparing", self.tasks, _name):
            rows += self._compare(task, heard_by[task.name], described[task.name])
        pictures = [self._picture(task, heard_by[task.name][0]) for task in self._each("t-SNE", self.tasks, _name)]
        explanation = Explanation(
            out=self.out,
            command=command,
            models=self.models,
            tasks=self.tasks,
            columns=self.columns,
            rows=with_q(rows),
            pictures=[picture for picture in pictures if picture is not None],
            notices=self.notices,
            settings=self.settings,
            seconds=self.stages.seconds,
        )
        self._publish(explanation)
        self.report(End(self.stages.done, self.stages.cached, self.out / TABLE, self.out / REPORT))
        return explanation

    def _each(self, kind: str, pieces: Sequence[_Piece], name: Callable[[_Piece], str]) -> Iterator[_Piece]:
        """The pieces of some work, each of them reported when its turn comes."""
        for done, piece in enumerate(pieces):
            self.report(Work(kind, name(piece), done, len(pieces)))
            yield piece
        self.report(Work(kind, "", len(pieces), len(pieces)))

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        self.report(Notice(text))

    # --- what is heard ----------------------------------------------------------------------------------------------

    def _hear(self) -> dict[str, list[tuple[Model, Finished]]]:
        """For each task its embeddings by every model, in their order."""
        found: dict[str, list[tuple[Model, Finished]]] = {task.name: [] for task in self.tasks}
        pieces = [(model, task) for model in self.models for task in self.tasks]
        for model, task in self._each("embedding", pieces, lambda piece: f"{piece[1].name}, {piece[0].name}"):
            finished = heard.hear(
                self.stages,
                model,
                task,
                device=self.device,
                workers=self.workers,
                progress=lambda now: self.report(Embedding(now)),
            )
            found[task.name].append((model, finished))
        for task in self.tasks:
            lost = max(finished.facts["rejected"] for _, finished in found[task.name])
            if lost:
                where = next(path for _, done in found[task.name] if (path := heard.rejected_of(done)) is not None)
                clips = "1 clip" if lost == 1 else f"{lost:,} clips"
                verb = "cannot be read and is" if lost == 1 else "cannot be read and are"
                self._notice(f"{clips} of {task.name} {verb} left out ({where})")
        return found

    def _columns(self, task: TaskClips) -> list[str]:
        """The descriptors of a task: those of pitch for notes only."""
        return [column for column in self.columns if task.is_pitched or not COLUMNS[column].pitch]

    def _describe(self, task: TaskClips) -> dict[str, Floats]:
        return heard.describe(
            self.stages,
            self._columns(task),
            task,
            workers=self.workers,
            progress=lambda now: self.report(Embedding(now)),
        )

    # --- what follows -----------------------------------------------------------------------------------------------

    def _compare(
        self, task: TaskClips, hearings: list[tuple[Model, Finished]], described: dict[str, Floats]
    ) -> list[Similarity]:
        columns = self._columns(task)
        clusters = task.clusters
        if clusters is not None:
            noun = CLUSTERS[task.clustered_by or "cluster"]
            if not permutes_within(clusters):
                self._notice(
                    f"most clips of {task.name} share their {noun} with few others: permutations exchange whole "
                    f"{noun}s too"
                )
            if self.settings.draws and drawn_clusters(clusters) is None:
                self._notice(
                    f"the clips of {task.name} are of fewer than {FEWEST_CLUSTERS} {noun}s: intervals take clips for "
                    "independent, which those of one are not, and are too narrow"
                )

        def work(folder: Path) -> dict[str, Any]:
            every = [heard.read_heard(finished, model, task) for model, finished in hearings]
            rows = similarities(
                [part for one in every for part in one.representations],
                described,
                task=task.name,
                families={column: COLUMNS[column].family for column in columns},
                clusters=clusters,
                ceilings=heard.ceilings_of(every),
                inference=Inference(
                    permutations=self.settings.permutations, draws=self.settings.draws, seed=self.settings.seed
                ),
            )
            with atomic_write(folder / _ROWS) as temporary:
                pq.write_table(as_table(rows), temporary)
            return {}

        inputs = {
            "description": heard.describe_stage(columns, task).key,
            "embeddings": [[model.name, heard.stage_of(model, task).key, model.recipe] for model, _ in hearings],
            "task": task.name,
            "clusters": None if clusters is None else [str(cluster) for cluster in clusters],
            "permutations": self.settings.permutations,
            "draws": self.settings.draws,
            "seed": self.settings.seed,
        }
        finished = self.stages.run(Stage("similarity", task.name, SIMILARITY_VERSION, inputs), work)
        return from_table(pq.read_table(finished.folder / _ROWS))

    def _picture(self, task: TaskClips, hearing: tuple[Model, Finished]) -> Picture | None:
        """The t-SNE of a task's clips by the first model; None of a handful of clips."""
        model, finished = hearing

        def work(folder: Path) -> dict[str, Any]:
            whole = heard.read_heard(finished, model, task).whole
            rows = np.flatnonzero(np.isfinite(whole).all(axis=1))
            rows = rows if len(rows) >= FEWEST_IN_A_PICTURE else rows[:0]
            points = tsne(whole[rows], seed=self.settings.seed) if len(rows) else np.zeros((0, 2))
            with atomic_write(folder / _POINTS) as temporary:
                pq.write_table(pa.table({"row": rows, "x": points[:, 0], "y": points[:, 1]}), temporary)
            return {}

        inputs = {"embedding": heard.stage_of(model, task).key, "seed": self.settings.seed}
        done = self.stages.run(Stage("tsne", f"{task.name}-{model.name}", TSNE_VERSION, inputs), work)
        table = pq.read_table(done.folder / _POINTS)
        if not len(table):
            return None
        points = np.stack([table.column("x").to_numpy(), table.column("y").to_numpy()], axis=1)
        return Picture(task, model.name, table.column("row").to_numpy(), points)

    # --- what comes out ---------------------------------------------------------------------------------------------

    def _publish(self, explanation: Explanation) -> None:
        """Write table and report, and put them where they are looked for."""

        def work(folder: Path) -> dict[str, Any]:
            self.report(Work("writing the report", "", 0, 1))
            with atomic_write(folder / TABLE) as temporary:
                pq.write_table(as_table(explanation.rows), temporary)
            write_report(explanation, folder / REPORT)
            self.report(Work("writing the report", "", 1, 1))
            return {}

        inputs = {
            "stages": list(self.stages.keys),
            "models": [model.name for model in self.models],
            "tasks": [[task.name, task.manifest.fingerprint, task.part, task.available] for task in self.tasks],
            "notices": self.notices,
            "command": explanation.command,
            "version": __version__,
        }
        done = self.stages.run(Stage("report", "explanation", REPORT_VERSION, inputs), work)
        for name in (TABLE, REPORT):
            if not (self.out / name).is_file() or not filecmp.cmp(done.folder / name, self.out / name, shallow=False):
                with atomic_write(self.out / name) as temporary:
                    shutil.copyfile(done.folder / name, temporary)


def _name(task: TaskClips) -> str:
    return task.name


def _refuse_same_weights(models: Sequence[Model]) -> None:
    seen: dict[str, Model] = {}
    for model in models:
        first = seen.setdefault(model.fingerprint, model)
        if first is not model:
            raise AuricleError(f"{first.name} and {model.name} are the same model: give it once")
