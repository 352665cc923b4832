"""A condition: what one statistic of one metric must hold, in every audit that its filters match.

It is one ``[[conditions]]`` table of a suite. Whatever is wrong with one is told at once, each
problem in a sentence that starts with its path.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass

from ..errors import SuiteError, suggestion
from .minus import Minus, statistic_minus

T = TypeVar("T")
Text = Annotated[str, Strict(), Field(min_length=1)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Difference = Literal["n", "weights", "config"]
"""What must not differ between two runs that are compared, unless the user allows it."""
Severity = Literal["fail", "warn"]
Decide = Literal["interval", "value"]

FILTERS = ("extractor", "prior", "sampler")
LOST = "draws_lost"
"""The metric that the host measures by itself."""
TOLERANCE = 0.05
CHOICES = {"severity": get_args(Severity), "decide": get_args(Decide)}


def told_in_sentences(cls: type[T]) -> type[T]:
    """Make a condition from Python as strict as one from a suite, with the same sentences."""
    construct: Any = cls.__init__

    @functools.wraps(construct)
    def checked(self: Any, *values: Any, **named: Any) -> None:
        keys = (field.name for field in fields(self))
        given = _set(dict(zip(keys, values, strict=False)) | named)
        if problems := sentences(given, type(self).__name__):
            raise SuiteError(problems)
        construct(self, *values, **named)

    cls.__init__ = checked  # type: ignore[method-assign]
    return cls


@told_in_sentences
@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Condition:
    """A bound on one statistic of one metric.

    metric: its name in the records. `draws_lost` is always measured.
    statistic: None is the headline, "mean" or the metric's only pooled statistic.
    seen_by: the extractor whose view it is; None is the view of the headline.
    extractor, prior, sampler: the suite's names of the audits to test; None is any.
    minus: another extractor, prior or sampler of the suite; what is judged is then the difference
        to the audit that has it in the place of its own, paired query by query.
    min, max: the values that hold, in the metric's unit, ends included.
    baseline: a records.csv to compare with instead. tolerance is relative to its value, 0 or more;
        allow names what may differ between the two runs.
    severity: what a violated condition is called.
    decide: judge the interval, or the value alone.
    name: how CI calls it, "" for its `title`.

    Raises:
        SuiteError: it cannot be meant; one sentence for each problem.
    """

    metric: Text
    statistic: Text | None = None
    extractor: Text | None = None
    prior: Text | None = None
    sampler: Text | None = None
    min: Number | None = None
    max: Number | None = None
    baseline: Text | None = None
    tolerance: Annotated[Number, Field(ge=0)] = TOLERANCE
    allow: tuple[Difference, ...] = ()
    severity: Severity = "fail"
    decide: Decide = "interval"
    name: Annotated[str, Strict()] = ""
    seen_by: Text | None = None
    minus: Minus | None = None

    @property
    def record(self) -> str | None:
        """What the records call the statistic; None is the headline."""
        if self.minus is None:
            return self.statistic
        return statistic_minus(self.statistic or "mean", self.minus)

    @property
    def title(self) -> str:
        """The name, or a stable one made of what the condition says.

        >>> Condition("fiber_loss_rms", extractor="shape", max=0.1).title
        'fiber_loss_rms <= 0.1 (extractor = shape)'
        """
        if self.name:
            return self.name
        low = f"{self.min:g} <= " if self.min is not None else ""
        high = f" <= {self.max:g}" if self.max is not None else ""
        if self.baseline is not None:
            high = f" within {self.tolerance:.3g} of {PurePath(self.baseline).name}"
        narrowed = ("statistic", "seen_by", *FILTERS)
        where = [f"{key} = {value}" for key in narrowed if (value := getattr(self, key))]
        less = "" if self.minus is None else f" minus {self.minus}"
        return f"{low}{self.metric}{less}{high}" + (f" ({', '.join(where)})" if where else "")

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        if wrong := [*_contradictions(_set(vars(self)), "Condition")]:
            raise ValueError(" ".join(wrong))
        return self

    @model_serializer(mode="plain")
    def table(self) -> dict[str, Any]:
        """What a suite says: the keys that are set."""
        given = _set({field.name: getattr(self, field.name) for field in fields(self)})
        if self.minus is not None:
            given["minus"] = self.minus.names()
        return given | ({"allow": list(self.allow)} if self.allow else {})


_DEFAULTS = {f.name: f.default for f in fields(Condition) if f.default is not MISSING}
_ADAPTER = TypeAdapter(Condition)


def sentences(table: object, where: str) -> list[str]:
    """What is wrong with one condition of a suite; nothing where it is good.

    table: as read from TOML. where: its path in the suite, e.g. ``conditions[0]``.

    >>> sentences({"metric": "fiber_loss_rms", "max": "low"}, "conditions[0]")
    ["conditions[0].max = 'low': give a finite number."]
    """
    if not isinstance(table, Mapping):
        return [f'{where} = {table!r}: give a table, with metric = "..." and a bound.']
    problems: list[str] = []
    if table.get("name") == "":
        problems.append(_wanted("name", table, where, "a text in quotes"))
    try:
        _ADAPTER.validate_python(dict(table))
    except ValidationError as error:
        told = (_sentence(e["type"], e["loc"][0], table, where) for e in error.errors() if e["loc"])
        problems += dict.fromkeys(told)
    return [*problems, *_contradictions(table, where)]


def unmatched(condition: Condition, metrics: Collection[str], where: str) -> list[str]:
    """One sentence if the suite does not measure what the condition bounds.

    metrics: the names of the suite's metrics. Each writes records under its own name only.

    >>> unmatched(Condition("fidelty", max=1), ["fidelity"], "conditions[0]")[0].split(": ")[1:]
    ["the suite does not measure it. Did you mean 'fidelity'? Known", 'draws_lost, fidelity.']
    """
    known = {*metrics, LOST}
    if condition.metric in known:
        return []
    said = f"{where}.metric = {condition.metric!r}: the suite does not measure it."
    return [f"{said} {suggestion(condition.metric, known)}"]


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from their defaults."""
    return {k: v for k, v in values.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}


