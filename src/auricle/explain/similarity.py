"""Everything that is asked of the representations of one task's clips: against descriptors, and against each other.

Each RDM is ranked once and permuted once for all that it is compared with. Clips where a descriptor is not defined are
left out for that descriptor alone; partial correlations are over the clips that have all descriptors.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.explain.bootstrap import DRAWS, bootstrap, drawn_clusters
from auricle.explain.cka import cka_matrix
from auricle.explain.inference import Ceiling, benjamini_hochberg, naive_p
from auricle.explain.mantel import PERMUTATIONS, Orders, null_correlations, orders_within, p_values
from auricle.explain.partial import (
    controls_of,
    partial_correlations,
    permuted_partial_correlations,
    unique_variance,
)
from auricle.explain.ranks import correlations, standardised_ranks
from auricle.explain.rdm import FEWEST_CLIPS, Floats, Singles, rdm

Rows = NDArray[np.int64]

COMMON = 2 / 3  # share of clips that must have all descriptors that enter partial correlations


@dataclass(frozen=True)
class Representation:
    """A model's embeddings ``(n, dim)`` of the clips, or one layer's; what could not be embedded is not finite."""

    model: str
    layer: str | None
    embeddings: NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How far correlations are tested: numbers of permutations and bootstrap draws (0 for none), and their seed."""

    permutations: int = PERMUTATIONS
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """One comparison; None where something could not be computed.

    Attributes
    ----------
    kind
        ``descriptor`` or ``model``.
    model, layer
        The representation; `layer` is None for the clip's embedding.
    other, other_layer
        The descriptor, or the other representation.
    task
        Whose clips.
    r_s, r_partial
        Spearman's correlation, and the one with descriptors of other families controlled.
    unique_variance
        What a non-negative sum of all descriptors' ranks loses without this one, as a share of variance.
    cka
        Debiased linear CKA of two representations.
    p_mantel, p_partial, q, q_partial
        One-sided, of Mantel's test, and false discovery rates over all tests of their kind in the analysis.
    ci_low, ci_high
        95 % bootstrap interval of `r_s`; of clips' embeddings, not of layers.
    ceiling_low, ceiling_high
        Noise ceiling of the representation.
    p_naive
        Two-sided, pairs of clips taken for independent: what is usually reported, and far too small.
    n, n_partial
        Clips compared.
    note
        Why something is missing.
    """

    kind: str
    model: str
    layer: str | None
    other: str
    other_layer: str | None = None
    task: str = ""
    r_s: float | None = None
    r_partial: float | None = None
    unique_variance: float | None = None
    cka: float | None = None
    p_mantel: float | None = None
    p_partial: float | None = None
    q: float | None = None
    q_partial: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    ceiling_low: float | None = None
    ceiling_high: float | None = None
    p_naive: float | None = None
    n: int = 0
    n_partial: int | None = None
    note: str | None = None


_TEXT = ("kind", "model", "layer", "other", "other_layer", "task", "note")
_COUNTS = ("n", "n_partial")
SCHEMA = pa.schema(
    [
        (name, pa.string() if name in _TEXT else pa.int64() if name in _COUNTS else pa.float64())
        for name in Similarity.__dataclass_fields__
    ]
)


