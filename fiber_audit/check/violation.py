"""What a check finds, and how checks are run one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Checks = Mapping[str, Callable[[T], str | None]]
"""Name -> function of what is checked; it returns a sentence, or None where all is well."""
WEIGHTS = "weights"
"""The name of what is no broken promise: weights, or the library for them, are not here."""
FAULTS = (Exception, SystemExit)
"""What a plugin may raise while it is tried; sys.exit(0) must not turn a check green."""


@dataclass(frozen=True)
class Violation:
    """A broken promise: the name of the check, and one sentence with the way out."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def violations(checks: Checks[T], subject: T) -> list[Violation]:
    """Run every check; one that raises is violated by that."""
    found = []
    for name, check in checks.items():
        try:
            message = check(subject)
        except FAULTS as error:  # plugins may raise anything; it is what we look for
            message = f"it raised {told(error)}."
        if message:
            found.append(Violation(name, message))
    return found


def told(error: BaseException) -> str:
    """An exception on one line, to end a sentence with.

    >>> told(ValueError("no."))
    'ValueError: no'
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('. ') if lines else '(no message)'}"