def _sentence(kind: str, key: object, table: Mapping[Any, Any], where: str) -> str:
    """One problem with one key, of a kind that pydantic tells."""
    if kind == "missing":
        return f'{where}: it names no metric; add metric = "...".'
    if kind in ("unexpected_keyword_argument", "invalid_key") and key != "minus":
        known = [field.name for field in fields(Condition)]
        return f"{where}.{key}: no such key. {suggestion(str(key), known)}"
    if key == "minus":
        return _wanted(key, table, where, 'a table of other names, as { sampler = "ndtm" }')
    wanted = {
        "greater_than_equal": "0 or more; 0.05 tolerates 5 %",
        "string_type": "a text in quotes",
        "string_too_short": "a text in quotes",
        "float_type": "a finite number",
        "finite_number": "a finite number",
    }.get(kind, f"a list of {', '.join(get_args(Difference))}")
    if key in CHOICES:
        wanted = f"one of {', '.join(CHOICES[str(key)])}"
    return _wanted(key, table, where, wanted)


def _wanted(key: object, table: Mapping[Any, Any], where: str, what: str) -> str:
    return f"{where}.{key} = {table[key]!r}: give {what}."


def _contradictions(table: Mapping[Any, Any], where: str) -> Iterator[str]:
    """What the keys of one condition say against each other."""
    if table.get("minus") in ({}, Minus()):
        yield f"{where}.minus: it names nothing; name an extractor, prior or sampler in it."
    bounds = {key: table[key] for key in ("min", "max") if table.get(key) is not None}
    numbers = [value for value in bounds.values() if isinstance(value, int | float)]
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        yield f"{where}: min = {numbers[0]} is above max = {numbers[1]}; swap them."
    if table.get("baseline") is not None:
        if bounds:
            yield f"{where}: it has baseline and {next(iter(bounds))}; make two conditions of it."
        return
    if not bounds:
        yield f"{where}: it bounds nothing; add min, max or baseline."
    for key in ("tolerance", "allow"):
        if key in table:
            yield f"{where}.{key}: it means something only beside baseline; add one, or drop {key}."
