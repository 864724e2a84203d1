"""What is said of a series without a number: refuted only where the series refutes it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbutils.claims import misread


def case(*values: float, changes: str = "None", stretch: str = "") -> str:
    listed = ", ".join(f"{v:g}" for v in values)
    return (
        f"Metric: CSAT score (0 to 100)\nData: [{listed}] (last {len(values)} weeks{stretch})\n"
        f"Recent changes: {changes}"
    )


FELL = case(50, 48, 49, 45, 44)


@pytest.mark.parametrize(
    "text",
    [
        "The score has fallen every week.",
        "The score declined in each of the four steps.",
        "The score is down every single week since the start.",
        "It has now dropped four weeks in a row.",
        "Four falls in a row.",
        "The fall is unbroken.",
        "Every week has been lower than the one before.",
        "The score was flat at 50 for five weeks.",
        "Week 3 is the lowest print of the series.",
        "It was never above the week 2 level.",
        "The score is now 50.",
    ],
)
def test_a_statement_that_the_series_refutes_is_found(text: str) -> None:
    found = misread(FELL, text)
    assert found
    assert found[0].derivation


@pytest.mark.parametrize(
    "text",
    [
        "The score has fallen almost every week.",
        "The score fell in every week but one.",
        "It fell two weeks in a row.",
        "The score has not fallen every week.",
        "Android users rated it lower every week.",
        "It would fall every week if nothing were done.",
        "The calls cost time every week and need a verdict.",
        "About six fewer raters are happy each week.",
        "The score is now 44.",
        "Week 5 is the lowest print of the series.",
        "The score goes up and down each week.",
        "Recommended action: lower the prices every week.",
        "The score was flat at 44 to 45 for two weeks.",
        "",
    ],
)
def test_hedged_foreign_and_true_statements_are_left_alone(text: str) -> None:
    assert misread(FELL, text) == []


def test_since_counts_from_the_change_that_the_case_tells_of() -> None:
    told = case(50, 52, 49, 47, 46, changes="new form since week 3")
    assert misread(told, "It has fallen every week since the new form.") == []
    assert misread(told, "It has fallen every week since week 1.")


def test_a_gain_that_is_said_to_have_held_must_be_there_at_the_end() -> None:
    told = case(30.0, 30.2, 33.0, 32.0, 31.0, 30.1, changes="new text since week 3")
    text = "In week 3 it came in at 33.0 and has stayed at that level since."
    assert "30.1" in misread(told, text)[0].derivation
    held = case(30.0, 30.2, 33.0, 32.9, 33.1, 33.0, changes="new text since week 3")
    assert misread(held, text) == []


CHANGED = case(86, 88, 87, 80, 82, 81, changes="new price list since week 4")


@pytest.mark.parametrize(
    "text",
    [
        "It was never under 85.",
        "At no time was the score below 84.",
        "By now the score has fully recovered.",
        "It is back to its old level.",
        "It peaked in week 3 and slid from there.",
        "The mean before the price list was 81 and the mean since it is 87.",
        "The weeks after it beat the weeks before.",
        "Flat, then: all six weeks lie within one point.",
        "The gain has held since week 2.",
        "It has never once slipped back.",
        "The lowest week was week 5, the highest was week 3.",
        "Each week came in above the one before.",
    ],
)
def test_statements_about_a_change_are_held_against_both_sides_of_it(text: str) -> None:
    told = case(80, 88, 84, 80, 80, 80, changes="x since week 2") if "gain" in text else CHANGED
    assert misread(told, text)


@pytest.mark.parametrize(
    "text",
    [
        "It was never under 80.",
        "It has never been above 90.",
        "The score has not fully recovered.",
        "It peaked in week 2 and slid from there.",
        "The mean before the price list was 87 and the mean since it is 81.",
        "The weeks after it lie below those before.",
        "The second peak was in week 5.",
        "The lowest week was week 4.",
        "It has not never slipped in Rome.",
        "If it is never under 85, we stop.",
        "In Italy it is fully back, others are not.",
    ],
)
def test_true_statements_about_a_change_are_left_alone(text: str) -> None:
    assert misread(CHANGED, text) == []


def test_a_metric_that_slid_all_along_is_not_flat() -> None:
    assert misread(case(48, 47, 44, 41, 39, 36), "The score has stayed put for six weeks.")
    assert misread(case(48, 47, 48, 47, 48, 47), "The score has stayed put for six weeks.") == []


def test_months_are_read_by_their_names() -> None:
    told = case(5.2, 5.0, 5.4, 5.9, 6.1, 5.8, stretch="").replace(
        "last 6 weeks", "last 6 months, January to June"
    )
    assert misread(told, "June is the best month of the series.")
    assert misread(told, "May is the best month of the series.") == []


def test_no_case_and_short_series_give_nothing() -> None:
    assert misread("no case at all", "It fell every week.") == []
    assert misread(case(1, 2), "It fell every week.") == []


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.integers(10, 90), min_size=4, max_size=10),
    up=st.booleans(),
)
def test_every_week_is_refuted_exactly_when_a_week_went_the_other_way(
    values: list[int], up: bool
) -> None:
    steps = [b - a for a, b in pairwise(values)]
    against = any(s < 0 if up else s > 0 for s in steps)
    word = "risen" if up else "fallen"
    assert bool(misread(case(*values), f"The score has {word} every week.")) == against


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(misread(FELL, text), list)
