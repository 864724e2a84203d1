"""Paid calls: several hundred answers of a large model, none paid twice, none lost.

`requests` is what is asked, `service` whom and with which key, `wire` one call, `workers` its
retries, `ledger` the budget and the log of attempts, `store` the cache, `replies` how an answer is
read, `calls` all of it together. `recorded` is a server on this machine with recorded answers, and
with faults when they are asked for.
"""

from .calls import Budget, Outcome, Progress, Reply, Request, Service, ask_all, ask_while_possible
from .recorded import Disturbance, key_of, serve
from .service import label

__all__ = [
    "Budget",
    "Disturbance",
    "Outcome",
    "Progress",
    "Reply",
    "Request",
    "Service",
    "ask_all",
    "ask_while_possible",
    "key_of",
    "label",
    "serve",
]
