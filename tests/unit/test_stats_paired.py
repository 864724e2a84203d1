from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap
from statsmodels.stats.multitest import multipletests

from nbutils import stats

ITEMS = st.integers(0, 4).flatmap(lambda den: st.tuples(st.integers(0, den), st.just(den)))
PAIRS = st.lists(st.tuples(ITEMS, ITEMS), max_size=7)


def of_counts(both: int, gained: int, lost: int, neither: int, seed: int = 0) -> stats.Comparison:
    """Yes/no documents of a fourfold table; ``gained``: the candidate's only."""
    baseline = [1] * both + [0] * gained + [1] * lost + [0] * neither
    candidate = [1] * both + [1] * gained + [0] * lost + [0] * neither
    ones = [1] * len(baseline)
    return stats.compare((baseline, ones), (candidate, ones), seed=seed)


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


def test_counted_items_have_four_outcomes() -> None:
    dens = np.arange(40) % 5 + 2
    low, high = (dens * 0.4).round(), dens - 1
    assert stats.compare((low, dens), (high, dens)).outcome == "better"
    assert stats.compare((high, dens), (low, dens)).outcome == "worse"
    assert stats.compare((high, dens), (low, dens), better="down").outcome == "better"
    assert stats.compare((low, dens), (low * 2, dens * 2)).outcome == "identical"
    nearly = low.copy()
    nearly[3] += 1
    found = stats.compare((low, dens), (nearly, dens))
    assert (found.outcome, found.test) == ("not shown", "paired permutation")


def test_pairs_without_items_drop_out() -> None:
    found = stats.compare(([1, 0, 2], [2, 0, 2]), ([2, 5, 2], [2, 5, 2]))
    assert found.n == 2


def test_what_drops_out_does_not_decide_the_test() -> None:
    found = stats.compare(([1, 0, 0, 3], [1, 1, 1, 7]), ([1, 1, 0, 0], [1, 1, 1, 0]))
    assert (found.n, found.test) == (3, "McNemar mid-p")


def test_a_share_of_a_document_is_not_yes_or_no() -> None:
    found = stats.compare(([0.5, 0, 1], [1, 1, 1]), ([1, 1, 1], [1, 1, 1]))
    assert found.test == "paired permutation"


def test_no_difference_is_rarely_called_one() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for trial in range(200):
        a, b = rng.binomial(1, 0.6, (2, 46)).astype(float)
        found = stats.compare((a, np.ones(46)), (b, np.ones(46)), seed=trial)
        wrong += found.outcome in ("better", "worse")
    assert 0 < wrong / 200 <= 0.08


def test_a_clean_sweep_still_has_an_interval() -> None:
    found = of_counts(0, 60, 0, 0)
    assert (found.difference, found.high, found.outcome) == (1.0, 1.0, "better")
    assert found.low == pytest.approx(1 - 2**0.5 * stats.wilson(0, 60).high, abs=1e-9)  # type: ignore[operator]
    assert found.detectable is None
    few = of_counts(0, 2, 0, 0)
    assert few.low is not None
    assert few.low < 0.3
    assert few.outcome == "not shown"


def test_a_clean_sweep_of_counts_has_the_same_interval() -> None:
    counts = np.full(60, 3)
    found = stats.compare((counts * 0, counts), (counts, counts))
    plain = of_counts(0, 60, 0, 0)
    assert found.test == "paired permutation"
    assert (found.low, found.high, found.detectable) == (plain.low, plain.high, None)


# --------------------------------------------------------------------------- yes or no


def test_the_p_value_is_the_published_one() -> None:
    """Airway hyper-responsiveness of Bentur et al. (2009) in Fagerland et al. (2013): 0.039.

    By hand: 2 (C(8,0) + C(8,1)) / 2^8 - C(8,1) / 2^8 = (18 - 8) / 256.
    """
    found = of_counts(1, 7, 1, 12)
    assert found.p == 10 / 256
    assert found.test == "McNemar mid-p"


