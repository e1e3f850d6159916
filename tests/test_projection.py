"""Every projection keeps groups together, is reproducible, and its figure is complete."""

import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.neighbors import KNeighborsClassifier

from auricle import projection
from auricle.errors import AuricleError
from auricle.projection import LEGEND_LIMIT, MARKERS, PALETTE, Method, pca, project, scatter, tsne, umap


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    centres = 8 * generator.standard_normal((4, 100))
    label = np.repeat(np.arange(4), 40)
    return centres[label] + generator.standard_normal((160, 100)), label


def test_groups_stay_together(groups: tuple[np.ndarray, np.ndarray]) -> None:
    points = tsne(groups[0])
    assert points.shape == (160, 2)
    assert KNeighborsClassifier(5).fit(points, groups[1]).score(points, groups[1]) > 0.98


def test_the_same_seed_gives_the_same_picture(groups: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.array_equal(tsne(groups[0], seed=3), tsne(groups[0], seed=3))


def test_few_clips_are_enough_and_too_few_are_one_sentence() -> None:
    x = np.random.default_rng(0).standard_normal((6, 10))
    assert tsne(x).shape == (6, 2)
    with pytest.raises(AuricleError, match="at least 5 clips, got 3"):
        tsne(x[:3])


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_every_method_keeps_groups_together_and_repeats_itself(
    method: Method, groups: tuple[np.ndarray, np.ndarray]
) -> None:
    if method == "umap":
        pytest.importorskip("umap", reason="umap-learn is not installed (extra `maps`)")
    points = project(groups[0], method=method, seed=3)
    assert points.shape == (160, 2) and points.dtype == np.float64
    assert KNeighborsClassifier(5).fit(points, groups[1]).score(points, groups[1]) > 0.95
    assert np.array_equal(points, project(groups[0], method=method, seed=3))


def test_principal_components_are_those_of_the_singular_values() -> None:
    x = np.random.default_rng(1).standard_normal((200, 6)) * [9, 5, 1, 1, 1, 1]
    points = pca(x)
    left, values, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), [0, 1]])
    np.testing.assert_allclose(points, expected, atol=1e-3)
    assert (pca(x[:, :1])[:, 1] == 0).all()


def test_many_clips_are_drawn_by_open_tsne(
    groups: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openTSNE", reason="openTSNE is not installed (extra `maps`)")
    few = tsne(groups[0], seed=3)
    monkeypatch.setattr(projection, "MANY_CLIPS", 100)
    points = tsne(groups[0], seed=3)
    assert not np.allclose(points, few)
    assert KNeighborsClassifier(5).fit(points, groups[1]).score(points, groups[1]) > 0.98
    assert np.array_equal(points, tsne(groups[0], seed=3))


def test_without_the_extra_umap_is_one_sentence_and_t_sne_is_drawn_all_the_same(
    groups: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "MANY_CLIPS", 100)
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(AuricleError, match=r'UMAP needs the `maps` extra: pip install "auricle\[maps\]"'):
        umap(groups[0])
    assert tsne(groups[0][::8]).shape == (20, 2)
    assert tsne(groups[0]).shape == (160, 2)


def test_few_classes_get_a_legend_many_get_a_count() -> None:
    points = np.random.default_rng(0).standard_normal((100, 2))
    few, many, number = Figure().add_subplot(), Figure().add_subplot(), Figure().add_subplot()
    scatter(few, points, [str(k % LEGEND_LIMIT) for k in range(100)], title="few", name="class")
    scatter(many, points, [str(k % 50) for k in range(100)], title="many")
    scatter(number, points, [None, *[float(k) for k in range(99)]], title="pitch", name="pitch (Hz)")
    legend = few.get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {str(k) for k in range(LEGEND_LIMIT)}
    assert many.get_legend() is None
    assert any("50 classes" in text.get_text() for text in many.texts)
    assert len(number.get_figure().axes) == 2  # the picture and its colour bar


def test_of_many_classes_the_compact_ones_are_named_and_no_names_overlap() -> None:
    generator = np.random.default_rng(0)
    label = np.arange(600) % 30
    spread = np.where(label < 10, 0.05, 3.0)[:, None]
    points = 10 * generator.standard_normal((30, 2))[label] + spread * generator.standard_normal((600, 2))
    figure = Figure(figsize=(6, 6))
    axes = figure.add_subplot()
    scatter(axes, points, [f"class {k}" for k in label], title="many")
    names = [text for text in axes.texts if text.get_text().startswith("class ")]
    assert len(names) > 10
    assert {f"class {k}" for k in range(10)} <= {text.get_text() for text in names}
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in names]
    overlaps = [(a, b) for k, a in enumerate(boxes) for b in boxes[:k] if a.overlaps(b)]
    assert not overlaps


def test_fifty_classes_differ_by_colour_and_marker_and_none_is_pale() -> None:
    assert len(PALETTE) * len(MARKERS) >= 50
    for colour in PALETTE:  # relative luminance, WCAG 2: below 0.6 a point stands out from white
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        assert np.dot([0.2126, 0.7152, 0.0722], linear) < 0.6
