"""Systems on the same held-out cases: format, numbers, and paired comparisons with a gate."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from nbutils import claims, review, stats
from nbutils.examples import URGENCIES, CaseError, Example, messages, parse_answer, target
from nbutils.gates import MAX_WORDS
from nbutils.models import Completion, Model

_SYSTEMS = {"base": "the untuned base", "prompted": "the base with its best prompt"}
_HEADS = re.compile(r"^[ \t*#]*(Analysis|Recommended action|Urgency)[ \t*]*:", re.I | re.M)


@dataclass(frozen=True)
class Measure:
    """One thing measured: ``numerator`` and ``denominator`` name columns of the scored rows."""

    name: str
    layer: str
    label: str
    numerator: str
    denominator: str | None = None


MEASURES = (
    Measure("house_form", "1 Format", "Answers in the house form", "house_form"),
    Measure("stopped", "1 Format", "Answers that end by themselves", "stopped"),
    Measure("numbers_right", "2 Facts", "Numbers right, of those stated", "supported", "checked"),
    Measure("faithful", "2 Facts", "Answers with numbers, none wrong", "faithful"),
    Measure("digit_score", "2 Facts", "Digit strings found in the input", "digits"),
    Measure("urgency_ok", "Judgement", "Urgency an analyst accepts", "urgency_ok", "urgency_known"),
)


# --------------------------------------------------------------------------- one answer


def check_format(output_text: str) -> dict[str, bool]:
    r"""Check the house form of an answer.

    Parameters
    ----------
    output_text : str
        A model's answer.

    Returns
    -------
    dict of str to bool
        ``three_sections`` (each heading once, in order, text in each), ``urgency_level`` (High,
        Medium or Low), ``urgency_reason`` (something follows the level), ``length`` (at most 230
        words), ``nothing_else`` (no text before, no copied case lines).

    Examples
    --------
    >>> text = "Analysis: It fell.\nRecommended action: Test it.\nUrgency: Low — a small move."
    >>> all(check_format(text).values())
    True
    """
    text = output_text.strip()
    answer = parse_answer(text)
    heads = [h.capitalize() for h in _HEADS.findall(text)]
    complete = bool(answer.analysis and answer.action)
    return {
        "three_sections": heads == ["Analysis", "Recommended action", "Urgency"] and complete,
        "urgency_level": answer.urgency in URGENCIES,
        "urgency_reason": len(answer.reason.split()) >= 2,
        "length": 0 < len(text.split()) <= MAX_WORDS,
        "nothing_else": bool(re.match(r"[*#\s]*Analysis", text, re.I))
        and not re.search(r"^(?:Metric|Data|Facts|Context)\s*:", text, re.M),
    }


def score(example: Example, completion: Completion) -> dict[str, Any]:
    """Score one answer on every layer.

    Parameters
    ----------
    example : Example
        The held-out case; ``meta["expect"]["urgency"]`` lists the levels an analyst accepts.
    completion : Completion
        The model's answer.

    Returns
    -------
    dict
        ``id``, ``instruction``, ``input``, ``output``, the checks of `check_format` as
        ``format_...``, ``house_form``, ``stopped``, counts of claims (``supported``, ``wrong``,
        ``checked``), ``faithful``,
        ``precision``, ``coverage``, ``digits``, ``urgency_ok``, ``urgency_known``, tokens, seconds
        and ``claims`` (list of dict).
    """
    checks = check_format(completion.text)
    verdict = claims.verify(example.input, completion.text)
    kinds = [c.verdict for c in verdict.claims]
    wrong = sum(kinds.count(v) for v in claims.WRONG)
    accepted = example.meta.get("expect", {}).get("urgency", [])
    return {
        "id": example.id,
        "instruction": example.instruction,
        "input": example.input,
        "output": completion.text,
        **{f"format_{k}": v for k, v in checks.items()},
        "house_form": all(checks.values()),
        "stopped": completion.stopped,
        "supported": kinds.count("supported"),
        "wrong": wrong,
        "checked": kinds.count("supported") + wrong,
        "faithful": verdict.faithful,
        "precision": verdict.precision,
        "coverage": verdict.coverage,
        "digits": claims.digit_score(example.input, completion.text),
        "urgency_ok": parse_answer(completion.text).urgency in accepted,
        "urgency_known": bool(accepted),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "seconds": completion.seconds,
        "claims": [c.to_dict() for c in verdict.claims],
    }


# --------------------------------------------------------------------------- systems


def answer(
    model: Model,
    cases: Sequence[Example],
    *,
    form: str,
    with_facts: bool = True,
    shots: Sequence[Example] = (),
    max_new_tokens: int = 256,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict[str, Any]]:
    """Let a system answer all cases and score the answers; one row a case, in order."""
    prompts = [messages(c, form=form, with_facts=with_facts, shots=shots) for c in cases]
    completions = model.generate(prompts, max_new_tokens, progress=progress)
    return [score(c, done) for c, done in zip(cases, completions, strict=True)]


def shot_sets(
    pool: Sequence[Example], sizes: Sequence[int], *, form: str
) -> dict[str, list[Example]]:
    """Few-shot prompts to choose from: short solved examples of different patterns.

    Parameters
    ----------
    pool : sequence of Example
        Training examples.
    sizes : sequence of int
        How many examples each prompt shows.

    Returns
    -------
    dict
        ``"1 example"`` and so on, to the examples; the longest set begins with the shorter ones.
    """
    usable = []
    for example in pool:
        try:
            length = len(target(example, form=form)) + len(example.input)
        except CaseError:
            continue
        usable.append((length, example.id, example))
    picked: list[Example] = []
    patterns: set[str] = set()
    for _, _, example in sorted(usable, key=lambda item: item[:2]):
        pattern = f"{example.meta.get('pattern', '')}{parse_answer(example.output).urgency}"
        if pattern not in patterns:
            patterns.add(pattern)
            picked.append(example)
    return {f"{k} example{'s' if k > 1 else ''}": picked[:k] for k in sizes if k <= len(picked)}


def choose_shots(
    model: Model,
    val: Sequence[Example],
    sets: Mapping[str, list[Example]],
    *,
    form: str,
    max_new_tokens: int = 256,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[str, pd.DataFrame]:
    """Choose the few-shot prompt on validation cases, never on the test.

    Returns
    -------
    tuple
        The name of the best set (most answers in the house form, then most numbers right), and
        the comparison: ``prompt``, ``house_form``, ``numbers_right``, ``tokens``, ``n``.
    """
    rows = []
    for name, shots in sets.items():
        scored = pd.DataFrame(
            answer(
                model,
                val,
                form=form,
                shots=shots,
                max_new_tokens=max_new_tokens,
                progress=progress,
            )
        )
        checked = scored["checked"].sum()
        rows.append(
            {
                "prompt": name,
                "house_form": scored["house_form"].mean(),
                "numbers_right": scored["supported"].sum() / checked if checked else 0.0,
                "tokens": scored["prompt_tokens"].mean(),
                "n": len(val),
            }
        )
    table = pd.DataFrame(rows)
    best = table.sort_values(["house_form", "numbers_right"], ascending=False, kind="stable")
    return str(best["prompt"].iloc[0]), table


# --------------------------------------------------------------------------- all systems together


def _counts(rows: pd.DataFrame, measure: Measure) -> tuple[Any, Any]:
    """Numerator and denominator by case; what is undefined for a case counts as no item."""
    top = rows[measure.numerator].astype(float)
    bottom = pd.Series(1.0, index=rows.index)
    if measure.denominator:
        bottom = rows[measure.denominator].astype(float)
    bottom = bottom.where(top.notna(), 0.0)
    return top.where(bottom > 0, 0.0).fillna(0.0).to_numpy(), bottom.to_numpy()


def summarize(scored: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every measure of every system with its interval.

    Parameters
    ----------
    scored : mapping of str to DataFrame
        System to its rows from `answer`.

    Returns
    -------
    DataFrame
        ``layer``, ``metric``, ``label``, ``unit``, ``better``, ``system``, ``value``, ``low``,
        ``high``, ``n`` (cases with at least one item).
    """
    rows = []
    for measure in MEASURES:
        for system, frame in scored.items():
            estimate = _estimate(frame, measure)
            fixed = {
                "layer": measure.layer,
                "metric": measure.name,
                "label": measure.label,
                "unit": "share",
                "better": "up",
            }
            rows.append({**fixed, "system": system, **asdict(estimate)})
    return pd.DataFrame(rows)