@pytest.mark.parametrize(
    ("gained", "lost"), [(1, 0), (5, 5), (12, 3), (0, 9), (70, 40), (900, 990)]
)
def test_the_p_value_agrees_with_the_binomial(gained: int, lost: int) -> None:
    few, n = min(gained, lost), gained + lost
    below, here = binom.cdf(few - 1, n, 0.5), binom.pmf(few, n, 0.5)
    expected = 2 * (below + here / 2) if gained != lost else 1 - here / 2
    assert of_counts(4, gained, lost, 3).p == pytest.approx(expected, rel=1e-9)


def test_the_interval_is_the_published_one() -> None:
    """Complete response of Cavo et al. (2012), 59/6/16/80, in Fagerland, Lydersen and Laake
    (2017, chapter 8): -0.0621, Newcombe's interval -0.1186 to -0.0046; correlation above 0."""
    found = of_counts(59, 6, 16, 80)
    shown = (found.difference, found.low, found.high)
    assert shown == pytest.approx((-0.0621, -0.1186, -0.0046), abs=5e-5)


def test_the_interval_follows_the_formula_where_scores_disagree() -> None:
    """Table 36/12/2/0, n = 50: candidate 48/50 = 0.96, baseline 38/50 = 0.76.

    Wilson 0.96: 0.865387 to 0.988956; 0.76: 0.625923 to 0.857024.
    phi = (36*0 - 12*2) / sqrt(48 * 2 * 38 * 12) = -24 / 209.227150 = -0.114708
    low = 0.2 - sqrt(0.094613^2 + 2 * 0.114708 * 0.094613 * 0.097024 + 0.097024^2) = 0.056930
    high = 0.2 + sqrt(0.028956^2 + 2 * 0.114708 * 0.028956 * 0.134077 + 0.134077^2) = 0.340428
    """
    found = of_counts(36, 12, 2, 0)
    assert (found.low, found.high) == pytest.approx((0.056930, 0.340428), abs=2e-6)


def test_swapping_the_systems_turns_the_interval_round() -> None:
    one, other = of_counts(20, 9, 3, 14), of_counts(20, 3, 9, 14)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]
    assert one.p == other.p


def test_yes_or_no_needs_no_seed() -> None:
    assert of_counts(20, 9, 3, 14, seed=0) == of_counts(20, 9, 3, 14, seed=5)


# --------------------------------------------------------------------------- counted items


def test_the_interval_of_a_difference_agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    dens = rng.integers(1, 12, 30)
    low, high = rng.binomial(dens, rng.beta(4, 1, 30)), rng.binomial(dens, rng.beta(4, 0.4, 30))

    def difference(a: np.ndarray, b: np.ndarray, den: np.ndarray, axis: int) -> np.ndarray:
        return (b.sum(axis=axis) - a.sum(axis=axis)) / den.sum(axis=axis)

    expected = bootstrap(
        (low, high, dens), difference, paired=True, vectorized=True, n_resamples=20_000, rng=1
    ).confidence_interval
    found = [stats.compare((low, dens), (high, dens), seed=seed) for seed in range(10)]
    mean = np.mean([(c.low, c.high) for c in found], axis=0)
    assert tuple(mean) == pytest.approx((expected.low, expected.high), abs=0.005)


def test_the_permutation_agrees_with_trying_every_swap() -> None:
    a, b = ([2, 1, 0, 3, 2, 1], [4, 3, 2, 5, 2, 2]), ([4, 3, 1, 4, 2, 2], [5, 3, 2, 5, 3, 2])
    found = stats.compare(a, b)
    table = np.array([*a, *b], dtype=float)
    extreme = 0
    for code in range(2**6):
        swap = np.array([code >> i & 1 for i in range(6)], dtype=bool)
        sums = np.where(swap, table[[2, 3, 0, 1]], table).sum(axis=1)
        extreme += abs(sums[2] / sums[3] - sums[0] / sums[1]) >= abs(found.difference) - 1e-12  # type: ignore[arg-type]
    assert found.p == pytest.approx(extreme / 2**6, abs=0.02)


