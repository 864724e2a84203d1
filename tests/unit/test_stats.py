from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from nbutils import stats

COUNTS = st.lists(
    st.integers(0, 6).flatmap(lambda den: st.tuples(st.integers(0, den), st.just(den))), max_size=8
)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (46, 46), (131, 240)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    found = stats.wilson(k, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_interval_of_a_ratio_agrees_with_scipy() -> None:
    """A skewed case, in which the plain percentiles lie 0.04 higher at the lower end."""
    rng = np.random.default_rng(3)
    dens = rng.integers(1, 12, 25)
    nums = rng.binomial(dens, rng.beta(4, 0.4, 25))

    def share(top: np.ndarray, bottom: np.ndarray, axis: int) -> np.ndarray:
        return top.sum(axis=axis) / bottom.sum(axis=axis)

    expected = bootstrap(
        (nums, dens), share, paired=True, vectorized=True, n_resamples=50_000, rng=1
    ).confidence_interval
    found = [stats.ratio(nums, dens, seed=seed) for seed in range(20)]
    mean = np.mean([(e.low, e.high) for e in found], axis=0)
    assert tuple(mean) == pytest.approx((expected.low, expected.high), abs=0.006)


@pytest.mark.parametrize(("a", "b", "n"), [(8, 2, 60), (9, 0.6, 40)])
def test_intervals_cover_the_truth(a: float, b: float, n: int) -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(300):
        dens = rng.integers(1, 8, n)
        nums = rng.binomial(dens, rng.beta(a, b, n))
        found = stats.ratio(nums, dens, seed=trial)
        hits += found.low <= a / (a + b) <= found.high  # type: ignore[operator]
    assert 0.9 <= hits / 300 <= 0.985


def test_the_same_seed_gives_the_same_interval() -> None:
    dens = np.arange(1, 40)
    nums = dens // 2
    assert stats.ratio(nums, dens) == stats.ratio(nums, dens)
    assert stats.ratio(nums, dens) != stats.ratio(nums, dens, seed=1)


def test_edges_are_said_and_not_invented() -> None:
    assert stats.wilson(0, 0) == stats.Estimate(None, None, None, 0)
    assert stats.ratio([], []) == stats.Estimate(None, None, None, 0)
    assert stats.ratio([0, 0], [0, 0]) == stats.Estimate(None, None, None, 0)
    perfect = stats.ratio([3, 2], [3, 2])
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low == pytest.approx(stats.wilson(2, 2).low)
    assert stats.ratio([1, 0], [2, 0]) == stats.Estimate(0.5, None, None, 1)
    # alike as shares, though not as counts; thirds are not alike in the last digit
    assert stats.ratio([1, 2, 7], [3, 6, 21]) == stats.Estimate(1 / 3, None, None, 3)


@given(COUNTS)
@settings(max_examples=80, deadline=None)
def test_a_ratio_is_never_nan(counts: list[tuple[int, int]]) -> None:
    found = stats.ratio([k for k, _ in counts], [n for _, n in counts])
    assert found.n == sum(n > 0 for _, n in counts)
    assert (found.low is None) == (found.high is None)
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        stats.ratio([1, 2], [1])
    with pytest.raises(ValueError, match=r"document 1: nan of 2\.0 items; expected finite"):
        stats.ratio([1, math.nan], [1, 2])
    # what was not measured has no items, and then nobody looks at its numerator
    assert stats.ratio([1, math.nan, 0], [1, 0, 1]).n == 2


def test_agreement_counts_near_misses_apart() -> None:
    pairs = [(5, 5)] * 6 + [(4, 5)] * 2 + [(1, 4), (0, 2)]
    found = stats.agreement(pairs)
    assert found["n"] == 10
    assert found["exact"] == stats.wilson(6, 10)
    assert found["within_one"] == stats.wilson(8, 10)
    assert found["kappa"] == stats.kappa(pairs, weighted=True)


def test_agreement_without_pairs_is_none() -> None:
    nothing = stats.Estimate(None, None, None, 0)
    found = stats.agreement([])
    assert found == {"exact": nothing, "within_one": nothing, "kappa": nothing, "n": 0}


def test_agreement_on_one_level_has_shares_but_no_kappa() -> None:
    found = stats.agreement([(3, 3)] * 9)
    assert found["exact"].value == found["within_one"].value == 1.0
    assert found["kappa"] == stats.Estimate(None, None, None, 9)


def test_ratings_between_the_levels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a rating of 2\.5: weighted kappa expects whole"):
        stats.agreement([(2.5, 3), (4, 4)])
