"""A run with realistic records, for the tests of the report."""

import json

NASTY = "<script>alert('x')</script> & \"quoted\" \u202eأهلا\u202c שלום " + "w" * 300

INPUT = (
    "Metric: Activation Rate (share of new accounts that issue a first invoice within 7 days)\n"
    "Context: B2B SaaS (invoicing tool), SMB segment, Iberia market\n"
    "Data: [0.47, 0.48, 0.46, 0.47, 0.48, 0.37, 0.36, 0.37, 0.36] (last 9 weeks)\n"
    "Cohort size: ~640 new accounts per week\n"
    "Recent changes: Phone verification made mandatory before the first invoice 4 weeks ago"
)
OUTPUT = (
    "Analysis: Activation Rate fell from 0.47 to 0.36, a drop of 11 points (23%). The largest "
    "step was in week 6, from 0.48 to 0.37. On 640 new accounts a week that is about 70 people.\n"
    "Recommended action: Let a random 50% of new accounts postpone verification for 2 weeks.\n"
    "Urgency: High — about 90 accounts a week"
)
SPANS = [
    ("0.47", "supported", "level", "first value of the series"),
    ("0.36", "supported", "level", "last value of the series"),
    ("11 points", "supported", "point_change", "(0.36 - 0.47) * 100 = -11.0, printed as 11"),
    ("23%", "supported", "relative_change", "(0.36 - 0.47) / 0.47 = -23.4%, printed as 23%"),
    ("50%", "proposal", "share", ""),
    ("2 weeks", "unchecked", "duration", ""),
    ("90", "contradicted", "count", "0.11 * 640 = 70 <not> 90"),
]
SYSTEMS = [
    {"name": "base", "label": "Base, zero-shot", "role": "baseline"},
    {"name": "prompted", "label": "Base, few-shot prompt", "role": "baseline"},
    {"name": "tuned", "label": "Fine-tuned", "role": "candidate"},
]
# layer, metric, label, unit, better, then (value, low, high) of the three systems
MEASURES = [
    (
        "1 Format",
        "house_form",
        "Answers in the house form",
        "share",
        "up",
        [(0.0, 0.0, 0.06), (0.3, 0.2, 0.43), (1.0, 0.94, 1.0)],
    ),
    (
        "2 Numbers",
        "numbers",
        "Numbers that the case supports",
        "share",
        "up",
        [(None, None, None), (0.55, 0.41, 0.66), (0.997, 0.991, 0.999)],
    ),
    (
        "2 Numbers",
        "wrong",
        "Answers with a wrong number",
        "share",
        "down",
        [(0.7, 0.57, 0.8), (0.6, 0.47, 0.71), (0.02, 0.0, 0.09)],
    ),
    (
        "3 Judgement",
        "urgency",
        "Urgency acceptable",
        "share",
        "up",
        [(0.2, 0.12, 0.32), (0.35, 0.24, 0.48), (0.5, 0.38, 0.62)],
    ),
    (
        "4 Cost",
        "length",
        "Length of an answer",
        "words",
        "",
        [(120.5, 99.1, 140.2), (96.3, 90.0, 103.0), (81.2, 80.1, 82.4)],
    ),
]


def scores():
    metrics = [
        {
            "layer": layer,
            "metric": name,
            "label": label,
            "unit": unit,
            "better": better,
            "system": system["name"],
            "value": value,
            "low": low,
            "high": high,
            "n": 60,
        }
        for layer, name, label, unit, better, values in MEASURES
        for system, (value, low, high) in zip(SYSTEMS, values, strict=True)
    ]
    differences = {
        "house_form": (0.7, 0.57, 0.8, "better"),
        "numbers": (0.447, 0.33, 0.58, "better"),
        "wrong": (-0.58, -0.7, -0.45, "better"),
        "urgency": (0.15, -0.02, 0.31, "not shown"),
        "length": (-15.1, -22.0, -8.3, ""),
    }
    comparisons = [
        {
            "metric": name,
            "baseline": "prompted",
            "candidate": "tuned",
            "difference": d,
            "low": low,
            "high": high,
            "n": 60,
            "p": 0.0001,
            "outcome": outcome,
        }
        for name, (d, low, high, outcome) in differences.items()
    ]
    return {
        "form": "brief",
        "n": 60,
        "demonstration": True,
        "does_not_show": [
            "Whether an analyst would act on the answers: no person has rated them.",
            f"Anything about {NASTY}",
        ],
        "systems": SYSTEMS,
        "metrics": metrics,
        "comparisons": comparisons,
        "examples": examples(),
    }


