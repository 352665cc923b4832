"""Which other audit is taken away: the same one with another extractor, prior or sampler."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

Name = Annotated[str, Strict(), Field(min_length=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Minus:
    """Names of the suite that take the place of an audit's own; None keeps its own."""

    extractor: Name | None = None
    prior: Name | None = None
    sampler: Name | None = None

    def names(self) -> dict[str, str]:
        """The ones that are given.

        >>> Minus(sampler="ndtm").names()
        {'sampler': 'ndtm'}
        """
        given = {"extractor": self.extractor, "prior": self.prior, "sampler": self.sampler}
        return {kind: name for kind, name in given.items() if name is not None}

    def other(self, extractor: str, prior: str, sampler: str) -> tuple[str, str, str]:
        """The audit that is taken away from one, as three names.

        >>> Minus(sampler="ndtm").other("shape", "latent", "dps")
        ('shape', 'latent', 'ndtm')
        """
        return self.extractor or extractor, self.prior or prior, self.sampler or sampler

    def __str__(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self.names().items())


def statistic_minus(statistic: str, minus: Minus) -> str:
    """What the records call a difference.

    >>> statistic_minus("mean", Minus(sampler="ndtm"))
    'mean minus sampler ndtm'
    """
    return f"{statistic} minus {minus}"
