"""Run a study: diets → pre-training → embedding → probes → analyses → results and report, each stage once.

::

    auricle study run demo --out runs/demo
    auricle study run study.yaml data=/corpora pretraining.overrides.steps=2000 --out runs/study

The study's folder holds `study.yaml` (everything resolved), `results.parquet`, `results.csv`, `report.html`, and
`stages/`, where every finished stage lies under its key (:mod:`auricle.stages`). A second run does nothing; one
that was killed goes on where it was.
"""

import filecmp
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from auricle import __version__, results, synth
from auricle.comparisons import Comparison
from auricle.embedding import choose_device
from auricle.errors import Interrupted
from auricle.files import FolderLock, atomic_write
from auricle.pretraining.events import Decoding, Note, Plan, Step
from auricle.stages import Stage, Stages
from auricle.study import analyses, encoders, events, measuring, sources
from auricle.study.analyses import Picture, Similarity
from auricle.study.definition import Part, Study
from auricle.study.encoders import StudyEncoder, Training
from auricle.study.events import End, Report, say_nothing
from auricle.study.outcome import Outcome
from auricle.study.report import write_report
from auricle.study.sources import Diet
from auricle.transfer import clip_sets
from auricle.transfer.clip_sets import Embedded
from auricle.transfer.probing import Probed, ProbePlan, probe
from auricle.transfer.task import Task

WORLD_VERSION = 1
REPORT_VERSION = 1
RESULTS = ("results.parquet", "results.csv")
REPORT = "report.html"
DEFINITION = "study.yaml"

_Piece = TypeVar("_Piece")


def run_study(study: Study, out: Path, *, command: str = "", report: Report = say_nothing) -> End:
    """Do all of a study that is not done yet.

    Parameters
    ----------
    study
        What to do.
    out
        Folder of the study; one process at a time works on it.
    command
        What repeats the study, for its report.
    report
        Is told what happens.

    Raises
    ------
    AuricleError
        When a source is not there, a stage cannot be done, or another process works in `out`.
    Interrupted
        After Ctrl-C; the same call goes on.
    """
    with FolderLock(out):
        try:
            return _Run(study, out, report).all(command)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                f"stopped; what is done is kept in {out}, and the same command goes on where it was"
            ) from None


