"""Run an ablation: every changed recipe pre-trained, probed, and compared with the recipe as it is."""

from functools import partial

from auricle.comparisons import Comparison
from auricle.study import encoders
from auricle.study.ablation.altered import INVARIANCE, measured, write_invariance
from auricle.study.ablation.definition import BASE, Ablation, Variant
from auricle.study.ablation.outcome import Outcome, VariantEncoder
from auricle.study.ablation.report import write_report
from auricle.study.encoders import Training, Wanted
from auricle.study.session import Findings, Session
from auricle.study.sources import Diet
from auricle.transfer.probing import Probed, ProbePlan, compare_pairs
from auricle.transfer.task import Task


def run_ablation(study: Ablation, session: Session) -> Findings:
    """Do all of an ablation that is not done yet."""
    variants = study.variants()
    diets, tasks = session.find({"pre-training": study.diet}, study.tasks)
    trainings = _pretrain(study, session, variants, diets[0])
    recipe = encoders.recipe_of(study.pretraining, seed=0).name
    found = [
        VariantEncoder(
            variant, training.seed, str(training.model_folder), training.stage.facts["weights_fingerprint"], recipe
        )
        for variant in variants
        for training in trainings[variant.title]
    ]
    plan = ProbePlan(study.probe.protocol, study.probe.settings(), study.probe.seeds)
    probed = session.probe(plan, session.embed(found, tasks), tasks, f"{len(found)} encoders × {len(tasks)} tasks")
    outcome = Outcome(
        study=study,
        command=session.command,
        variants=variants,
        tasks=tasks,
        trainings=trainings,
        probed=probed,
        comparisons=_compare(session, variants, tasks, probed),
        altered=measured(study, session, found, tasks),
        notices=session.notices,
        seconds=session.stages.seconds,
    )
    files = {INVARIANCE: partial(write_invariance, outcome)} if outcome.altered else {}
    return Findings(outcome.results, partial(write_report, outcome), files, in_short=tuple(outcome.sentences))


def _pretrain(study: Ablation, session: Session, variants: list[Variant], diet: Diet) -> dict[str, list[Training]]:
    """The trainings of each row, by its title."""
    seeds = study.pretraining.seeds
    wanted = [Wanted(variant.title, variant.pretraining, diet, seed) for variant in variants for seed in seeds]
    trained = session.pretrain(
        wanted,
        plan=lambda missing: (
            f"plan: {len(variants)} recipes × {len(seeds)} seeds; {missing} of {len(wanted)} pre-trainings are to be "
            "done"
        ),
    )
    found: dict[str, list[Training]] = {variant.title: [] for variant in variants}
    for one, training in zip(wanted, trained, strict=True):
        found[one.title].append(training)
    return found


def _compare(
    session: Session, variants: list[Variant], tasks: list[Task], probed: list[Probed[VariantEncoder]]
) -> list[Comparison]:
    pairs = [(variant.title, BASE) for variant in variants[1:]]
    found: list[Comparison] = []
    for task in session.each("comparing", tasks, lambda task: task.name):
        groups = {
            variant.title: [one for one in probed if one.task is task and one.encoder.variant.title == variant.title]
            for variant in variants
        }
        found += compare_pairs(session.stages, task.name, groups, pairs, metric=task.metric, seed=session.study.seed)
    return found
