"""What goes to a worker, and what comes back: pickled, and never more than an answer can bear."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from ..errors import FiberAuditError, PluginError, UsageError


def attempt(work: Callable[[Any], Any], piece: Any) -> Any | Exception:
    """work(piece), or the exception that it raised, of whatever kind; Ctrl-C goes through.

    >>> attempt(int, "8"), attempt(int, "eight")
    (8, ValueError("invalid literal for int() with base 10: 'eight'"))
    """
    try:
        return work(piece)
    except Exception as error:  # plugins may raise anything; one piece pays for it
        return error
    except SystemExit as error:
        return PluginError(f"A plugin called sys.exit({error.code!r}); it should raise an error.")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _no_exception(error)


def attempt_apart(work: Callable[[Any], Any], piece: Any) -> Any | Exception:
    """The same in a worker, which hears no Ctrl-C: it is not the user's there."""
    try:
        return attempt(work, piece)
    except KeyboardInterrupt as error:
        return _no_exception(error)


def _no_exception(error: BaseException) -> PluginError:
    return PluginError(f"A plugin raised {type(error).__name__}; it should raise an Exception.")


@dataclass(frozen=True)
class Reply:
    """A pickled result, or a pickled exception with its trace."""

    packed: bytes
    otherwise: str
    """What to say where it cannot be pickled, or not be unpickled."""
    trace: str = ""
    grown: int = 0
    """Bytes that the worker holds more than after its first piece."""

    @classmethod
    def of(cls, result: Any | Exception, grown: int = 0) -> Self:
        """In a worker: pack a result, or the exception that came in its place."""
        otherwise, trace = "The result of a piece cannot be sent between processes.", ""
        if isinstance(result, Exception):
            otherwise = f"{type(result).__name__}: {result}"
            trace = "".join(traceback.format_exception(result))
        try:
            return cls(pickle.dumps(result), otherwise, trace, grown)
        except Exception:  # __reduce__ may raise anything
            return cls(b"", otherwise, trace, grown)

    @property
    def result(self) -> Any | Exception:
        """What work gave or raised."""
        try:
            result = pickle.loads(self.packed)
        except Exception:  # classes may raise anything here, or be known to the worker only
            result = PluginError(self.otherwise)
        if self.trace and not isinstance(result, Exception):  # a strange __reduce__
            result = PluginError(self.otherwise)
        if self.trace:
            result.add_note(self.trace)
        return result


@dataclass(frozen=True)
class Refusal:
    """Why a worker computes no piece, a sentence. unsendable: the work cannot be unpickled."""

    reason: str
    unsendable: bool = False

    @classmethod
    def of_work(cls, error: Exception) -> Self:
        """Work that cannot be unpickled; or that cannot be done here, which it says itself."""
        if isinstance(error, FiberAuditError):
            return cls(str(error))
        return cls(f"{type(error).__name__}: {error}", unsendable=True)


def packed(thing: object, instead: str) -> bytes:
    """Pickle what goes to a worker. instead: how to compute here.

    Raises:
        UsageError: it cannot be pickled.
    """
    try:
        # plain pickle copies; that of multiprocessing would move tensors to shared memory, here too
        return pickle.dumps(thing)
    except FiberAuditError:  # it knows better why not
        raise
    except Exception as error:  # __reduce__ may raise anything
        raise unsendable(f"{type(error).__name__}: {error}", instead) from error


def unsendable(reason: str, instead: str) -> UsageError:
    """The sentence for what another process cannot have."""
    return UsageError(
        f"Objects that live in this process cannot be sent to workers "
        f"({' '.join(reason.split())}); {instead}."
    )
