"""Errors whose message is written for the person at the keyboard."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend; the message is one sentence that ends with the remedy."""


class RunError(UserError, ValueError):
    """A run name, a file name or a value that a run cannot hold."""


class MissingInput(UserError):
    """A file that an earlier notebook, or the user, has to provide first."""
