"""Examples, the structured case inside them, and the one place where a prompt is built."""

from .case import PERIODS, Case, CaseError, parse_case
from .likeness import find_alike, jaccard, shingles
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
    "facts_of",
    "find_alike",
    "jaccard",
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
