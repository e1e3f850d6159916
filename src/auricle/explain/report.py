"""The report of an explanation: one HTML file with figures, their tables, and how all of it was made."""

import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auricle import __version__
from auricle.explain import figures, tables
from auricle.explain.bootstrap import FEWEST_CLUSTERS
from auricle.explain.dissected import RUN_SECONDS
from auricle.explain.outcome import Explanation
from auricle.files import atomic_write
from auricle.report.page import Section, duration, facts, figure, note, page, text
from auricle.training import environment
from auricle.words import counted


def write_report(explanation: Explanation, path: Path) -> None:
    """Write the report, all or nothing."""
    of = ((explanation.models, "model"), (explanation.columns, "descriptor"), (explanation.tasks, "task"))
    written = page(
        "What the model hears" if len(explanation.models) == 1 else "What the models hear",
        f"{' × '.join(counted(len(some), noun) for some, noun in of)} · Auricle {__version__}",
        list(_sections(explanation)),
        summary=tables.sentences(explanation),
        notices=explanation.notices,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(written, encoding="utf-8")


def _sections(explanation: Explanation) -> Iterator[Section]:
    yield Section("descriptors", "What orders the embeddings", _descriptors(explanation))
    yield Section("ceilings", "How sure that is", _ceilings(explanation))
    if len(explanation.models) > 1:
        yield Section("models", "How alike the models are", _models(explanation))
    if any(model.layers for model in explanation.models):
        yield Section("layers", "Layer by layer", _layers(explanation))
    if explanation.pictures:
        yield Section("pictures", "What lies near what", _pictures(explanation))
    yield Section("each", "Task by task", _each(explanation))
    yield Section("tasks", "Clips", tables.tasks(explanation))
    yield Section("made", "How this was made", _made(explanation))


def _descriptors(explanation: Explanation) -> str:
    settings = explanation.settings
    panels, words = _OVER_TASKS if len(explanation.tasks) > 1 else _OF_ONE_TASK
    caption = (
        "Counterpart of figure 3 of Ogg (2025). Spearman's correlation between the cosine distances of all pairs of "
        f"clips in a model's embeddings and their differences in one descriptor{panels} what is left of it when all "
        "descriptors of other families are controlled; empty where there is no other. Significance: Mantel's one-sided "
        f"test with {settings.permutations:,} permutations of clips, false discovery rate below 5 % over all "
        "correlations of all models, layers and tasks. Descriptors of pitch are used on tasks of notes only. Made by "
        "auricle explain from rsa.parquet."
    )
    drawn = figure(figures.descriptors(explanation), caption, link=("table-descriptors", "The numbers."))
    return (
        f"{drawn}<details><summary>The numbers</summary>{tables.descriptors(explanation)}{note(words)}</details>"
        f"{tables.chances(explanation)}{note(_CHANCES)}"
    )


_OVER_TASKS = (
    ", task by task, averaged over tasks. Left, as published: over the tasks where it is above 0 and significant; "
    "empty where it is nowhere. Middle: over all tasks, which no selection makes larger. Right: over all tasks,",
    "Large: average over tasks where the correlation is retained. Small: average over all tasks; average over all "
    "tasks of the partial correlation, with all descriptors of other families controlled; on how many tasks it is "
    "retained.",
)
_OF_ONE_TASK = (
    ". Left, as published: where it is above 0 and significant; empty elsewhere. Middle: all, which no selection makes "
    "larger. Right:",
    "Large: the correlation, tinted where it is retained. Small: the partial correlation, with all descriptors of "
    "other families controlled.",
)
_CHANCES = (
    "How many of the correlations with descriptors, layers included, are above 0 and significant at a false discovery "
    "rate of 5 %. The naive test takes pairs of clips for independent, which they are not: its p-values stand in "
    "rsa.parquet as p_naive."
)


def _ceilings(explanation: Explanation) -> str:
    settings = explanation.settings
    drawn = f"{settings.draws:,} bootstrap draws" if settings.draws else "no bootstrap draws"
    caption = (
        f"The strongest descriptors of each task. Lines: 95 % intervals from {drawn} of clips, of whole clusters "
        f"(speaker, film, source; group, or recording that clips share) where there are {FEWEST_CLUSTERS} or more, "
        "pairs of a clip with itself left out. "
        "Thick bars: the noise ceiling (Nili et al. 2014), the agreement of three or more pre-trainings that differ in "
        f"their seed alone, else of the embeddings of two halves of each clip's frames, every other {RUN_SECONDS:g} s."
    )
    drawing = figure(figures.ceilings(explanation), caption, link=("table-ceilings", "The ceilings."))
    return f"{drawing}{tables.ceilings(explanation)}"


def _models(explanation: Explanation) -> str:
    several = len(explanation.tasks) > 1
    caption = (
        "Counterpart of figure 4 of Ogg (2025). Left: Spearman's correlation between the distances of all pairs of "
        "clips in two models' embeddings. Middle: linear centred kernel alignment, debiased. "
        f"{'Both are averages over all tasks. ' if several else ''}Right: Spearman's correlation between the models' "
        f"{'averages over tasks of' if several else 'correlations with'} all descriptors, that is, whether the same "
        "descriptors matter to both."
    )
    drawn = figure(figures.models(explanation), caption, link=("table-models", "The numbers."))
    return f"{drawn}{tables.models(explanation)}{note(_PROFILES)}"


_PROFILES = "The p-values of feature profiles take descriptors for independent, as published; they are not."


def _layers(explanation: Explanation) -> str:
    caption = (
        "The descriptors that order any embedding most, at every layer: mean over time of the layer's features, cosine "
        f"distances{', averages over all tasks' if len(explanation.tasks) > 1 else ''}. The last column is the clip's "
        "embedding."
    )
    drawn = figure(figures.layers(explanation), caption, link=("table-layers", "Each layer's strongest."))
    return f"{drawn}<details><summary>Each layer's strongest</summary>{tables.layers(explanation)}</details>"


def _pictures(explanation: Explanation) -> str:
    caption = (
        f"Counterpart of figure 2 of Ogg (2025): t-SNE of the embeddings of {explanation.pictures[0].model}, the clips "
        f"that all figures here are of, seed {explanation.settings.seed}, perplexity 30 or a third of the clips. "
        "Coloured by class, and again by pitch (MIDI) or sex where a task knows it. Near points sound alike to the "
        "model; axes and distances between far groups mean nothing."
    )
    return figure(figures.pictures(explanation.pictures), caption, link=("tasks", "The clips."))


def _each(explanation: Explanation) -> str:
    words = (
        "Correlation, its 95 % interval, its false discovery rate (q), and the partial correlation with all "
        "descriptors of other families controlled. Tinted where it is retained."
    )
    tasks = "".join(
        f"<details><summary>{text(task.name)}</summary>{tables.one_task(explanation, task)}</details>"
        for task in explanation.tasks
    )
    return f"{note(words)}{tasks}"


def _made(explanation: Explanation) -> str:
    now = environment()
    settings = explanation.settings
    pooling = explanation.models[0].pooling
    entries = [
        ("Command", f"<code>{text(explanation.command or 'auricle.explain.run.explain_models')}</code>"),
        (
            "Clips",
            text(f"at most {settings.clips:,} at random of each task's validation part, seed {settings.seed}"),
        ),
        (
            "Embeddings",
            text(f"frames pooled by {pooling}" if pooling else "each model's own pooling of frames over time"),
        ),
        (
            "Tests",
            text(
                f"{settings.permutations:,} permutations of clips, rows and columns of an RDM together, within "
                "clusters where these are known; p = (1 + how many reach the correlation) / (1 + how many there are); "
                "Benjamini-Hochberg over all tests of a kind"
            ),
        ),
        (
            "Versions",
            text(
                f"Auricle {__version__}, torch {now['torch']}, NumPy {np.__version__}, Python {now['python']}, "
                f"{platform.system()} on {now['processor']}"
            ),
        ),
        ("Working time", text(f"{duration(explanation.seconds)} in all, cached stages included")),
        (
            "Models",
            "<br>".join(f"{text(model.name)}: <code>{text(model.fingerprint)}</code>" for model in explanation.models),
        ),
        (
            "Numbers",
            "<code>rsa.parquet</code> beside this file; every stage with its inputs below <code>stages/</code>",
        ),
    ]
    return facts(entries)
