"""What is known of a failure: the chain of exceptions, and where the model is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.error import URLError

from .files import Place
from .offline import NetworkShut

CLIENTS = {"aiohttp", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3"}
"""Packages whose exceptions mean that a server was not reached."""


@dataclass(frozen=True)
class Evidence:
    """An exception that came up while a model was loaded, and what it was raised from.

    model: as the suite names it. download: may it be fetched? chain: the exception first.
    """

    model: str
    download: bool
    chain: list[BaseException]

    @classmethod
    def of_failure(cls, error: BaseException, model: str, download: bool) -> Evidence:
        """Follow an exception to its causes."""
        return cls(model, download, [*_chain(error)])

    @cached_property
    def place(self) -> Place:
        """Where the model is looked for."""
        return Place.of(self.model)

    @property
    def reason(self) -> str:
        """What the library said last."""
        return line_of(self.chain[0])

    def of(self, *names: str) -> BaseException | None:
        """The first of the chain that is of a class of one of these names.

        By name, since the classes belong to libraries that need not be installed.
        """
        for error in self.chain:
            if {kind.__name__ for kind in type(error).__mro__} & {*names}:
                return error
        return None

    @property
    def status(self) -> int | None:
        """What a server answered."""
        for error in self.chain:
            response = getattr(error, "response", None)
            code = getattr(response, "status_code", None) or getattr(error, "code", None)
            if isinstance(code, int) and code >= 400:
                return code
        return None

    @property
    def unreachable(self) -> BaseException | None:
        """The innermost sign that no server answered."""
        found = [
            error
            for error in self.chain
            if isinstance(error, ConnectionError | TimeoutError | URLError | NetworkShut)
            or type(error).__module__.partition(".")[0] in {*CLIENTS, "socket"}
            or {kind.__name__ for kind in type(error).__mro__} & {"LocalEntryNotFoundError"}
        ]
        return found[-1] if found else None


def line_of(error: BaseException, most: int = 160) -> str:
    r"""An exception on one line, to stand in a sentence.

    >>> line_of(ValueError("no.\nNever."))
    'ValueError: no'
    """
    lines = str(error).strip().splitlines() or ["no message"]
    text = lines[0].rstrip(". :")
    return f"{type(error).__name__}: {text if len(text) <= most else text[:most] + '…'}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
