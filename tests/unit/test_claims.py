"""The verifier on sentences whose verdict is known, on arbitrary text, and on itself."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbutils import claims
from nbutils.examples import DataFileError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "claims.jsonl"
CASE = json.loads(FIXTURES.read_text(encoding="utf-8").splitlines()[0])["input"]


def verdicts(output: str, given: str = CASE) -> dict[str, str]:
    return {c.text: c.verdict for c in claims.verify(given, output).claims}


def test_offsets_point_into_the_output() -> None:
    output = "Analysis: İ — activation fell from 0.44 to 0.36, down 8 points (18%)."
    for claim in claims.verify(CASE, output).claims:
        assert output[claim.start : claim.end] == claim.text
        assert claim.verdict in claims.VERDICTS
        assert claim.kind in claims.KINDS


def test_a_derivation_is_readable() -> None:
    verdict = claims.verify(CASE, "Activation fell from 0.44 to 0.36, down 18%.")
    assert verdict.claims[2].derivation == "(0.36 - 0.44) / 0.44 = -18.2%, printed as 18%"


def test_a_wrong_direction_is_contradicted() -> None:
    assert set(verdicts("Activation rose from 0.44 to 0.36.").values()) == {"contradicted"}
    assert verdicts("Activation rose by 8 points.") == {"8 points": "contradicted"}


def test_percent_for_points_has_its_own_verdict() -> None:
    assert verdicts("Activation fell from 44% to 36%, down 8%.")["8%"] == "unit_confusion"


def test_a_pair_nobody_named_is_no_support() -> None:
    # (0.45 - 0.37) / 0.45 is 17.8%, but the sentence speaks of other periods
    assert verdicts("From week 1 to week 2 activation fell by 18%.")["18%"] != "supported"


def test_dates_versions_and_labels_are_no_claims() -> None:
    output = (
        "In Q3 2023, on 5 May at 14:30, version 2.4 reached D7 users in the A/B test; see step 3."
    )
    assert verdicts(output) == {}


def test_only_what_is_proposed_is_a_proposal() -> None:
    output = (
        "Analysis: activation fell by 8 points.\n"
        "Recommended action: test a lighter check on 20% of sign-ups for 3 weeks. "
        "Activation has fallen by 14 points since week 1.\nUrgency: High — 8 points."
    )
    found = [c.verdict for c in claims.verify(CASE, output).claims]
    assert found[:3] == ["supported", "proposal", "proposal"]
    assert found[3] in claims.WRONG
    assert found[4] == "supported"


def test_hedges_are_sets() -> None:
    nps = "Metric: Sign-ups\nData: [100, 129] (last 2 weeks)"
    assert verdicts("Sign-ups are up nearly 30%.", nps)["30%"] == "supported"
    assert verdicts("Sign-ups are up more than 30%.", nps)["30%"] != "supported"


@pytest.mark.parametrize(
    ("data", "output", "wanted"),
    [
        ("[0, 5]", "Sales rose from 0 to 5, up 50%.", "50%"),
        ("[4, null, 6]", "In week 2 there were 5.", "5"),
        ("[7, 7, 7]", "Sales rose by 3%.", "3%"),
        ("[7]", "Sales rose by 3%.", "3%"),
        ("[-4, -2]", "Sales went from -4 to -6.", "-6"),
    ],
)
def test_awkward_series_never_support_a_wrong_number(data: str, output: str, wanted: str) -> None:
    found = verdicts(output, f"Metric: Sales\nData: {data}")
    assert found[wanted] != "supported"


@pytest.mark.parametrize(
    ("output", "wanted", "verdict"),
    [
        # beside a move that is told, only its own size counts, though week 5 fell by 7 points
        ("Activation fell from 0.44 to 0.36, down 8 points.", "8 points", "supported"),
        ("Activation fell from 0.44 to 0.36, down 7 points.", "7 points", "contradicted"),
        ("Activation lost 7 points in five weeks, from 0.44 to 0.36.", "7 points", "contradicted"),
        # points and the percent beside them are of one pair
        ("Since week 4 activation has lost 8 points (18%).", "18%", "supported"),
        ("Since week 4 activation has lost 8 points (21%).", "21%", "contradicted"),
        # a range named so is the lowest to the highest value
        ("The series moves in a band of 9 points.", "9 points", "supported"),
        ("The series moves in a band of 7 points.", "7 points", "contradicted"),
        # for how long values hold is counted
        ("It has stayed at 0.36 or 0.37 for four weeks.", "four weeks", "supported"),
        ("It has stayed at 0.36 or 0.37 for six weeks.", "six weeks", "contradicted"),
        # a percent of a rate is no share of the cohort: 8 points are 112 sign-ups, 18% are not
        ("It fell from 0.44 to 0.36, by 18%. That is 112 users a week.", "112", "supported"),
        ("It fell from 0.44 to 0.36, by 18%. That is 252 users a week.", "252", "unsupported"),
    ],
)
def test_numbers_are_held_to_what_stands_beside_them(
    output: str, wanted: str, verdict: str
) -> None:
    assert verdicts(f"Analysis: {output}")[wanted] == verdict


def test_amounts_of_one_passage_combine() -> None:
    lost = "Weeks 1-4 average 0.44 and weeks 5-8 average 0.365, a loss of 7.5 points. "
    assert verdicts(f"{lost}Over four weeks that is about 420 users in all.")["420"] == "supported"
    assert verdicts(f"{lost}Over four weeks that is about 560 users in all.")["560"] in claims.WRONG
    notes = "\nNotes: 150 users answered the survey, of which 87 named the phone check."
    found = verdicts("Of the users who answered the survey, 58% named the check.", CASE + notes)
    assert found["58%"] == "supported"
    found = verdicts("Of the users who answered the survey, 68% named the check.", CASE + notes)
    assert found["68%"] in claims.WRONG


def test_two_numbers_with_their_quarters_are_no_label() -> None:
    case = "Metric: Cycle (days)\nData: [90, 110] (last 2 quarters)\n"
    notes = "Notes: review took 14 days in quarter 1 and 41 in quarter 2."
    assert verdicts("The review took 14 days and now takes 41.", case + notes)["41"] == "supported"


def test_a_month_with_its_year_is_one_period() -> None:
    case = (
        "Metric: Rate\nData: [0.36, 0.31, 0.36, 0.37, 0.37, 0.33, 0.36, 0.37, 0.37, 0.36, 0.36, "
        "0.37, 0.35, 0.31] (last 14 months, July 2023 to August 2024)"
    )
    assert verdicts("It was 0.36 in July 2023.", case)["0.36"] == "supported"
    assert verdicts("It was 0.36 in July 2024.", case)["0.36"] == "contradicted"
    assert (
        verdicts("From July 2024 to August 2024 it fell 4 points.", case)["4 points"] == "supported"
    )


def test_a_text_without_numbers_is_not_perfect() -> None:
    verdict = claims.verify(CASE, "Activation fell.")
    assert (verdict.precision, verdict.coverage, verdict.faithful) == (None, None, False)
    assert claims.digit_score(CASE, "Activation fell.") is None
    json.dumps(verdict.to_dict())


def test_an_input_in_another_form_is_read_as_lines() -> None:
    scores = "Hawks 104, Magic 98\nHoward: 19 points, 11 rebounds\nMillsap: 22 points, 8 rebounds"
    found = verdicts("Millsap had 22 points and 11 rebounds.", scores)
    assert found == {"22 points": "supported", "11": "contradicted"}


def test_the_self_test_measures_enough_and_well() -> None:
    rows = {(r["test"], r["group"]): r for r in claims.self_test()}
    assert sum(r["n"] for (test, g), r in rows.items() if test == "verdict" and g != "wrong") >= 300
    assert rows["verdict", "wrong"]["precision"] >= 0.9
    assert rows["verdict", "wrong"]["recall"] >= 0.9
    assert rows["verdict", "supported"]["recall"] >= 0.97
    assert rows["swap", "pass rate"]["recall"] < 0.05
    assert rows["perturbation", "all"]["recall"] >= 0.9


def test_missing_fixtures_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no such file"):
        claims.self_test(tmp_path / "none.jsonl")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(200, 800), min_size=3, max_size=10).filter(lambda v: v[0] != v[-1]),
    st.integers(500, 50_000),
)
def test_what_is_computed_and_rounded_correctly_is_supported(values: list[int], n: int) -> None:
    rates = [v / 1000 for v in values]
    printed = ", ".join(f"{rate:.3f}" for rate in rates)
    case = (
        f"Metric: CVR (share of visits that sign up)\nData: [{printed}]"
        f" (last {len(rates)} weeks)\nCohort size: ~{n:,} visits per week"
    )
    move = rates[-1] - rates[0]
    verb, side = ("rose", "more") if move > 0 else ("fell", "fewer")
    output = (
        f"Analysis: CVR {verb} from {rates[0]:.3f} in week 1 to {rates[-1]:.3f} "
        f"in week {len(rates)}, "
        f"by {abs(move) * 100:.1f} points or {abs(move) / rates[0] * 100:.1f}%, about "
        f"{round(abs(move) * n):,} {side} sign-ups a week."
    )
    wrong = [c for c in claims.verify(case, output).claims if c.verdict in claims.WRONG]
    assert wrong == []


_PIECES = st.sampled_from(
    [
        "0.44",
        "week 5",
        "%",
        " points",
        "from ",
        " to ",
        "−",
        "$",
        "1,400",
        "\n",
        ". ",
        "a third of ",
        "average ",
        "p<0.01",
        "Data: [",
        "]",
        "Analysis:",
        "١٢",
        "שלום",
        "\u202e",
        "½",
        "e5",
        "0.",
        "NaN",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300) | st.lists(_PIECES, max_size=60).map("".join), st.booleans())
def test_no_text_is_refused(text: str, as_input: bool) -> None:
    verdict = (
        claims.verify(text, "It fell from 0.44 to 0.36.")
        if as_input
        else (claims.verify(CASE, text))
    )
    assert all(re.search(r"\w", c.text) for c in verdict.claims)


@pytest.mark.parametrize(
    "unit", ["1,", "9", "-1", "0.44 to ", "5% ", "week 1, ", "1,111,", "9.9.", "\n"]
)
def test_repetition_is_read(unit: str) -> None:
    claims.verify(CASE, unit * 2000)
    claims.verify(unit * 2000, "It fell to 0.36.")


DAYS = "Metric: Ramp Time\nData: [3.0, 3.2, 3.1, 4.4, 3.9, 3.2, 3.1, 3.0] (last 8 weeks, in days)"
SHARE = (
    "Metric: Handoff Rate (share of deals accepted)\nData: [87.5%, 85.0%, 87.5%, 70.0%] "
    "(last 4 months)\nCohort size: 40 deals per month\nRecent changes: new desk in month 4"
)
WINS = (
    "Metric: Win rate (deals won as % of SQLs)\nData: [25.0%, 19.2%, 28.0%, 17.9%] (last 4 "
    "quarters)\nNotes: SQLs decided by quarter 24, 26, 25, 28; deals won 6, 5, 7, 5."
)


@pytest.mark.parametrize(
    ("given", "right", "wrong"),
    [
        # a distance to a level that was set before
        (
            DAYS,
            "The normal level is 3.1 days, the mean of weeks 1 to 3. Week 5 is still 0.8 higher.",
            "The normal level is 3.1 days, the mean of weeks 1 to 3. Week 5 is still 0.5 higher.",
        ),
        # counts of a whole, against values of the series that look like them
        (
            SHARE,
            "Before the move 104 of 120 deals made it.",
            "Before the move 85 of 120 deals made it.",
        ),
        # numbers in no order of time are values, not periods
        (
            WINS,
            "The first three quarters were 18 of 75.",
            "The first three quarters were 18 of 92.",
        ),
        # the percent of the change before it, in brackets
        (DAYS, "It rose 1.3 (41.9%) in week 4.", "It rose 1.3 (53%) in week 4."),
        # arithmetic written out
        (
            SHARE,
            "Of 40 deals 35 were in time in month 1: 0.875 x 40 = 35.",
            "Of 40 deals 31 were in time in month 1: 0.775 x 40 = 31.",
        ),
    ],
)
def test_several_steps_are_followed(given: str, right: str, wrong: str) -> None:
    found = claims.verify(given, right)
    assert not found.count(*claims.WRONG), [(c.text, c.verdict) for c in found.claims]
    assert claims.verify(given, wrong).count(*claims.WRONG)


def test_what_would_have_been_is_not_called_wrong() -> None:
    output = "Had a single order slipped, week 4 would have read 3.7."
    assert verdicts(output, DAYS)["3.7"] == "unchecked"
    assert verdicts("In week 4 it was 3.7.", DAYS) == {"3.7": "contradicted"}


@pytest.mark.parametrize(
    "given",
    [
        # says six weeks and holds nine values
        "Metric: CVR\nData: [0.029, 0.028, 0.028, 0.027, 0.026, 0.025, 0.024, 0.022, 0.021] "
        "(last 6 weeks)\nCohort size: ~7000 visitors per week",
        # no metric
        "Metric:\nData: [0.029, 0.026, 0.024, 0.021] (last 4 weeks)",
        # labels of another language
        "Métrique : CVR (part des visites)\nDonnées : [0.029, 0.026, 0.024, 0.021] (4 semaines)\n"
        "Taille de cohorte : ~7000 visiteurs",
        # decimal commas
        "Metric: CVR\nData: [0,029; 0,026; 0,024; 0,021] (last 4 weeks)",
    ],
)
def test_a_series_is_read_whatever_its_labels_say(given: str) -> None:
    right = claims.verify(given, "It fell from 0.029 to 0.021, a loss of 28% or 0.8 points.")
    assert (right.faithful, len(right.claims)) == (True, 4)
    assert verdicts("It fell from 0.029 to 0.021, a loss of 38%.", given)["38%"] in claims.WRONG


def test_a_denied_ratio_is_read_as_denied() -> None:
    assert verdicts("It has not doubled: it went from 0.44 to 0.36.")["doubled"] == "supported"
    assert verdicts("It has doubled: it went from 0.44 to 0.36.")["doubled"] == "contradicted"