# --------------------------------------------------------------------------- what n can show


def test_the_detectable_difference_is_the_hand_computed_one() -> None:
    """Ten documents, differences +1 four times, -1 once, 0 else: variance (5 - 10 * 0.09) / 9."""
    found = of_counts(3, 4, 1, 2)
    assert found.detectable == pytest.approx(2.801585 * math.sqrt(4.1 / 9 / 10), rel=1e-9)


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    """Gained 0.22, lost 0.08: difference 0.14, spread sqrt(0.3 - 0.14²), n for which it is due."""
    rng = np.random.default_rng(7)
    n = round(0.2804 * (2.801585 / 0.14) ** 2)
    found = [of_counts(*rng.multinomial(n, [0.4, 0.22, 0.08, 0.3])) for _ in range(300)]
    assert np.mean([f.detectable for f in found]) == pytest.approx(0.14, abs=0.003)
    assert 0.74 <= np.mean([f.outcome == "better" for f in found]) <= 0.86


def test_the_detectable_difference_of_counts_follows_the_resampled_spread() -> None:
    rng = np.random.default_rng(8)
    a, b = (rng.integers(1, 9, 80) for _ in range(2))
    low, high = rng.binomial(a, 0.6), rng.binomial(b, 0.7)
    found = stats.compare((low, a), (high, b))
    rows = rng.integers(0, 80, (4000, 80))
    drawn = high[rows].sum(1) / b[rows].sum(1) - low[rows].sum(1) / a[rows].sum(1)
    assert found.detectable == pytest.approx(2.801585 * drawn.std(), rel=0.06)


# --------------------------------------------------------------------------- degenerate inputs


@pytest.mark.parametrize("sums", [([], []), ([0, 0], [0, 0])])
def test_nothing_compared_is_not_a_result(sums: tuple[list[int], list[int]]) -> None:
    assert stats.compare(sums, sums) == stats.Comparison(
        None, None, None, None, 0, "not shown", None, ""
    )


@pytest.mark.parametrize("den", [1, 3])
def test_one_document_shows_nothing(den: int) -> None:
    found = stats.compare(([0], [den]), ([den], [den]))
    assert (found.difference, found.low, found.high) == (1.0, None, None)
    assert (found.n, found.outcome, found.detectable) == (1, "not shown", None)
    assert found.p is not None
    assert found.p >= 0.5
    same = stats.compare(([1], [den]), ([1], [den]))
    assert (same.difference, same.low, same.high, same.outcome) == (0.0, None, None, "identical")


@given(PAIRS)
@settings(max_examples=80, deadline=None)
def test_a_comparison_is_never_nan(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    a, b = (([p[i][0] for p in pairs], [p[i][1] for p in pairs]) for i in (0, 1))
    found = stats.compare(a, b)
    numbers = [found.difference, found.low, found.high, found.p, found.detectable]
    assert all(v is None or math.isfinite(v) for v in numbers)
    if found.low is not None:
        assert -1 <= found.low <= found.difference <= found.high <= 1  # type: ignore[operator]
    if found.p is not None:
        assert 0 < found.p <= 1


def test_two_lists_of_documents_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="2 documents of the baseline and 1 of the candidate"):
        stats.compare(([1, 2], [2, 2]), ([1], [2]))


# --------------------------------------------------------------------------- many tests


def test_holm_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(4)
    for n in (1, 2, 7, 30):
        p = [*rng.uniform(0, 0.2, n), 0.9, 0.05, 0.05]
        assert stats.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert stats.holm([]) == []
    assert stats.holm([None, None]) == [None, None]
    assert stats.holm([0.02, None, 0.03, math.nan]) == [0.04, None, 0.04, None]


def test_holm_keeps_the_order_and_stays_a_probability() -> None:
    found = stats.holm([0.5, 0.011, 0.9, 0.0, 0.012])
    ordered = [found[i] for i in (3, 1, 4, 0, 2)]
    assert all(a <= b <= 1 for a, b in pairwise(ordered))  # type: ignore[operator]
    assert ordered[0] == 0
