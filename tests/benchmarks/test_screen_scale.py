"""How the whole screen grows: 1k, 10k and 100k short reports, seconds and peak memory.

Each size runs in a process of its own, so that its peak memory is its own.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from nbutils.curation import structure

WRITE = """
import random, resource, sys, json, time
import pandas as pd

METRICS = ["Activation Rate", "Save Rate", "Refund rate", "Booking rate", "Logo churn", "CSAT"]
WHERE = ["UK", "US", "France", "Iberia", "Nordics", "APAC", "LATAM", "DACH"]
WHAT = ["new form", "price rise", "longer trial", "second depot", "free returns", "new menu"]
OWNER = ["Growth", "Web team", "Finance", "Support", "Logistics", "Lifecycle"]
ASIDE = ["No price changed in that time.", "Nothing else was released.", "Season may play a part.",
         "There was no holdout.", "Volume was level.", "The old version stays available."]

def write(rng):
    n = rng.randint(6, 9)
    start, step = rng.uniform(5, 60), rng.uniform(-0.2, 0.2)
    at = rng.randint(3, n - 2)
    values = [start * (1 + step * (i >= at)) + rng.gauss(0, 0.01 * start) for i in range(n)]
    first, last = round(values[0], 1), round(values[-1], 1)
    change, cohort = round(last - first, 1), rng.randint(20, 900) * 10
    what = rng.choice(WHAT)
    weeks = rng.randint(2, 6)
    action = f"{rng.choice(OWNER)} takes the {what} back for a random half, {weeks} weeks."
    if rng.random() < 0.1:
        action = "Let's keep an eye on it."
    listed = ", ".join(f"{v:.1f}%" for v in values)
    words = " ".join(rng.sample(ASIDE, 3))
    return (
        f"Metric: {rng.choice(METRICS)}\\nContext: SMB, {rng.choice(WHERE)}\\n"
        f"Data: [{listed}] (last {n} weeks)\\nCohort size: ~{cohort:,} a week\\n"
        f"Recent changes: {what} since week {at + 1}\\n\\n"
        f"Analysis: It went from {first}% to {last}%, {abs(change)} points, and the break falls in "
        f"week {at + 1}, when the {what} came. {words}\\nRecommended action: {action}\\n"
        f"Urgency: Medium, about {abs(round(change * cohort / 100))} of {cohort:,} a week."
    )

if __name__ == "__main__":
    from nbutils import curation
    count, rng = int(sys.argv[1]), random.Random(1)
    texts = [write(rng) for _ in range(count)]
    for i in range(0, count, 20):
        texts[i] = texts[i // 2].replace("the break falls", "the step stands")
    frame = pd.DataFrame({"id": range(count), "text": texts})
    began = time.perf_counter()
    found = curation.screen(frame)
    seconds = time.perf_counter() - began
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"seconds": seconds, "own_mb": own / 1024, "largest_child_mb": others / 1024,
                      "kept": int(found["keep"].sum()), "words": len(texts[0].split())}))
"""


@pytest.mark.parametrize("count", [1_000, 10_000, 100_000])
def test_screening(benchmark: Any, count: int) -> None:
    def run() -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, "-c", WRITE, str(count)], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    figures = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info |= figures
    assert 0 < figures["kept"] < count


@pytest.mark.parametrize("size", [10_000, 20_000, 40_000])
@pytest.mark.parametrize(
    "unit", ["1, ", "| 1 ", "12% / ", "5 5 then ", "1, 2, 3 before 4, 5 after "]
)
def test_time_grows_with_repetition(benchmark: Any, unit: str, size: int) -> None:
    found = benchmark.pedantic(structure, (unit * (size // len(unit)),), rounds=3)
    assert found.style
