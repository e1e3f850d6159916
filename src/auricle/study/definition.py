"""Which kinds of studies there are, and a study by the name of its YAML file.

``auricle study run STUDY.yaml`` takes it from there. Built-in studies ship with the package; ``key=value`` overrides go
on top, nested keys with dots. A file says by ``kind`` what it is a study of; diets is what it is when it says nothing.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle import settings
from auricle.errors import AuricleError
from auricle.settings import SettingsError
from auricle.study.ablation.definition import Ablation
from auricle.study.ablation.run import run_ablation
from auricle.study.base import Study
from auricle.study.diets import Diets
from auricle.study.diets_run import run_diets
from auricle.study.label_efficiency.definition import LabelEfficiency
from auricle.study.label_efficiency.run import run_label_efficiency
from auricle.study.plan.changes import plan_ablation, plan_scaling
from auricle.study.plan.diets import plan_diets
from auricle.study.scaling.definition import Scaling
from auricle.study.scaling.run import run_scaling
from auricle.study.session import Findings, Session

_PACKAGE = "auricle.study"
_USUAL = "diets"


@dataclass(frozen=True)
class Kind:
    """A kind of study: what its file says, and what does it."""

    definition: type[Study]
    run: Callable[[Any, Session], Findings]
    plan: Callable[[Any], Iterator[str]] | None = None


KINDS: Mapping[str, Kind] = {
    "diets": Kind(Diets, run_diets, plan_diets),
    "label-efficiency": Kind(LabelEfficiency, run_label_efficiency),
    "ablation": Kind(Ablation, run_ablation, plan_ablation),
    "scaling": Kind(Scaling, run_scaling, plan_scaling),
}


def list_studies() -> list[str]:
    """Names of the built-in studies."""
    return settings.built_in(_PACKAGE)


def load_study(source: str | Path, overrides: Iterable[str] = ()) -> Study:
    """Read a study by name or from a YAML file and put ``key=value`` overrides on top.

    Raises
    ------
    SettingsError
        For an unknown study or kind, an unknown key (naming the nearest one) or a value that makes no sense.
    """
    values = settings.read_yaml(source, package=_PACKAGE, kind="study")
    name = str(values.setdefault("name", Path(source).stem))
    settings.override(values, overrides, name=name)
    kind = str(values.get("kind", _USUAL))
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        raise SettingsError(f"{name}: no kind of study is called {kind!r}; {hint}")
    return settings.build(KINDS[kind].definition, values, name=name)


def plan_of(study: Study) -> Iterator[str]:
    """What a study takes and what is missing for it, line by line; nothing of it is done.

    Raises
    ------
    AuricleError
        When studies of its kind cannot be planned, or it names something that there is not.
    """
    planned = KINDS[study.kind].plan
    if planned is None:
        kinds = ", ".join(kind for kind, entry in KINDS.items() if entry.plan is not None)
        raise AuricleError(f"{study.name} is a study of kind {study.kind}: --plan is for kinds {kinds}")
    return planned(study)