def examples():
    claims, at = [], 0
    for text, verdict, kind, derivation in SPANS:
        at = OUTPUT.index(text, at)
        claims.append(
            {
                "start": at,
                "end": at + len(text),
                "text": text,
                "verdict": verdict,
                "kind": kind,
                "derivation": derivation,
            }
        )
    typical = {"kind": "typical", "id": "h001", "system": "tuned", "input": INPUT}
    worst = {"kind": "worst", "id": "h012", "system": "tuned", "input": INPUT + "\n" + NASTY}
    return [
        {**typical, "output": OUTPUT, "claims": claims},
        {**typical, "kind": "best", "id": "h033", "output": OUTPUT, "claims": claims[:4]},
        {**worst, "output": NASTY, "claims": []},
    ]


def gate():
    return {
        "passed": False,
        "verdict": "The fine-tuned model is better than the best prompt on form and numbers; "
        "better urgency is not shown.",
        "checks": [
            {
                "metric": "house_form",
                "requirement": "at least 90% and better than the prompt",
                "passed": True,
                "reason": "100%, +70 points",
            },
            {
                "metric": "numbers",
                "requirement": "at least 95%",
                "passed": True,
                "reason": "99.7%",
            },
            {
                "metric": "urgency",
                "requirement": "better than the prompt",
                "passed": False,
                "reason": "The interval of the difference, -2 to +31 points, includes 0.",
            },
        ],
    }


def run_record(**changes):
    record = {
        "name": "default",
        "profile": "cpu",
        "status": "done",
        "failed_stage": None,
        "error": None,
        "commit": "0123456789abcdef0123",
        "dirty": True,
        "parameters": {"03": {"epochs": 1, "learning_rate": 0.001}, "04": {"form": "brief"}},
        "hardware": {"cpu": "Some CPU @ 2.0 GHz", "cores": 2, "memory_gb": 7.8, "gpu": None},
        "packages": {"torch": "2.13.0", "trl": "1.16.0"},
        "python": "3.11.9",
        "started": "2026-11-21T10:00:00+00:00",
        "finished": "2026-11-21T10:14:30+00:00",
        "inputs": {"data/growth/reports.jsonl": "ab" * 32, "data/growth/test.jsonl": "cd" * 32},
    }
    return {**record, **changes}


def write_run(folder, **files):
    """Write records, each under its name; without any the whole of a finished run."""
    whole = {
        "run": run_record(),
        "training": {
            "base_model": "SmolLM2-135M-Instruct",
            "precision": "bf16",
            "trainable_parameters": 4_884_480,
            "total_parameters": 139_400_000,
            "steps": 87,
            "seconds": 580.0,
            "tokens_per_second": 361.4,
            "best_eval_loss": 0.4123,
            "evaluations": 4,
        },
        "scores": scores(),
        "gate": gate(),
    }
    for stage, seconds, counts in (
        ("01", 12.3, {"reports": 240, "kept": 151}),
        ("02", 20.0, {"candidates": 400, "not_reviewed": 0}),
        ("03", 600.4, {"train": 461, "validation": 40}),
        ("04", 230.0, {"cases": 60}),
    ):
        whole[stage] = {"stage": stage, "metrics": {}, "counts": counts, "seconds": seconds}
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in (files or whole).items():
        (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
