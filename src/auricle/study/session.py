"""What every kind of study works with: stages that are done once, the data, what is told, and where results go."""

import filecmp
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from auricle import __version__, results, synth
from auricle.embedding import choose_device
from auricle.files import atomic_write
from auricle.results import Result
from auricle.stages import Stage, Stages
from auricle.study import encoders, events, sources
from auricle.study.base import Study
from auricle.study.encoders import Training, Wanted
from auricle.study.events import End, Report
from auricle.study.sources import Diet, LeaveOut
from auricle.transfer import clip_sets
from auricle.transfer.clip_sets import CandidateT, Embedded
from auricle.transfer.probing import Probed, ProbePlan, probe
from auricle.transfer.task import Task

WORLD_VERSION = 1
REPORT_VERSION = 3
RESULTS = ("results.parquet", "results.csv")
REPORT = "report.html"
DEFINITION = "study.yaml"

Write = Callable[[Path], None]
_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class Findings:
    """What a study has found.

    Attributes
    ----------
    results
        Every row of the results file.
    report
        Writes the page.
    files
        What writes further files, by their names.
    in_short
        What is said on the terminal, line by line.
    """

    results: list[Result]
    report: Write
    files: Mapping[str, Write] = field(default_factory=dict)
    in_short: tuple[str, ...] = ()