def as_table(rows: Sequence[Similarity]) -> pa.Table:
    """The rows as they are written to a file."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA)


def from_table(table: pa.Table) -> list[Similarity]:
    """The rows of a table that :func:`as_table` has made."""
    return [Similarity(**row) for row in table.to_pylist()]


def with_q(rows: Sequence[Similarity]) -> list[Similarity]:
    """The rows of a whole analysis with false discovery rates over all its tests of each kind (Benjamini-Hochberg)."""
    found = list(rows)
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [number for number, row in enumerate(rows) if row.kind == kind]
        for p, q in (("p_mantel", "q"), ("p_partial", "q_partial")):
            values = [getattr(rows[number], p) for number in own]
            corrected = benjamini_hochberg(np.array([np.nan if value is None else value for value in values]))
            for number, value in zip(own, corrected, strict=True):
                changes: dict[str, Any] = {q: _known(value)}
                found[number] = replace(found[number], **changes)
    return found


def similarities(
    representations: Sequence[Representation],
    descriptors: Mapping[str, NDArray[np.floating]],
    *,
    task: str = "",
    families: Mapping[str, str] | None = None,
    clusters: Sequence[object] | None = None,
    ceilings: Mapping[tuple[str, str | None], Ceiling | str] | None = None,
    inference: Inference = Inference(),
) -> list[Similarity]:
    """Compare all representations of a task's clips with all descriptors and with each other.

    Parameters
    ----------
    representations
        Of the same n clips; clips that any of them lacks are left out everywhere.
    descriptors
        Name → ``(n,)``, NaN where a clip has no such property.
    task
        What rows call it.
    families
        Family of each descriptor; by default each is its own.
    clusters
        ``(n,)`` what clips belong to, or None.
    ceilings
        Noise ceiling of each model and layer, or why there is none.
    inference
        Permutations, draws and seed.

    Returns
    -------
    list of Similarity
        Without q: that is for :func:`with_q`, over all tasks.

    Raises
    ------
    AuricleError
        When the numbers of clips differ, or fewer than four remain.
    """
    sizes = {len(one.embeddings) for one in representations} | {len(values) for values in descriptors.values()}
    if len(sizes) > 1:
        raise AuricleError(f"RSA compares the same clips, got {' and '.join(map(str, sorted(sizes)))} of them")
    embedded = np.all([np.isfinite(one.embeddings).all(axis=1) for one in representations], axis=0)
    if embedded.sum() < FEWEST_CLIPS:
        of_task = f" of {task}" if task else ""
        raise AuricleError(f"RSA needs {FEWEST_CLIPS} clips or more, got {embedded.sum()}{of_task}")
    work = _Task(representations, descriptors, embedded, clusters, inference)
    found = {
        (one.model, one.layer, name): Similarity(
            kind="descriptor",
            model=one.model,
            layer=one.layer,
            other=name,
            task=task,
            n=int((work.defined[name]).sum()),
            note=work.unusable.get(name),
        )
        for one in representations
        for name in descriptors
    }
    for update in (work.with_descriptors(), work.partial(families)):
        for key, values in update.items():
            found[key] = replace(found[key], **values)
    between = [
        Similarity(
            kind="model",
            model=one.model,
            layer=one.layer,
            other=other.model,
            other_layer=other.layer,
            task=task,
            n=int(embedded.sum()),
            **values,
        )
        for (one, other), values in work.between()
    ]
    rows = [*found.values(), *between]
    return [_under(row, (ceilings or {}).get((row.model, row.layer))) for row in rows]


Key = tuple[str, str | None, str]
Values = dict[str, Any]


class _Task:
    """The clips of one task."""

    def __init__(
        self,
        representations: Sequence[Representation],
        descriptors: Mapping[str, NDArray[np.floating]],
        embedded: NDArray[np.bool_],
        clusters: Sequence[object] | None,
        inference: Inference,
    ) -> None:
        self.representations, self.clusters, self.inference = representations, clusters, inference
        self.embedded = embedded
        self.values = {name: np.asarray(values, dtype=np.float64) for name, values in descriptors.items()}
        self.defined = {name: np.isfinite(values) & embedded for name, values in self.values.items()}
        self.unusable = {
            name: why for name in descriptors if (why := _unusable(self.values[name][self.defined[name]])) is not None
        }

    def with_descriptors(self) -> dict[Key, Values]:
        """Correlations with each descriptor, over the clips that have it."""
        groups: dict[bytes, list[str]] = {}
        for name in self.values:
            if name not in self.unusable:
                groups.setdefault(self.defined[name].tobytes(), []).append(name)
        found: dict[Key, Values] = {}
        for names in groups.values():
            clips = np.flatnonzero(self.defined[names[0]])
            models, others = self._model_ranks(clips), self._descriptor_ranks(names, clips)
            compared = self._compared(models, others, clips)
            for (i, one), (j, name) in itertools.product(enumerate(self.representations), enumerate(names)):
                found[one.model, one.layer, name] = {key: _known(values[i, j]) for key, values in compared.items()}
        return found

    def partial(self, families: Mapping[str, str] | None) -> dict[Key, Values]:
        """Partial correlations and unique variance, over the clips that have all descriptors."""
        names, clips = self._in_common()
        if len(names) < 2:
            return {}
        models, others = self._model_ranks(clips), self._descriptor_ranks(names, clips)
        among, observed = correlations(others, others), correlations(models, others)
        controls = controls_of([(families or {}).get(name, name) for name in names])
        partial = partial_correlations(observed, among, controls=controls)
        null = null_correlations(others, np.concatenate([others, models]), self._orders(clips))
        p = p_values(partial, permuted_partial_correlations(null, observed, among, controls=controls))
        alone = ~controls.any(axis=1)  # nothing else to control: what is left would be called what it is not
        partial[:, alone] = p[:, alone] = np.nan
        _, unique = unique_variance(observed, among)
        return {
            (one.model, one.layer, name): {
                "r_partial": _known(partial[i, j]),
                "p_partial": _known(p[i, j]),
                "unique_variance": _known(unique[i, j]),
                "n_partial": len(clips),
            }
            for (i, one), (j, name) in itertools.product(enumerate(self.representations), enumerate(names))
        }

    def _in_common(self) -> tuple[list[str], Rows]:
        """The descriptors that enter partial correlations, and the clips that have them all.

        Those that most clips have enter first, and one that would leave fewer than two thirds of the clips does not.
        """
        common = self.embedded
        for name in sorted(self.values, key=lambda name: -int(self.defined[name].sum())):
            if name not in self.unusable and (common & self.defined[name]).sum() >= COMMON * self.embedded.sum():
                common = common & self.defined[name]
        clips = np.flatnonzero(common)
        inside = [name for name in self.values if name not in self.unusable and self.defined[name][clips].all()]
        return [name for name in inside if _unusable(self.values[name][clips]) is None], clips

    def between(self) -> list[tuple[tuple[Representation, Representation], Values]]:
        """Each representation with each other one."""
        if len(self.representations) < 2:
            return []
        clips = np.flatnonzero(self.embedded)
        ranks = self._model_ranks(clips)
        compared = self._compared(ranks, ranks, clips)
        compared["cka"] = cka_matrix([one.embeddings[clips] for one in self.representations])
        return [
            (
                (self.representations[i], self.representations[j]),
                {key: _known(values[i, j]) for key, values in compared.items()},
            )
            for i, j in itertools.combinations(range(len(ranks)), 2)
        ]

    def _compared(self, ranks: Singles, others: Singles, clips: Rows) -> dict[str, Floats]:
        observed = correlations(ranks, others)
        found = {
            "r_s": observed,
            "p_mantel": p_values(observed, self._null(ranks, others, clips)),
            "p_naive": naive_p(observed, ranks.shape[1]),
        }
        own = [row for row, one in enumerate(self.representations) if one.layer is None]
        if self.inference.draws and own:
            first = ranks[own]
            second = first if others is ranks else others
            places = np.ix_(own, own if others is ranks else range(len(others)))
            drawn = bootstrap(
                first,
                second,
                draws=self.inference.draws,
                seed=self.inference.seed,
                clusters=drawn_clusters(self._clusters(clips)),
            )
            for name, ends in (("ci_low", drawn.low), ("ci_high", drawn.high)):
                found[name] = np.full_like(observed, np.nan)
                found[name][places] = ends
        return found

    def _model_ranks(self, clips: Rows) -> Singles:
        ranks = np.empty((len(self.representations), len(clips) * (len(clips) - 1) // 2), dtype=np.float32)
        for row, one in enumerate(self.representations):
            try:
                ranks[row] = standardised_ranks(rdm(one.embeddings[clips]))
            except AuricleError as error:
                raise AuricleError(f"{one.model}{f', layer {one.layer}' if one.layer else ''}: {error}") from None
        return ranks

    def _descriptor_ranks(self, names: Sequence[str], clips: Rows) -> Singles:
        return np.stack([standardised_ranks(rdm(self.values[name][clips])) for name in names])

    def _null(self, ranks: Singles, others: Singles, clips: Rows) -> NDArray[np.floating]:
        """Correlations ``(permutations, k, m)`` with permuted clips; the fewer RDMs are those that are permuted."""
        orders = self._orders(clips)
        if len(ranks) <= len(others):
            return null_correlations(ranks, others, orders)
        return null_correlations(others, ranks, orders).transpose(0, 2, 1)

    def _orders(self, clips: Rows) -> Orders:
        wanted = self.inference
        return orders_within(self._clusters(clips), len(clips), wanted.permutations, seed=wanted.seed)

    def _clusters(self, clips: Rows) -> list[object] | None:
        return None if self.clusters is None else [self.clusters[clip] for clip in clips]


def _unusable(values: Floats) -> str | None:
    if len(values) < FEWEST_CLIPS:
        return f"{len(values)} clips have it: {FEWEST_CLIPS} are needed"
    return "it is the same for all clips" if np.ptp(values) == 0 else None


def _under(row: Similarity, ceiling: Ceiling | str | None) -> Similarity:
    if isinstance(ceiling, Ceiling):
        return replace(row, ceiling_low=ceiling.low, ceiling_high=ceiling.high)
    return row if ceiling is None else replace(row, note=row.note or ceiling)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
