"""A whole scaling study, tiny: nested amounts of audio, its report, and that stopping it costs nothing."""

from pathlib import Path

import pyarrow.csv
import pytest
import yaml

from auricle import results, synth
from auricle.errors import AuricleError, Interrupted
from auricle.manifest import Manifest
from auricle.pretraining.recipe import load_recipe
from auricle.settings import SettingsError
from auricle.study import events
from auricle.study.definition import load_study
from auricle.study.run import run_study
from auricle.study.scaling.arithmetic import flop_per_clip
from auricle.study.scaling.definition import Point, Scaling
from auricle.study.scaling.run import subsets
from auricle.study.sources import find_diets
from auricle.transfer.task import clips_of


def scaling(*overrides: str) -> Scaling:
    study = load_study("scaling", overrides)
    assert isinstance(study, Scaling)
    return study


@pytest.fixture(scope="module")
def interrupted(tiny_scaling: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny study, stopped in the midst of its third pre-training."""
    out = tmp_path_factory.mktemp("scaling") / "study"

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Pretraining) and event.number == 3 and hasattr(event.event, "loss"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command goes on where it was"):
        run_study(scaling(*tiny_scaling), out, report=stop)
    return out


def test_stopped_it_goes_on_and_finished_it_does_nothing(interrupted: Path, tiny_scaling: tuple[str, ...]) -> None:
    out, told = interrupted, []
    done = {path: path.stat().st_mtime_ns for path in out.glob("stages/pretraining/*/done.json")}
    assert len(done) == 2
    run_study(scaling(*tiny_scaling), out, command="auricle study run scaling", report=told.append)
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    plan = [event.text for event in told if isinstance(event, events.Said)]
    assert plan == [
        "plan: 3 points × 2 seeds (values: width 2, hours 2, steps 1; each axis alone); 4 of 6 pre-trainings are to be "
        "done"
    ]
    recipes = [yaml.safe_load(path.read_text()) for path in out.glob("stages/pretraining/*/recipe.yaml")]
    sizes = sorted((one["encoder"]["channels"], one["encoder"]["mlp_hidden"], one["seed"]) for one in recipes)
    assert sizes == [(2, 8, 0), (2, 8, 1), (4, 16, 0), (4, 16, 0), (4, 16, 1), (4, 16, 1)]

    rows = [row for row in results.read(out / "results.parquet") if row.metric == "accuracy"]
    summaries = results.summary(rows)
    assert len(summaries) == 6 and {row.diet for row in summaries} == {"0.004 h", "0.008 h"}
    points = pyarrow.csv.read_csv(out / "points.csv").to_pylist()
    assert sorted(1 - row.value for row in summaries) == pytest.approx(sorted(row["error"] for row in points))
    # Two 3 × 3 convolutions with batch-norm, 64 mels halved twice, two linear layers; weights and biases.
    by_hand = [(9 * c + c) + (9 * c * c + c) + 4 * c + (16 * c * h + h) + (h * h + h) for c, h in ((2, 8), (4, 16))]
    assert sorted({row["parameters"] for row in points}) == by_hand
    laws = pyarrow.csv.read_csv(out / "laws.csv").to_pylist()
    assert [(row["axis"], row["points"]) for row in laws] == [("width", 2), ("hours", 2)]
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("auricle study run scaling", "Parameters", "Hours of audio", "channels 4, mlp hidden 16", "TFLOP"):
        assert words in page
    assert page.count("<figcaption>") == 2
    end = told[-1]
    assert isinstance(end, events.End)
    # Two points along an axis have a slope, and the report does not make a floor of it.
    assert any("cannot be asked with fewer than 4 points" in sentence for sentence in end.in_short)
    assert run_study(scaling(*tiny_scaling), out, command="auricle study run scaling").stages == 0


def test_fewer_hours_are_part_of_more(tmp_path: Path) -> None:
    world = synth.make(tmp_path, clips=120)
    (diet,) = find_diets({"all": ["speech", "non-speech"]}, lambda source: Manifest.read(world.diets[source]))
    parts = subsets(scaling("hours=[0.002, 0.004, 0.01]"), diet)
    assert list(parts) == [0.002, 0.004, 0.01]
    for hours, part in parts.items():
        assert sum(part.lengths[0].values()) == pytest.approx(3600 * hours, abs=0.001)
    few, more, most = (list(clips_of(part.parts[0])) for part in parts.values())
    assert len(few) < len(more) < len(most)
    for fewer, larger in ((few, more), (more, most)):
        assert fewer[:-1] == larger[: len(fewer) - 1]  # the last is cut off, where the time is over
        assert fewer[-1][:2] == larger[len(fewer) - 1][:2]
    with pytest.raises(AuricleError, match=r"`hours` goes up to 9, but what can be read of the diet is 0\.0\d+ h long"):
        subsets(scaling("hours=[1, 9]"), diet)


def test_axes_vary_alone_from_the_largest_and_a_full_grid_has_all() -> None:
    sizes = "widths={encoder.channels: [2, 4]}", "hours=[1, 2, 4]", "steps=[10, 20]"
    axes = scaling(*sizes).points()
    assert axes == [Point(0, 4, 20), Point(1, 1, 20), Point(1, 2, 20), Point(1, 4, 10), Point(1, 4, 20)]
    full = scaling(*sizes, "grid=full").points()
    assert len(full) == 2 * 3 * 2 and set(axes) < set(full)


def test_operations_are_those_of_the_layers() -> None:
    sizes = {"encoder": {"architecture": "byola-2022", "channels": 4, "mlp_hidden": 16}, "projection_hidden": 32}
    recipe = load_recipe("byola-2022", {**sizes, "projection_dim": 8, "crop_seconds": 0.95})
    frames = 96
    convolutions = frames * 64 * 9 * 4 + (frames // 2) * 32 * 9 * 4 * 4
    linear = (frames // 4) * (16 * 4 * 16 + 16 * 16)
    heads = (16 * 4 + 16) * 32 + 32 * 8, 8 * 32 + 32 * 8  # projector and predictor
    online = convolutions + linear + sum(heads)
    target = convolutions + linear + heads[0]
    backward = 2 * online - frames * 64 * 9 * 4  # of what came in no gradient is needed
    moments = frames * 64 * 9 * 9  # of a first convolution's nine inputs, which its batch-norm is computed from
    # Two views, each through both networks, and two operations for each product.
    assert flop_per_clip(recipe) == pytest.approx(2 * 2 * (online + target + backward + 2 * moments), rel=0.01)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["steps=[200, 100]"], "`steps` rise from value to value, got 200, 100"),
        (["steps=4", "hours=1", "widths={}"], "nothing is varied: give at least two `widths`, `hours` or `steps`"),
        (["widths={encoder.channels: [2, 4], encoder.mlp_hidden: [3]}"], "encoder.channels has 2, encoder.mlp_hidden"),
        (["widths={wav2vec.mask_spam: [1, 2]}"], r"no key `wav2vec.mask_spam`; did you mean `mask_span`\?"),
        (["pretraining.overrides.epochs=3"], "`pretraining.overrides.epochs` follows from the study's own `steps`"),
        (["grid=half"], "`grid` is 'half': input should be 'axes' or 'full'"),
        (["hours=[0, 1]"], "`hours.0` is 0: input should be greater than 0"),
    ],
)
def test_what_is_wrong_is_named(changes: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study("scaling", changes)


def test_a_width_that_no_encoder_has_is_refused_before_anything_is_done(
    tiny_scaling: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(AuricleError, match="chanels"):
        run_study(scaling(*tiny_scaling, "widths={encoder.chanels: [2, 4]}"), tmp_path)
    with pytest.raises(AuricleError, match="`widths` must give ever more parameters, got"):
        run_study(scaling(*tiny_scaling, "widths={crop_seconds: [1, 2]}"), tmp_path)
    assert not (tmp_path / "stages").exists()
