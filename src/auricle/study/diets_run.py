"""Run a study of diets: pre-training → embedding → probes → analyses → results and report."""

from functools import partial

from auricle.comparisons import Comparison
from auricle.study import analyses, encoders, events, measuring, sources
from auricle.study.analyses import Likeness, Picture, Similarity
from auricle.study.diets import Diets, Part
from auricle.study.encoders import StudyEncoder, Training, Wanted
from auricle.study.layers import LayerSimilarity, hear_layers, layer_similarity, write_layers
from auricle.study.outcome import Outcome
from auricle.study.report import write_report
from auricle.study.session import Findings, Session
from auricle.study.sources import Diet
from auricle.transfer.clip_sets import Embedded
from auricle.transfer.probing import Probed, ProbePlan
from auricle.transfer.task import Task

LAYERS = "layers.csv"


def run_diets(study: Diets, session: Session) -> Findings:
    """Do all of a study of diets that is not done yet."""
    return _Run(study, session).all()


class _Run:
    """One call of :func:`run_diets`."""

    def __init__(self, study: Diets, session: Session) -> None:
        self.study, self.session, self.stages = study, session, session.stages
        self._heard: dict[tuple[str, str], str] = {}

    def all(self) -> Findings:
        study, session = self.study, self.session
        whole, tasks = session.find(study.diets, study.tasks, leave_out=study.leave_out, hop=study.hop)
        self._heard, diets = self._what_is_heard(whole, tasks)
        trainings = self._pretrain(diets)
        found = encoders.encoders_of(self.stages, study, trainings)
        embedded = session.embed(found, tasks, serves=self._serves)
        plan = ProbePlan(study.probe.protocol, study.probe.settings(), study.probe.seeds)
        rows = len({encoder.title for encoder in found})
        probed = session.probe(plan, embedded, tasks, f"{rows} encoders × {len(tasks)} tasks")
        similarities, likenesses = self._similarities(embedded, tasks)
        outcome = Outcome(
            study=study,
            command=session.command,
            diets=diets,
            tasks=tasks,
            trainings=trainings,
            encoders=found,
            probed=probed,
            comparisons=self._compare(tasks, probed),
            similarities=similarities,
            likenesses=likenesses,
            layers=self._layers(found, tasks),
            pictures=self._pictures(found, embedded, tasks),
            map=self._map(found, embedded, tasks),
            notices=session.notices,
            seconds=self.stages.seconds,
        )
        files = {LAYERS: partial(write_layers, outcome.layers)} if outcome.layers else {}
        return Findings(outcome.results, partial(write_report, outcome), files)

    # --- diets -------------------------------------------------------------------------------------------------------

    def _what_is_heard(self, whole: list[Diet], tasks: list[Task]) -> tuple[dict[tuple[str, str], str], list[Diet]]:
        """By diet and task, the name of what its encoders are trained on; and all that they are trained on."""
        study = self.study
        if study.leave_own_corpus_out:
            heard = sources.served(whole, tasks)
        else:
            heard = {(diet.name, task.name): diet for diet in whole for task in tasks}
        diets = list({diet.name: diet for diet in heard.values()}.values())
        if study.equal_hours:
            diets = sources.of_equal_hours(diets, seed=study.seed)
        return {served: diet.name for served, diet in heard.items()}, diets

    def _serves(self, encoder: StudyEncoder, task: str) -> bool:
        """Whether a task is scored by this encoder, and not by one of another part of its diet."""
        if encoder.kind != "trained" or encoder.diet is None:
            return True
        return self._heard[encoder.diet, task] == (encoder.heard or encoder.diet)

    # --- encoders and scores ----------------------------------------------------------------------------------------

    def _pretrain(self, diets: list[Diet]) -> list[Training]:
        how = self.study.learning
        return self.session.pretrain([Wanted(diet.name, how, diet, seed) for diet in diets for seed in how.seeds])

    def _compare(self, tasks: list[Task], probed: list[Probed[StudyEncoder]]) -> list[Comparison]:
        return [
            comparison
            for task in self.session.each("comparing", tasks, lambda task: task.name)
            for comparison in measuring.compare(
                self.stages, [entry for entry in probed if entry.task is task], seed=self.study.seed
            )
        ]

    # --- analyses ---------------------------------------------------------------------------------------------------

    def _similarities(
        self, embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> tuple[list[Similarity], list[Likeness]]:
        settings, seed = self.study.rsa, self.study.seed
        found: list[Similarity] = []
        alike: list[Likeness] = []
        if settings is None:
            return found, alike
        for task in self.session.each("similarity to acoustic descriptors", tasks, lambda task: task.name):
            described = analyses.describe(self.stages, task, settings, seed=seed)
            of_task, between = analyses.similarity(self.stages, described, embedded[task.name], seed=seed)
            found += of_task
            alike += between
        return found, alike

    def _layers(self, found: list[StudyEncoder], tasks: list[Task]) -> list[LayerSimilarity]:
        settings, seed, session = self.study.rsa, self.study.seed, self.session
        if settings is None or not settings.layers:
            return []
        similar: list[LayerSimilarity] = []
        pieces = [
            (encoder, task)
            for encoder in found
            for task in tasks
            if encoder.kind == "trained" and self._serves(encoder, task.name)
        ]
        for encoder, task in session.each("layer by layer", pieces, lambda piece: f"{piece[1].name}, {piece[0].label}"):
            described = analyses.describe(self.stages, task, settings, seed=seed)
            hearing = hear_layers(
                self.stages,
                described,
                encoder,
                device=session.device,
                progress=lambda now: session.tell(events.Embedding(now)),
            )
            similar += layer_similarity(self.stages, described, encoder, hearing, seed=seed)
        return similar

    def _pictures(
        self, found: list[StudyEncoder], embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> list[Picture]:
        settings = self.study.tsne
        if settings is None:
            return []
        shown = settings.diets or list(self.study.diets)[-1:]
        pieces = [(self._trained_on(diet, task, found), task) for diet in shown for task in tasks]
        return [
            self._picture(encoder, task, embedded[task.name], part=settings.part, clips=settings.clips)
            for encoder, task in self.session.each("t-SNE", pieces, lambda piece: piece[1].name)
        ]

    def _map(
        self, found: list[StudyEncoder], embedded: dict[str, list[Embedded[StudyEncoder]]], tasks: list[Task]
    ) -> Picture | None:
        settings = self.study.map
        if settings is None:
            return None
        task = next(task for task in tasks if settings.task in (None, task.short_name))
        encoder = self._trained_on(settings.diet or list(self.study.diets)[-1], task, found)
        return self._picture(encoder, task, embedded[task.name], part=settings.part, clips=settings.clips)

    def _picture(
        self, encoder: StudyEncoder, task: Task, embedded: list[Embedded[StudyEncoder]], *, part: Part, clips: int
    ) -> Picture:
        rows = analyses.choose_clips(task, part=part, clips=clips, seed=self.study.seed)
        entry = next(entry for entry in embedded if entry.encoder is encoder)
        return analyses.picture(self.stages, entry, task, rows, seed=self.study.seed)

    def _trained_on(self, diet: str, task: Task, found: list[StudyEncoder]) -> StudyEncoder:
        own = (encoder for encoder in found if encoder.kind == "trained" and encoder.diet == diet)
        return next(encoder for encoder in own if self._serves(encoder, task.name))
