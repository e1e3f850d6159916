"""Run a study of any kind, each stage once.

::

    auricle study run demo --out runs/demo
    auricle study run study.yaml data=/corpora pretraining.overrides.steps=2000 --out runs/study

The study's folder holds `study.yaml` (everything resolved), `results.parquet`, `results.csv`, `report.html`, and
`stages/`, where every finished stage lies under its key (:mod:`auricle.stages`). A second run does nothing; one
that was killed goes on where it was.
"""

from pathlib import Path

from auricle.errors import Interrupted
from auricle.files import FolderLock
from auricle.study.base import Study
from auricle.study.definition import KINDS
from auricle.study.events import End, Report, say_nothing
from auricle.study.session import Session


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
            session = Session(study, out, command, report)
            return session.publish(KINDS[study.kind].run(study, session))
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                f"stopped; what is done is kept in {out}, and the same command goes on where it was"
            ) from None
