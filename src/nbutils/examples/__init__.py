"""Examples, the structured case inside them, and the one place where a prompt is built."""

from .case import PERIODS, Case, CaseError, parse_case
from .likeness import alike_sets, find_alike, in_common, jaccard, masked_words, shingles
from .prompt import FORMS, URGENCIES, Answer, facts_of, messages, parse_answer, sentences, target
from .rows import DataFileError, Example, read_examples, read_jsonl, to_jsonl

__all__ = [
    "FORMS",
    "PERIODS",
    "URGENCIES",
    "Answer",
    "Case",
    "CaseError",
    "DataFileError",
    "Example",
    "alike_sets",
    "facts_of",
    "find_alike",
    "in_common",
    "jaccard",
    "masked_words",
    "messages",
    "parse_answer",
    "parse_case",
    "read_examples",
    "read_jsonl",
    "sentences",
    "shingles",
    "target",
    "to_jsonl",
]
