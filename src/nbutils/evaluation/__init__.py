"""Systems on the same held-out cases: format, facts, judgement, cost, probes, and a gate.

Module by module: `systems` answer, `scoring` scores one answer (`form`, `judgement`), `comparing`,
`slices` and `labels` put them together; `probing`, `retention` and `controls` ask other questions;
`rating`, `judging` and `calibrating` are about usefulness; `costs` about money; `gating` decides,
and `causes` leads back to the data.
"""

from .abstention import abstains
from .calibrating import Calibration, calibrate, judged_usefulness
from .causes import causes, wrong_kinds
from .comparing import (
    MEASURES,
    Measure,
    claim_rows,
    compare,
    headline,
    pick_examples,
    prediction_rows,
    scores,
    summarize,
    unanswered,
    wide,
)
from .controls import ask_controls, no_data, recited, swapped
from .costs import break_even, costs, decision
from .form import by_check, check_format, simple_checks
from .gating import gate, halt
from .indicators import indicators
from .judgement import action_faults, names_turn, stated_direction
from .judging import Judged, judge
from .labels import Labels, by_class, calibration, confusion, urgency
from .preferring import Preferred, prefer
from .probing import Probe, abstention_table, check_probe, probe, probe_table, read_probes
from .rating import rater_agreement, rating_status, usefulness
from .retention import forgotten, general, perplexity, perplexity_table, retention
from .retrieval import Index, terms
from .scoring import score
from .services import endpoint, opinion
from .settings import Settings, settings
from .slices import by_slice, describe, parity
from .systems import Prompt, answer, ask_endpoint, best_of, choose_prompt, composed, names, prompts

__all__ = [
    "MEASURES",
    "Calibration",
    "Index",
    "Judged",
    "Labels",
    "Measure",
    "Preferred",
    "Probe",
    "Prompt",
    "Settings",
    "abstains",
    "abstention_table",
    "action_faults",
    "answer",
    "ask_controls",
    "ask_endpoint",
    "best_of",
    "break_even",
    "by_check",
    "by_class",
    "by_slice",
    "calibrate",
    "calibration",
    "causes",
    "check_format",
    "check_probe",
    "choose_prompt",
    "claim_rows",
    "compare",
    "composed",
    "confusion",
    "costs",
    "decision",
    "describe",
    "endpoint",
    "forgotten",
    "gate",
    "general",
    "halt",
    "headline",
    "indicators",
    "judge",
    "judged_usefulness",
    "names",
    "names_turn",
    "no_data",
    "opinion",
    "parity",
    "perplexity",
    "perplexity_table",
    "pick_examples",
    "prediction_rows",
    "prefer",
    "probe",
    "probe_table",
    "prompts",
    "rater_agreement",
    "rating_status",
    "read_probes",
    "recited",
    "retention",
    "score",
    "scores",
    "settings",
    "simple_checks",
    "stated_direction",
    "summarize",
    "swapped",
    "terms",
    "unanswered",
    "urgency",
    "usefulness",
    "wide",
    "wrong_kinds",
]
