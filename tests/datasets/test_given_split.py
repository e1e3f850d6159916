from collections import Counter

import numpy as np
import pytest

from auricle.datasets.given_split import hashed_split, shuffled_split, split_of_recordings
from auricle.errors import AuricleError

from . import layouts


def test_the_published_rule_shuffles_and_cuts():
    # NumPy's documentation promises RandomState's stream for ever; 63, 9 and 19 of 91 are CREMA-D's, by EVAR.
    names = [f"{number}" for number in range(1001, 1092)]
    splits = shuffled_split(names[::-1], {"train": 7, "valid": 1, "test": 2})
    order = [names[index] for index in np.random.RandomState(0).permutation(91)]
    assert splits == dict.fromkeys(order[:63], "train") | dict.fromkeys(order[63:72], "valid") | dict.fromkeys(
        order[72:], "test"
    )


def test_a_name_keeps_its_split_and_shares_are_kept_by_many():
    shares = {"train": 70, "valid": 15, "test": 15}
    splits = Counter(hashed_split(f"speaker{number}", shares, purpose="voxforge") for number in range(10_000))
    for split, share in shares.items():
        assert splits[split] / 10_000 == pytest.approx(share / 100, abs=4 * np.sqrt(0.25 / 10_000))
    moved = [
        hashed_split(f"speaker{number}", shares, purpose="voxforge")
        != hashed_split(f"speaker{number}", shares, purpose="surge")
        for number in range(1000)
    ]
    assert 0.3 < np.mean(moved) < 0.6  # independent draws differ with probability 1 - .7² - .15² - .15² = .465


def test_a_list_decides_and_must_be_one(tmp_path):
    here = {"folder": tmp_path, "parts": 2, "name": "surge", "draw": lambda path: "train"}
    assert split_of_recordings(["a/1.ogg"], **here) == {"a/1.ogg": "train"}
    layouts.text(tmp_path / "split.csv", "file_name,label,split", "surge16k/a/1.wav,1,test")
    assert split_of_recordings(["a/1.ogg", "a/2.ogg"], **here) == {"a/1.ogg": "test"}  # not listed: left out
    with pytest.raises(AuricleError, match=r"surge: surge16k/a/1\.wav stands in .*split\.csv but not in"):
        split_of_recordings(["a/2.ogg"], **here)
    absent = []
    assert split_of_recordings(["a/2.ogg"], **here, absent=absent) == {}
    assert absent == ["surge16k/a/1.wav"]
    layouts.text(tmp_path / "split.csv", "file_name,label,split", "surge16k/a/1.wav,1,validation")
    with pytest.raises(AuricleError, match=r"has the split 'validation' for .*; expected train, valid, test"):
        split_of_recordings(["a/1.ogg"], **here)