class _Run:
    """One call of :func:`run_study`."""

    def __init__(self, study: Study, out: Path, report: Report) -> None:
        self.study, self.out, self.report = study, out, report
        self.stages = Stages(out / "stages")
        self.device = choose_device(study.device)
        self.notices: list[str] = []

    def all(self, command: str) -> End:
        study, stages = self.study, self.stages
        diets, tasks = self._sources()
        trainings = self._pretrain(diets)
        found = encoders.encoders_of(stages, study, trainings)
        embedded = self._embed(found, tasks)
        probed = self._probe(found, embedded, tasks)
        outcome = Outcome(
            study=study,
            command=command,
            diets=diets,
            tasks=tasks,
            trainings=trainings,
            encoders=found,
            probed=probed,
            comparisons=self._compare(tasks, probed),
            similarities=self._similarities(embedded, tasks),
            pictures=self._pictures(found, embedded, tasks),
            map=self._map(found, embedded, tasks),
            notices=self.notices,
            seconds=stages.seconds,
        )
        self._publish(outcome)
        end = End(stages.done, stages.cached, self.out / RESULTS[0], self.out / REPORT)
        self.report(end)
        return end

    # --- what there is ----------------------------------------------------------------------------------------------

    def _sources(self) -> tuple[list[Diet], list[Task]]:
        study = self.study
        if study.is_synthetic:
            world = self._sound_world()
            diets = [sources.world_diet(world, name, parts) for name, parts in study.diets.items()]
            tasks = sources.world_tasks(world, study.tasks)
            self.report(events.Data(True, world.clips, len(tasks), world.seconds))
        else:
            root = study.data_folder()
            diets = [sources.find_diet(name, parts, root) for name, parts in study.diets.items()]
            tasks = [sources.find_task(task, root) for task in study.tasks]
            self.report(events.Data(False, sum(len(task) for task in tasks), len(tasks), None))
        for diet in diets:
            for task in tasks:
                shared = sources.overlap(diet, task)
                if shared:
                    self._notice(
                        f"{shared:,} validation or test clips of {task.name} are in the diet {diet.name}: an encoder "
                        "trained on it has heard what it is scored on"
                    )
        return diets, tasks

    def _sound_world(self) -> synth.SoundWorld:
        clips, seed = self.study.world.clips, self.study.seed

        def work(folder: Path) -> dict[str, Any]:
            self.report(events.Work("making the sound world", "", 0, 1))
            world = synth.make(folder, clips=clips, seed=seed)
            self.report(events.Work("making the sound world", "", 1, 1))
            return {"clips": world.clips, "seconds": world.seconds}

        stage = Stage("world", "sound-world", WORLD_VERSION, {"clips": clips, "seed": seed})
        done = self.stages.run(stage, work)
        return synth.SoundWorld(done.folder, **done.facts)

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        self.report(events.Notice(text))

    def _each(self, kind: str, pieces: Sequence[_Piece], name: Callable[[_Piece], str]) -> Iterator[_Piece]:
        """The pieces of some work, each of them reported when its turn comes."""
        for done, piece in enumerate(pieces):
            self.report(events.Work(kind, name(piece), done, len(pieces)))
            yield piece
        self.report(events.Work(kind, "", len(pieces), len(pieces)))

    # --- encoders and scores ----------------------------------------------------------------------------------------

    def _pretrain(self, diets: list[Diet]) -> list[Training]:
        study, stages = self.study, self.stages
        wanted = [(diet, seed) for diet in diets for seed in study.pretraining.seeds]
        missing = [
            (diet.name, seed)
            for diet, seed in wanted
            if stages.find(encoders.pretraining_stage(study, diet, seed)) is None
        ]
        recipe = encoders.recipe_of(study, seed=0).name

        def tell(diet: Diet, number: int, event: Plan | Step | Decoding | Note) -> None:
            self.report(events.Pretraining(recipe, diet.name, number, len(missing), event))

        trained = []
        for diet, seed in wanted:
            number = missing.index((diet.name, seed)) + 1 if (diet.name, seed) in missing else 0
            trained.append(encoders.pretrain(stages, study, diet, seed, partial(tell, diet, number)))
        return trained

    def _embed(self, found: list[StudyEncoder], tasks: list[Task]) -> dict[str, list[Embedded[StudyEncoder]]]:
        """For each task its embeddings by every encoder, in their order."""
        by_task: dict[str, list[Embedded[StudyEncoder]]] = {task.name: [] for task in tasks}
        pieces = [(encoder, clips) for encoder in found for clips in clip_sets.clip_sets(tasks)]
        for encoder, clips in self._each("embedding", pieces, lambda piece: f"{piece[1].name}, {piece[0].label}"):
            embedded = clip_sets.embed(
                self.stages,
                encoder,
                clips,
                device=self.device,
                progress=lambda now: self.report(events.Embedding(now)),
            )
            for task in clips.rows:
                by_task[task].append(embedded)
        return by_task

    def _probe(
        self, found: list[StudyEncoder], embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> list[Probed[StudyEncoder]]:
        pieces = [(embedded[task.name][position], task) for position in range(len(found)) for task in tasks]
        rows = len({encoder.title for encoder in found})
        settings = self.study.probe
        plan = ProbePlan(settings.protocol, settings.settings(), settings.seeds)
        probed = [
            probe(self.stages, plan, entry, task, device=self.device)
            for entry, task in self._each(
                f"probing {rows} encoders × {len(tasks)} tasks",
                pieces,
                lambda piece: f"{piece[1].name}, {piece[0].encoder.label}",
            )
        ]
        for task in tasks:
            left_out = max(entry.stage.facts["left_out"] for entry in probed if entry.task is task)
            if left_out:
                self._notice(f"{left_out:,} clips of {task.name} cannot be read and are left out")
        return probed

    def _compare(self, tasks: list[Task], probed: list[Probed[StudyEncoder]]) -> list[Comparison]:
        return [
            comparison
            for task in self._each("comparing", tasks, lambda task: task.name)
            for comparison in measuring.compare(
                self.stages, [entry for entry in probed if entry.task is task], seed=self.study.seed
            )
        ]

    # --- analyses ---------------------------------------------------------------------------------------------------

    def _similarities(self, embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]) -> list[Similarity]:
        settings, seed = self.study.rsa, self.study.seed
        if settings is None:
            return []
        found: list[Similarity] = []
        for task in self._each("similarity to acoustic descriptors", tasks, lambda task: task.name):
            described = analyses.describe(self.stages, task, settings, seed=seed)
            found += analyses.similarity(self.stages, described, embedded[task.name], seed=seed)
        return found

    def _pictures(
        self, found: list[StudyEncoder], embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> list[Picture]:
        settings = self.study.tsne
        if settings is None:
            return []
        shown = [self._trained_on(diet, found) for diet in settings.diets or list(self.study.diets)[-1:]]
        pieces = [(encoder, task) for encoder in shown for task in tasks]
        return [
            self._picture(encoder, task, embedded[task.name], part=settings.part, clips=settings.clips)
            for encoder, task in self._each("t-SNE", pieces, lambda piece: piece[1].name)
        ]

    def _map(
        self, found: list[StudyEncoder], embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> Picture | None:
        settings = self.study.map
        if settings is None:
            return None
        task = next(task for task in tasks if settings.task in (None, task.short_name))
        encoder = self._trained_on(settings.diet or list(self.study.diets)[-1], found)
        return self._picture(encoder, task, embedded[task.name], part=settings.part, clips=settings.clips)

    def _picture(
        self, encoder: StudyEncoder, task: Task, embedded: list[Embedded[StudyEncoder]], *, part: Part, clips: int
    ) -> Picture:
        rows = analyses.choose_clips(task, part=part, clips=clips, seed=self.study.seed)
        entry = next(entry for entry in embedded if entry.encoder is encoder)
        return analyses.picture(self.stages, entry, task, rows, seed=self.study.seed)

    @staticmethod
    def _trained_on(diet: str, found: list[StudyEncoder]) -> StudyEncoder:
        return next(encoder for encoder in found if encoder.kind == "trained" and encoder.diet == diet)

    # --- what comes out ---------------------------------------------------------------------------------------------

    def _publish(self, outcome: Outcome) -> None:
        """Write results and report, and put them where they are looked for."""

        def work(folder: Path) -> dict[str, Any]:
            self.report(events.Work("writing the report", "", 0, 1))
            for name in RESULTS:
                results.write(folder / name, outcome.results)
            write_report(outcome, folder / REPORT)
            with atomic_write(folder / DEFINITION) as temporary:
                temporary.write_text(self.study.as_yaml(), encoding="utf-8")
            self.report(events.Work("writing the report", "", 1, 1))
            return {}

        inputs = {
            "study": self.study.model_dump(mode="json"),
            "stages": list(self.stages.keys),
            "notices": self.notices,
            "version": __version__,
        }
        done = self.stages.run(Stage("report", self.study.name, REPORT_VERSION, inputs), work)
        for name in (*RESULTS, REPORT, DEFINITION):
            if not (self.out / name).is_file() or not filecmp.cmp(done.folder / name, self.out / name, shallow=False):
                with atomic_write(self.out / name) as temporary:
                    shutil.copyfile(done.folder / name, temporary)