def _estimate(frame: pd.DataFrame, measure: Measure) -> stats.Estimate:
    top, bottom = _counts(frame, measure)
    if measure.denominator is None and frame[measure.numerator].dtype == bool:
        return stats.wilson(int(top.sum()), len(frame))
    return stats.ratio(top, bottom)


def compare(scored: Mapping[str, pd.DataFrame], candidate: str) -> pd.DataFrame:
    """The candidate against every other system, paired by case.

    Returns
    -------
    DataFrame
        ``metric``, ``label``, ``baseline``, ``candidate``, ``difference``, ``low``, ``high``,
        ``p``, ``n``, ``outcome``.
    """
    rows = []
    for measure in MEASURES:
        for system in scored:
            if system == candidate:
                continue
            found = stats.compare(
                _counts(scored[system], measure), _counts(scored[candidate], measure)
            )
            named = {
                "metric": measure.name,
                "label": measure.label,
                "baseline": system,
                "candidate": candidate,
            }
            rows.append(named | asdict(found))
    return pd.DataFrame(rows)


def gate(
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    *,
    candidate: str,
    baseline: str,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Decide whether the candidate passes, with the reason for each check.

    Parameters
    ----------
    thresholds : mapping of str to float
        Metric to the value that the candidate must reach; it must also be better than the
        baseline, shown and not only seen.

    Returns
    -------
    dict
        ``passed``, ``verdict`` (a sentence) and ``checks`` (list of dict with ``metric``,
        ``requirement``, ``passed``, ``reason``).
    """
    checks = []
    for metric, least in thresholds.items():
        own = summary[(summary["metric"] == metric) & (summary["system"] == candidate)].iloc[0]
        pair = compared[(compared["metric"] == metric) & (compared["baseline"] == baseline)].iloc[0]
        reached = pd.notna(own["value"]) and own["value"] >= least
        checks.append(
            {
                "metric": metric,
                "requirement": f"at least {least:.2f}, and shown to be better than "
                f"{_SYSTEMS[baseline]}",
                "passed": bool(reached and pair["outcome"] == "better"),
                "reason": f"{_share(own['value'])} on {own['n']} cases; against "
                f"{_SYSTEMS[baseline]}: {pair['outcome']}",
            }
        )
    failed = [str(c["metric"]) for c in checks if not c["passed"]]
    return {"passed": not failed, "checks": checks, "verdict": _verdict(checks, failed, baseline)}


def _verdict(checks: list[dict[str, Any]], failed: list[str], baseline: str) -> str:
    names = {m.name: m.label.lower() for m in MEASURES}
    if not failed:
        what = " and ".join(names[c["metric"]] for c in checks)
        return f"The fine-tuned model is better than {_SYSTEMS[baseline]} on: {what}."
    return (
        f"Not shown: the fine-tuned model does not pass on {', '.join(names[f] for f in failed)}."
    )


def _share(value: float | None) -> str:
    return "no value" if value is None or pd.isna(value) else f"{value:.2f}"


def pick_examples(
    rows: pd.DataFrame, cases: Sequence[Example], system: str
) -> list[dict[str, Any]]:
    """A typical, the best and the worst answer of a system, by rule and not by taste.

    Ranked by house form, share of numbers right, urgency accepted, then id; the typical one is
    the middle of the ranking.
    """
    right = (rows["supported"] / rows["checked"]).where(rows["checked"] > 0, 0.0)
    order = rows.assign(right=right).sort_values(
        ["house_form", "right", "urgency_ok", "checked", "id"],
        ascending=[False, False, False, False, True],
    )
    inputs = {c.id: c.input for c in cases}
    places = {"typical": len(order) // 2, "best": 0, "worst": len(order) - 1}
    found = []
    for kind, place in places.items():
        row = order.iloc[place]
        found.append(
            {
                "kind": kind,
                "id": row["id"],
                "system": system,
                "input": inputs[row["id"]],
                "output": row["output"],
                "claims": row["claims"],
            }
        )
    return found


# --------------------------------------------------------------------------- for files and readers


def prediction_rows(answers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every answer with its scores, without the single claims; one row a system and case."""
    return [
        {"system": system, **{k: v for k, v in row.items() if k != "claims"}}
        for system, rows in answers.items()
        for row in rows
    ]


def usefulness(
    answers: Mapping[str, list[dict[str, Any]]], ratings: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """People's ratings of the answers, 0 to 5, by system; none as long as nobody has rated.

    Parameters
    ----------
    answers : mapping
        System to the rows of `score`.
    ratings : sequence of mapping
        Lines of the run's ``ratings.jsonl``; raters do not see which system wrote what.

    Returns
    -------
    DataFrame
        ``system``, ``value`` (mean over raters and answers), ``low``, ``high`` (95%, resampled by
        answer; None if all ratings are equal), ``n`` (answers rated) and ``raters``.
    """
    said: dict[str, dict[str, int]] = {}
    for (rater, item), line in review.standing(ratings).items():
        if line["rating"] is not None:
            said.setdefault(item, {})[rater] = line["rating"]
    rows = []
    for system, found in answers.items():
        hashes = [review.item_hash(r["instruction"], r["input"], r["output"]) for r in found]
        rated = [said[h] for h in hashes if h in said]
        if rated:
            raters = len({rater for r in rated for rater in r})
            rows.append({"system": system, **_mean_rating(rated), "raters": raters})
    return pd.DataFrame(rows, columns=["system", "value", "low", "high", "n", "raters"])


def _mean_rating(rated: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """The mean as a share of the highest rating, and back; equal ratings show no interval."""
    top = max(review.RUBRIC)
    share = stats.ratio([sum(r.values()) / top for r in rated], [len(r) for r in rated])
    found = {k: v * top if v is not None else None for k, v in vars(share).items() if k != "n"}
    if found["low"] == found["high"]:
        found |= {"low": None, "high": None}
    return {**found, "n": share.n}


def claim_rows(answers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Every number of every answer with its verdict; one row a claim."""
    return [
        {"system": system, "id": row["id"], **claim}
        for system, rows in answers.items()
        for row in rows
        for claim in row["claims"]
    ]


def wide(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with a column a system, as ``value [low, high]``: for a table."""
    frame = summary.copy()
    frame["shown"] = [_interval(r) for r in frame.to_dict("records")]
    order = list(dict.fromkeys(frame["system"]))
    table = frame.pivot(index=["layer", "label"], columns="system", values="shown")[order]
    labels = [(m.layer, m.label) for m in MEASURES]
    return table.loc[labels].reset_index()


def _interval(row: Mapping[Any, Any]) -> str:
    if row["value"] is None or pd.isna(row["value"]):
        return "no value"
    if row["low"] is None or pd.isna(row["low"]):
        return f"{row['value']:.2f} (n={row['n']})"
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def headline(summary: pd.DataFrame) -> dict[str, float | None]:
    """Format and numbers of each system, for the stage's record."""
    picked = summary[summary["metric"].isin(["house_form", "numbers_right"])]
    return {
        f"{r['system']}_{r['metric']}": None if pd.isna(r["value"]) else r["value"]
        for r in picked.to_dict("records")
    }


def scores(
    form: str,
    prompt: str,
    summary: pd.DataFrame,
    compared: pd.DataFrame,
    examples: list[dict[str, Any]],
    cases: Sequence[Example],
) -> dict[str, Any]:
    """Content of ``scores.json``, from which the front page is built."""
    return {
        "form": form,
        "n": len(cases),
        "systems": [
            {"name": "base", "label": "Base, zero-shot", "role": "baseline"},
            {"name": "prompted", "label": f"Base, {prompt} in the prompt", "role": "baseline"},
            {"name": "tuned", "label": "Fine-tuned", "role": "candidate"},
        ],
        "metrics": _rows(summary),
        "comparisons": _rows(compared),
        "examples": examples,
        "does_not_show": [
            *_constant_urgency(cases),
            "Whether the recommended actions are good ones: no person has rated them.",
            f"How the model does on cases unlike these {len(cases)}, or on another company's.",
            "What training again with another seed would give: one adapter was trained.",
            "How a larger base model would do, tuned or prompted.",
        ],
    }


def _constant_urgency(cases: Sequence[Example]) -> list[str]:
    """The constant answer as a reference: what always writing the same urgency would reach."""
    accepted = [c.meta.get("expect", {}).get("urgency", []) for c in cases]
    if not any(accepted):
        return []
    level = max(URGENCIES, key=lambda u: sum(u in a for a in accepted))
    share = sum(level in a for a in accepted) / len(accepted)
    return [f"That urgency was judged: always writing '{level}' would be accepted in {share:.0%}."]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, with None where a value is not defined."""
    return [
        {str(k): None if not isinstance(v, list) and pd.isna(v) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]
