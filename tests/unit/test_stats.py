from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from nbutils import stats


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (46, 46), (131, 240)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    found = stats.wilson(k, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        dens = rng.integers(1, 8, 60)
        nums = rng.binomial(dens, rng.beta(8, 2, 60))
        found = stats.ratio(nums, dens, seed=trial)
        hits += found.low <= 0.8 <= found.high
    assert 0.88 <= hits / 200 <= 1.0


def test_edges_are_said_and_not_invented() -> None:
    assert stats.wilson(0, 0) == stats.Estimate(None, None, None, 0)
    assert stats.ratio([0, 0], [0, 0]).value is None
    perfect = stats.ratio([3, 2], [3, 2])
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low == pytest.approx(stats.wilson(2, 2).low)
    with pytest.raises(ValueError, match="equal length"):
        stats.ratio([1, 2], [1])


def test_comparisons_have_four_outcomes() -> None:
    ones = np.ones(60)
    low, high = np.r_[np.ones(10), np.zeros(50)], np.r_[np.ones(50), np.zeros(10)]
    better = stats.compare((low, ones), (high, ones))
    assert better.outcome == "better"
    assert better.difference == pytest.approx(40 / 60)
    assert stats.compare((high, ones), (low, ones)).outcome == "worse"
    assert stats.compare((low, ones), (high, ones), better="down").outcome == "worse"
    assert stats.compare((low, ones), (low, ones)).outcome == "identical"
    nearly = low.copy()
    nearly[20] = 1
    assert stats.compare((low, ones), (nearly, ones)).outcome == "not shown"
    assert stats.compare(([0.0], [0.0]), ([1.0], [1.0])).n == 0


def test_pairs_without_items_drop_out() -> None:
    found = stats.compare(([1, 0, 2], [2, 0, 2]), ([2, 5, 2], [2, 5, 2]))
    assert found.n == 2


def test_no_difference_is_rarely_called_one() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for trial in range(200):
        a, b = rng.binomial(1, 0.6, (2, 46)).astype(float)
        wrong += stats.compare((a, np.ones(46)), (b, np.ones(46)), seed=trial).outcome in (
            "better",
            "worse",
        )
    assert wrong / 200 <= 0.08


def test_a_clean_sweep_still_has_an_interval() -> None:
    ones, zeros = [1] * 60, [0] * 60
    found = stats.compare((zeros, ones), (ones, ones))
    assert (found.difference, found.high, found.outcome) == (1.0, 1.0, "better")
    assert found.low == pytest.approx(1 - 2**0.5 * stats.wilson(0, 60).high, abs=1e-9)
    few = stats.compare(([0, 0], [1, 1]), ([1, 1], [1, 1]))
    assert few.low is not None
    assert few.low < 0.3
    assert few.outcome == "not shown"
