"""Every exception that fiber-audit raises on purpose.

    FiberAuditError
    ├── UsageError          the command line or an argument is wrong            exit 4
    │   ├── SuiteError      the suite file is wrong; carries every problem      exit 4
    │   ├── DataError       a data set, a folder or a run directory is wrong    exit 4
    │   └── UnknownName     no such component; carries a suggestion             exit 4
    ├── PluginError         a plugin breaks its contract                        exit 3
    ├── DiskError           a file cannot be written, or the disk is full       exit 3
    ├── WeightsError        weights are missing or are not what they should be  (cell: skipped)
    └── DivergedError       a sampler left the finite numbers                   (cell: error)

Each message is one sentence that names the value, the place and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class FiberAuditError(Exception):
    """Base class: printed as one line, without a traceback."""


class UsageError(FiberAuditError, ValueError):
    """The user asked for something that does not exist or cannot be."""


class SuiteError(UsageError):
    """A suite with problems, all of them: each names its path in the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DataError(UsageError):
    """A data set, a folder or a run directory is missing or malformed."""


class UnknownName(UsageError, LookupError):
    """No component, option or column of that name."""


class PluginError(FiberAuditError):
    """A plugin does not keep its contract."""


class DiskError(FiberAuditError, OSError):
    """A file could not be written; what was there is untouched."""


class WeightsError(FiberAuditError):
    """Weights are missing, or their digest is not the expected one."""


class DivergedError(FiberAuditError, ArithmeticError):
    """A sampler produced numbers that are not finite."""


def reason_of(error: BaseException) -> str:
    """What to tell of an exception: our own sentence, or the name and words of a foreign one.

    >>> reason_of(ValueError("no")), reason_of(WeightsError("a.safetensors: not here."))
    ('ValueError: no', 'a.safetensors: not here.')
    """
    return str(error) if isinstance(error, FiberAuditError) else f"{type(error).__name__}: {error}"


MANY = 60
"""Names that nobody reads, where one of them is meant."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """End a sentence about an unknown name with the way out: a name like it, or all if few.

    >>> suggestion("consistancy", ["consistency", "fidelity"])
    "Did you mean 'consistency'? Known: consistency, fidelity."
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close and len(names) > MANY:
        return f"Did you mean {close[0]!r}? It is one of {len(names)}."
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(names) or 'none'}."
