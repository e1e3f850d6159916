"""What a set of paired comparisons lets one say."""

import pytest

from auricle.comparisons import Comparison, Verdicts, holm


def compared(a: str, b: str, difference: float, p: float, task: str = "esc50") -> Comparison:
    return Comparison(task, a, b, difference, None, None, p)


def test_holms_correction_as_in_his_paper() -> None:
    # Holm 1979, section 4 idea by hand: 3 × 0.01, then max with 2 × 0.02, then max with 1 × 0.04
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_p_values_of_one_task_are_corrected_for_their_number_and_others_do_not_count() -> None:
    # 0.02 is below 0.05 alone; twice 0.02 still is, three times 0.02 is not.
    two = [compared("a", "b", 0.1, 0.02), compared("a", "c", 0.2, 0.02)]
    assert Verdicts(two).is_ahead("esc50", "a", "b")
    three = Verdicts([*two, compared("b", "c", 0.1, 0.02)])
    assert three.is_tie("esc50", "a", "b")
    assert Verdicts([*two, compared("b", "c", 0.1, 0.02, task="nsynth")]).is_ahead("esc50", "a", "b")


def test_ahead_is_who_scores_higher_whatever_the_order() -> None:
    verdicts = Verdicts([compared("a", "b", -0.1, 0.001)])
    assert verdicts.is_ahead("esc50", "b", "a")
    assert not verdicts.is_ahead("esc50", "a", "b")
    assert not verdicts.is_tie("esc50", "a", "b")


def test_models_that_were_not_compared_are_neither_ahead_nor_tied() -> None:
    verdicts = Verdicts([])
    assert not verdicts.is_ahead("esc50", "a", "b")
    assert not verdicts.is_tie("esc50", "a", "b")
    assert verdicts.groups("esc50", ["a", "b"]) == []


def test_groups_are_the_largest_sets_without_a_clear_pair() -> None:
    # a ~ b, b ~ c, but a > c: b belongs to two groups; d is apart from all.
    pairs = [compared("a", "b", 0.1, 0.5), compared("b", "c", 0.1, 0.5), compared("a", "c", 0.2, 0.0001)]
    pairs += [compared(other, "d", 0.4, 0.0001) for other in "abc"]
    assert Verdicts(pairs).groups("esc50", ["a", "b", "c", "d"]) == [["a", "b"], ["b", "c"]]


def test_equal_scores_are_a_tie_whatever_the_test_says() -> None:
    assert Verdicts([compared("a", "b", 0.0, 0.0001)]).is_tie("esc50", "a", "b")