class Session:
    """One call of :func:`auricle.study.run.run_study`.

    Parameters
    ----------
    study
        What to do.
    out
        Folder of the study.
    command
        What repeats it.
    tell
        Is told what happens.

    Attributes
    ----------
    stages
        What is done once.
    notices
        What a reader of the results should know.
    """

    def __init__(self, study: Study, out: Path, command: str, tell: Report) -> None:
        self.study, self.out, self.command, self.tell = study, out, command, tell
        self.stages = Stages(out / "stages")
        self.device = choose_device(study.device)
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Say something that a reader of the results should know too."""
        self.notices.append(text)
        self.tell(events.Notice(text))

    def each(self, kind: str, pieces: Sequence[_Piece], name: Callable[[_Piece], str]) -> Iterator[_Piece]:
        """The pieces of some work, each of them told when its turn comes."""
        for done, piece in enumerate(pieces):
            self.tell(events.Work(kind, name(piece), done, len(pieces)))
            yield piece
        self.tell(events.Work(kind, "", len(pieces), len(pieces)))

    # --- what there is ----------------------------------------------------------------------------------------------

    def find(
        self,
        diets: Mapping[str, Sequence[str]],
        tasks: Sequence[str],
        *,
        leave_out: LeaveOut = MappingProxyType({}),
        hop: float | None = None,
    ) -> tuple[list[Diet], list[Task]]:
        """Diets and tasks by what the study calls them, from the folder of all data or the sound world.

        Parameters
        ----------
        diets, tasks
            By what the study calls them.
        leave_out
            What stays out of every diet, as :func:`auricle.study.sources.left_out` has it.
        hop
            Seconds between the excerpts of tasks that are cut into some; their own by default.

        Raises
        ------
        AuricleError
            When one is not there.
        """
        study = self.study
        if study.is_synthetic:
            world = self._sound_world()
            found = sources.find_diets(diets, lambda source: sources.world_part(world, source))
            scored = sources.world_tasks(world, tasks)
            self.tell(events.Data(True, world.clips, len(scored), world.seconds))
        else:
            root = study.data_folder()
            found = sources.find_diets(
                diets, lambda source: sources.left_out(sources.find_part(source, root), leave_out)
            )
            scored = [sources.find_task(task, root, hop=hop) for task in tasks]
            self.tell(events.Data(False, sum(len(task) for task in scored), len(scored), None))
        for diet in found:
            for task in scored:
                shared = sources.overlap(diet, task)
                if shared:
                    self.notice(
                        f"{shared:,} validation or test clips of {task.name} are in the diet {diet.name}: an encoder "
                        "trained on it has heard what it is scored on"
                    )
        return found, scored

    def _sound_world(self) -> synth.SoundWorld:
        clips, seed = self.study.world.clips, self.study.seed

        def work(folder: Path) -> dict[str, Any]:
            self.tell(events.Work("making the sound world", "", 0, 1))
            world = synth.make(folder, clips=clips, seed=seed)
            self.tell(events.Work("making the sound world", "", 1, 1))
            return {"clips": world.clips, "seconds": world.seconds}

        stage = Stage("world", "sound-world", WORLD_VERSION, {"clips": clips, "seed": seed})
        done = self.stages.run(stage, work)
        return synth.SoundWorld(done.folder, **done.facts)

    # --- pre-training -----------------------------------------------------------------------------------------------

    def pretrain(self, wanted: Sequence[Wanted], *, plan: Callable[[int], str] | None = None) -> list[Training]:
        """Every training, in this order; those that are not finished are done now, and `plan` tells of their number."""
        missing = [place for place, one in enumerate(wanted) if self.stages.find(one.stage) is None]
        if plan is not None:
            self.tell(events.Said(plan(len(missing))))
        trained = []
        for place, one in enumerate(wanted):
            recipe = encoders.recipe_of(one.how, seed=one.seed).name
            number = missing.index(place) + 1 if place in missing else 0

            def listen(event: Any, recipe: str = recipe, title: str = one.title, number: int = number) -> None:
                self.tell(events.Pretraining(recipe, title, number, len(missing), event))

            trained.append(encoders.pretrain(self.stages, one.how, one.diet, one.seed, listen))
        return trained

    # --- scores under a probe ---------------------------------------------------------------------------------------

    def embed(
        self,
        encoders: Sequence[CandidateT],
        tasks: Sequence[Task],
        *,
        serves: Callable[[CandidateT, str], bool] = lambda encoder, task: True,  # noqa: ARG005
    ) -> dict[str, list[Embedded[CandidateT]]]:
        """For each task its embeddings by every encoder that serves it, in their order."""
        by_task: dict[str, list[Embedded[CandidateT]]] = {task.name: [] for task in tasks}
        pieces = [
            (encoder, clips)
            for encoder in encoders
            for clips in clip_sets.clip_sets(tasks)
            if any(serves(encoder, task) for task in clips.rows)
        ]
        for encoder, clips in self.each("embedding", pieces, lambda piece: f"{piece[1].name}, {piece[0].label}"):
            embedded = clip_sets.embed(
                self.stages,
                encoder,
                clips,
                device=self.device,
                progress=lambda now: self.tell(events.Embedding(now)),
            )
            for task in clips.rows:
                if serves(encoder, task):
                    by_task[task].append(embedded)
        return by_task

    def probe(
        self, plan: ProbePlan, embedded: Mapping[str, Sequence[Embedded[CandidateT]]], tasks: Sequence[Task], what: str
    ) -> list[Probed[CandidateT]]:
        """Scores of every encoder on every task that it was embedded for; `what` says of how many."""
        pieces = [(entry, task) for task in tasks for entry in embedded[task.name]]
        probed = [
            probe(
                self.stages,
                plan,
                entry,
                task,
                device=self.device,
                progress=lambda share: self.tell(events.Share(share)),
            )
            for entry, task in self.each(
                f"probing {what}", pieces, lambda piece: f"{piece[1].name}, {piece[0].encoder.label}"
            )
        ]
        for task in tasks:
            left_out = max(entry.stage.facts["left_out"] for entry in probed if entry.task is task)
            if left_out:
                self.notice(f"{left_out:,} clips of {task.name} cannot be read and are left out")
        return probed

    # --- what comes out ---------------------------------------------------------------------------------------------

    def publish(self, findings: Findings) -> End:
        """Write results and report, and put them where they are looked for."""
        names = (*RESULTS, REPORT, DEFINITION, *findings.files)

        def work(folder: Path) -> dict[str, Any]:
            self.tell(events.Work("writing the report", "", 0, 1))
            for name in RESULTS:
                results.write(folder / name, findings.results)
            for name, write in ((REPORT, findings.report), *findings.files.items()):
                write(folder / name)
            with atomic_write(folder / DEFINITION) as temporary:
                temporary.write_text(self.study.as_yaml(), encoding="utf-8")
            self.tell(events.Work("writing the report", "", 1, 1))
            return {}

        inputs = {
            "study": self.study.model_dump(mode="json"),
            "stages": list(self.stages.keys),
            "notices": self.notices,
            "version": __version__,
        }
        done = self.stages.run(Stage("report", self.study.name, REPORT_VERSION, inputs), work)
        for name in names:
            if not (self.out / name).is_file() or not filecmp.cmp(done.folder / name, self.out / name, shallow=False):
                with atomic_write(self.out / name) as temporary:
                    shutil.copyfile(done.folder / name, temporary)
        end = End(self.stages.done, self.stages.cached, self.out / RESULTS[0], self.out / REPORT, findings.in_short)
        self.tell(end)
        return end
