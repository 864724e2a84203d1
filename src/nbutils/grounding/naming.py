"""Which predictors of a regression a recommendation acts on, and whether it claims a cause."""

from __future__ import annotations

import re
from itertools import pairwise

from nbutils.examples import Case, parse_answer, sentences
from nbutils.facts import Predictor, Regression

_WORD = re.compile(r"[a-z]{3,}")
# words that stand in names of predictors, teams and measures alike, cut as in `_stems`
_COMMON = frozenset(
    w[:5]
    for w in "day days week weeks month months time first number count total rate share size "
    "company bucket plan the and for with per own not uses used has had was are team user users "
    "account accounts customer customers onboarding support sales success product growth signup "
    "sign completed shown seen market".split()
)
_LEFT_ALONE = re.compile(
    r"\b(?:not|no|never|nor|without|leave|leaves|left|keep|keeps|whatever|instead of|rather than|"
    r"regardless|ignore|skip|nothing|neither|irrespective|independent)\b[^.;:]{0,60}$"
)
_CAUSE = re.compile(
    r"\b(?:caus(?:e|es|ed|ing)|because of|due to|drives?|drove|driven by|leads? to|led to|"
    r"results? in|resulted in|thanks to|makes?|made|raises|raised|lowers|lowered|increases|"
    r"increased|reduces|reduced|boosts?|boosted|lifts|lifted|improves|improved|hurts?|"
    r"responsible for|the reason (?:for|why)|explains? why)\b"
)
_HEDGED = re.compile(
    r"\b(?:may|might|could|whether|if|not|no|never|cannot|can't|associat\w+|correlat\w+|"
    r"suggests?|perhaps|possibly|seems?|goes with|go with|went with|unless|until|"
    r"does not prove|hypothes\w+)\b"
)


def acted_on(action: str, block: Regression, case: Case) -> list[str]:
    r"""Names of the predictors that a recommendation acts on.

    By words: a sentence names a predictor by two of its words side by side, or by half of the
    words that are its own; what the sentence leaves alone ("do not segment by company size") does
    not count.

    Parameters
    ----------
    action : str
        The recommended action.
    block : Regression
        The predictors, supported or not.
    case : Case
        Words of its metric do not name a predictor.

    Returns
    -------
    list of str
        In the order of the block.

    Examples
    --------
    >>> from nbutils.examples import parse_case
    >>> from nbutils.facts import parse_regression
    >>> case = parse_case("Metric: CVR\nData: [4.1%, 3.8%]")
    >>> block = parse_regression("logistic\n- plan_tier: coef 0.1\n- price_seen: coef 0.2")
    >>> acted_on("Show the price to half of them. Do not split by plan tier.", block, case)
    ['price_seen']
    """
    said = [s.lower() for s in sentences(action)]
    return [p.name for p in block.predictors if any(_acts(s, p, case) for s in said)]


def named(text: str, block: Regression, case: Case) -> list[str]:
    """Names of the predictors that a text speaks of, whatever it says of them."""
    said = [s.lower() for s in sentences(text)]
    return [p.name for p in block.predictors if any(_places(s, p, case) for s in said)]


def causal(output: str, block: Regression, case: Case) -> str:
    """The first sentence that makes a predictor a cause, without a hedge; empty if none does.

    Only analysis and reason are read: an action is a test of a cause, not a claim of one.
    """
    answer = parse_answer(output)
    for sentence in sentences(f"{answer.analysis or output} {answer.reason}"):
        low = sentence.lower()
        claims = _CAUSE.search(low) and not _HEDGED.search(low)
        if claims and any(_places(low, p, case) for p in block.predictors):
            return sentence
    return ""


def _acts(sentence: str, predictor: Predictor, case: Case) -> bool:
    return any(
        not _LEFT_ALONE.search(sentence[:at].replace("as well", ""))
        for at in _places(sentence, predictor, case)
    )


def _places(sentence: str, predictor: Predictor, case: Case) -> list[int]:
    """Where a lowered sentence names a predictor; empty if it does not."""
    words = [(m.start(), m[0][:5]) for m in _WORD.finditer(sentence)]
    # a level of a category is named by its category
    name = _stems(predictor.plain.partition(" = ")[0])
    pairs = set(pairwise(name))
    side = [a[0] for a, b in pairwise(words) if {(a[1], b[1]), (b[1], a[1])} & pairs]
    own = set(name) - _COMMON - set(_stems(f"{case.metric} {case.definition}".lower()))
    hits = [at for at, stem in words if stem in own]
    enough = own and 2 * len({s for _, s in words} & own) >= len(own)
    return sorted({*side, *(hits if enough else [])})


def _stems(text: str) -> list[str]:
    return [w[:5] for w in _WORD.findall(text.lower())]
