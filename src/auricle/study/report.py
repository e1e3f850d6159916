"""The report of a study: one HTML file with everything inside, to be opened from disk, mailed or printed."""

import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auricle import __version__
from auricle.explore.excerpts import excerpts
from auricle.explore.html_map import sound_map, style_and_script
from auricle.files import atomic_write
from auricle.report.page import Section, duration, facts, figure, note, page, text
from auricle.study import effect, figures, hypotheses, summary, tables
from auricle.study.analyses import Picture
from auricle.study.effect import Effect
from auricle.study.encoders import recipe_of
from auricle.study.hypotheses import Expectation
from auricle.study.likeness import Likenesses
from auricle.study.outcome import Outcome
from auricle.training import environment
from auricle.transfer.protocols import protocol
from auricle.transfer.task import clips_of
from auricle.words import listed


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report, all or nothing."""
    study = outcome.study
    effects, asked = effect.effects(outcome), hypotheses.expectations(outcome)
    written = page(
        study.title or f"Study {study.name}",
        _subtitle(outcome),
        list(_sections(outcome, effects, asked)),
        summary=[
            *summary.sentences(outcome),
            *effect.in_words(effects),
            *(expectation.in_words for expectation in asked),
        ],
        notices=outcome.notices,
        end=style_and_script() if outcome.map is not None else (),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(written, encoding="utf-8")


def _subtitle(outcome: Outcome) -> str:
    return (
        f"{len(outcome.study.diets)} diets × {len(outcome.rows)} encoders × {len(outcome.tasks)} tasks · "
        f"study {outcome.study.name} · Auricle {__version__}"
    )


def _sections(outcome: Outcome, effects: list[Effect], asked: list[Expectation]) -> Iterator[Section]:
    """What the report consists of."""
    alike = Likenesses(outcome)
    yield Section("scores", "Scores", _scores(outcome))
    if effects:
        yield Section(
            "effect", "Does the diet have to match the task?", effect.picture(effects, list(outcome.study.diets))
        )
    if asked:
        yield Section("expectations", "What the author expected", hypotheses.section(outcome, asked, effects, alike))
    if outcome.study.confounds:
        points = "".join(f"<li>{text(words)}</li>" for words in outcome.study.confounds)
        yield Section("confounds", "What stays confounded", f"<ul>{points}</ul>")
    gains = outcome.gains()
    if gains:
        yield Section("training", "What pre-training adds", f"{tables.gains(outcome, gains)}{note(_GAINS)}")
    yield Section("losses", "Pre-training", _pretraining(outcome))
    if outcome.pictures:
        yield Section("pictures", "What lies near what", _pictures(outcome))
    if outcome.map is not None:
        yield Section("map", "Listen", _map(outcome, outcome.map))
    if outcome.similarities:
        yield Section(
            "similarity", "What orders the embeddings", f"{tables.similarities(outcome)}{note(_similarity(outcome))}"
        )
    alike_drawn = alike.picture()
    if alike_drawn:
        yield Section("alike", "How alike encoders are", alike_drawn)
    if outcome.layers:
        yield Section("layers", "Layer by layer", figure(figures.layers(outcome.layers), _LAYERS))
    yield Section("tasks", "Tasks", tables.tasks(outcome))
    yield Section("made", "How this was made", _made(outcome))


_LOSSES = {
    "byol": ("BYOL loss (0 … 8)", "the loss of BYOL-A's pre-training"),
    "wav2vec2": ("contrastive loss, nats", "the contrastive loss of wav2vec 2.0's pre-training"),
}
_LAYERS = (
    "The same analysis at every layer of the trained encoders, from the input to the clip's own embedding: Spearman's "
    "correlation between cosine distances of the mean over time of a layer and differences in a descriptor, mean over "
    "seeds. Numbers and tests: layers.csv beside this file."
)
_GAINS = (
    "Each trained encoder minus the same architecture with random weights behind the same front end, clip by clip "
    "over the same test clips, in percentage points of accuracy (also where the task's own metric is another); the "
    "mean over the random initialisations counts. Below it the 95 % bootstrap interval, and the p-value of a "
    "two-sided paired permutation test within clusters, corrected by Holm's method for all comparisons of this table."
)


def _scores(outcome: Outcome) -> str:
    study = outcome.study
    settings = study.probe.settings()
    label = protocol(study.probe.protocol).label(settings)
    means = f"; means over {len(study.probe.seeds)} probe seeds" if len(study.probe.seeds) > 1 else ""
    words = (
        f"Protocol {label}: a linear probe on frozen embeddings, selected on validation data, scored on test data "
        f"once{means}. Small print: 95 % bootstrap intervals over clusters "
        "of test clips; for encoders with several seeds from the lowest end of theirs to the highest. Bold: the best "
        "encoder of a task, where a paired permutation test tells it from every other (p < 0.05 after Holm's "
        "correction). ≈: the best and those that the test cannot tell from it. Guessing: always the most frequent "
        "class; for balanced accuracy one in the number of classes, for average precision the share of positive clips."
    )
    if any(task.metric != "accuracy" for task in outcome.tasks):
        words += " The paired test compares accuracy, also where the task is scored otherwise."
    caption = (
        "The same numbers. Filled: trained; hollow: the same architecture with random weights and the trained "
        "encoder's front-end statistics, small strokes its initialisations; squares and diamonds: hand-made "
        "controls. Lines are 95 % intervals, the dashed line is guessing. Made by auricle study from results.parquet."
    )
    return f"{tables.scores(outcome)}{note(words)}{figure(figures.scores(outcome), caption)}"


def _pretraining(outcome: Outcome) -> str:
    recipe = recipe_of(outcome.study.learning, seed=0)
    axis, words = _LOSSES[recipe.objective]
    caption = (
        f"{words[0].upper()}{words[1:]} by the recipe {recipe.name}, mean over the steps between two points, from each "
        "run's metrics.jsonl. It says that training goes on, not how good an encoder is: losses on different diets "
        "do not compare."
    )
    drawn = figures.losses(outcome.trainings, list(outcome.study.diets), what=axis)
    return f"{figure(drawn, caption)}{tables.diets(outcome)}"


def _pictures(outcome: Outcome) -> str:
    settings = outcome.study.tsne
    assert settings is not None
    part = "of the part that selects probes" if settings.part == "valid" else "of all parts"
    labels = listed(dict.fromkeys(picture.encoder.label for picture in outcome.pictures))
    caption = (
        f"t-SNE of embeddings of the encoder {labels}; at most {settings.clips:,} random clips {part} of each task, "
        f"seed {outcome.study.seed}, perplexity 30 or a third of the clips. Near points sound alike to the encoder; "
        "axes and distances between far groups mean nothing."
    )
    return figure(figures.pictures(outcome.pictures), caption)


def _map(outcome: Outcome, picture: Picture) -> str:
    settings = outcome.study.map
    assert settings is not None
    shown = picture.task.select(picture.rows)
    chosen = clips_of(shown)
    sounds = excerpts(
        [Path(path) for path, _, _ in chosen],
        starts=[start for _, start, _ in chosen],
        ends=[end for _, _, end in chosen],
        budget=round(settings.megabytes * 1e6),
    )
    fragment = sound_map(
        picture.points,
        names=shown.column("path"),
        labels=shown.column("label"),
        sounds=sounds,
        identity="sound-map",
        title=f"Map of {picture.task.name}",
    )
    heard = sum(sound is not None for sound in sounds.sounds)
    silent = "" if heard == len(chosen) else f"; {len(chosen) - heard} points beyond the budget are silent"
    words = (
        f"{len(chosen):,} clips of {picture.task.name} as the encoder {picture.encoder.label} lays them out (t-SNE, "
        f"seed {outcome.study.seed}). The first {sounds.seconds:g} s of each are inside this file as Ogg Vorbis, "
        f"{sounds.size / 1e6:.1f} MB of at most {settings.megabytes:g}{silent}."
    )
    return f"{fragment}{note(words)}"


def _similarity(outcome: Outcome) -> str:
    settings = outcome.study.rsa
    assert settings is not None
    return (
        "Representational similarity analysis: Spearman's correlation between the cosine distances of all pairs of "
        f"clips and their differences in an acoustic descriptor, over at most {settings.clips:,} random "
        "clips of a task's validation part, means over seeds. Tinted where Mantel's one-sided permutation test is "
        "significant (false discovery rate below 5 % within the task; for means, in at least half of what they are "
        f"taken of). Clips without a pitch are left out of its rows. Seed {outcome.study.seed}."
    )


def _made(outcome: Outcome) -> str:
    now = environment()
    study = outcome.study
    entries = {
        "Command": f"<code>{text(outcome.command or 'auricle.study.run.run_study')}</code>",
        "Versions": text(
            f"Auricle {__version__}, torch {now['torch']}, NumPy {np.__version__}, Python {now['python']}, "
            f"{platform.system()} on {now['processor']}"
        ),
        "Threads": text(f"{now['threads']}, {now['processes']} process"),
        "Seeds": text(
            f"study {study.seed}; pre-training {', '.join(map(str, study.pretraining.seeds))}; random weights "
            f"{', '.join(map(str, study.random_seeds))}; probes {', '.join(map(str, study.probe.seeds))}"
        ),
        "Working time": text(f"{duration(outcome.seconds)} in all, cached stages included"),
        "Weights": "<br>".join(
            f"{text(encoder.label)}: <code>{text(encoder.fingerprint)}</code>" for encoder in outcome.encoders
        ),
        "Probe": text(protocol(study.probe.protocol).source),
        "Numbers": "<code>results.parquet</code>, <code>results.csv</code> beside this file; every stage with its "
        "inputs and outputs below <code>stages/</code>",
    }
    return (
        f"{facts(entries.items())}<details><summary>The study, everything resolved</summary>"
        f"<pre>{text(study.as_yaml())}</pre></details>"
    )
