"""What a text says of a series without a number: "every week", "flat for five weeks", "the lowest".

`verify` judges numbers. A write-up can have every number right and still tell the series wrongly;
these statements are read by rules of their own, and only those that the series refutes are given.
"""

from __future__ import annotations

from nbutils.claims import masks, moves, stands
from nbutils.claims.context import sentences
from nbutils.claims.source import read
from nbutils.claims.told import Told

_RULES = (*stands.RULES, *moves.RULES)


def misread(input_text: str, output_text: str) -> list[Told]:
    r"""Statements of an analysis about the course of the series that the series refutes.

    Read are: a move in every period or in N periods running, an extreme, a level held for N
    periods or since, a bound never passed, and steps that grow. Hedged statements ("almost every
    week") and those of other groups than the case's own are left alone, so that what is given is
    wrong; what is not given need not be right.

    Parameters
    ----------
    input_text, output_text : str
        As in `nbutils.claims.verify`; an input that is no case gives none.

    Examples
    --------
    >>> case = "Metric: CVR\nData: [2.1%, 2.3%, 2.2%, 2.6%] (last 4 weeks)"
    >>> [told.derivation for told in misread(case, "CVR has risen every week, from 2.1% to 2.6%.")]
    ['period 3 moved from 2.3 to 2.2']
    """
    source = read(input_text)
    main = source.main
    if main is None or sum(v is not None for v in main.values) < 3:
        return []
    found = []
    labels = masks.scan(output_text).labels
    for sentence in sentences(output_text[:20_000], source, labels):
        if sentence.section != "action":
            found += [told for rule in _RULES for told in rule(sentence, source, main)]
    return found
