"""From kept reports and formatted pairs to examples that may be trained on."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nbutils.examples import Example
from nbutils.gates import first_fault


def curate(
    formatted: Sequence[Example], screened: pd.DataFrame
) -> tuple[list[Example], pd.DataFrame]:
    """Keep the formatted pairs of kept reports that pass the gate.

    Parameters
    ----------
    formatted : sequence of Example
        One for a report, with the report's id.
    screened : DataFrame
        As `screen` returns.

    Returns
    -------
    tuple
        The curated examples, and what was left out: ``id``, ``step`` (``screen``, ``format`` or
        ``gate``) and ``reason``. A kept report without a formatted pair is listed too.
    """
    verdicts = {row["id"]: row for row in screened.to_dict("records")}
    kept, dropped = [], []
    for example in formatted:
        if example.id not in verdicts:
            dropped.append((example.id, "screen", "there is no such report"))
        elif not verdicts[example.id]["keep"]:
            reasons = ", ".join(verdicts[example.id]["reasons"])
            dropped.append((example.id, "screen", f"report rejected: {reasons}"))
        elif fault := first_fault(example, strict=False):
            dropped.append((example.id, "gate", ": ".join(fault)))
        else:
            kept.append(example)
    done = {e.id for e in formatted}
    waiting = [i for i, row in verdicts.items() if row["keep"] and i not in done]
    dropped += [(i, "format", "kept, but nobody formatted it yet") for i in waiting]
    return kept, pd.DataFrame(dropped, columns=["id", "step", "reason"])
