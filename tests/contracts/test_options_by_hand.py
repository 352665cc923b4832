"""A class that is made by hand with a value of another type than its option's says so."""

import inspect
import typing
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.options import NAMED, problems_of
from fiber_audit.contracts import Count, held
from fiber_audit.errors import FiberAuditError, UsageError

REQUIRED = {"mean": (0.5,), "std": (0.5,), "model": "resnet18", "size": 16}
"""Of options without a default; of others, a word that leads nowhere."""
WRONG = (0.5, None, "wrong", [0.5, "x"], [[None]])


def is_list(kind):
    """Whether a type is that of a list, or of a list among others."""
    origin = typing.get_origin(kind)
    lists = isinstance(origin, type) and issubclass(origin, Sequence)
    return lists or any(map(is_list, typing.get_args(kind)))


@cache
def options():
    """(component, option) of all options that can be lists."""
    return [*_options()]


def _options():
    for component in Catalogue.load():
        if component.distribution != "fiber-audit":
            continue
        made = component.factory
        kinds = typing.get_type_hints(made.__init__ if inspect.isclass(made) else made)
        for name in inspect.signature(made).parameters:
            if name in kinds and kinds[name] not in NAMED and is_list(kinds[name]):
                yield component, name


def given(component, name, value):
    parameters = inspect.signature(component.factory).parameters.values()
    needed = (p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    return {**{each: REQUIRED.get(each, "nowhere") for each in needed}, name: value}


def test_a_wrong_list_is_refused_in_a_sentence_or_when_it_is_used():
    seen = set()
    for component, name in options():
        for value in WRONG:
            chosen = given(component, name, value)
            if any(f".{name}" in each for each in problems_of(component.factory, chosen, "x")):
                seen.add((component.name, name))
                with suppress(FiberAuditError):  # and nothing else
                    component.factory(**chosen)

    assert {("torch-module", "mean"), ("table", "std"), ("ndtm", "guidance")} <= seen
    assert len(seen) > 20


@pytest.mark.parametrize("value", WRONG)
def test_the_sentence_names_the_option_and_the_value(value):
    for option in ("mean", "std", "range", "resize", "crop"):
        (found,) = (c for c, name in options() if (c.name, name) == ("torch-module", option))
        with pytest.raises(UsageError) as raised:
            found.factory(**given(found, option, value))
        assert str(raised.value).startswith(f"{option} = {value!r}: ")


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        ([0.5, 1], tuple[float, ...], True),
        ((0.5, 1), tuple[float, float], True),
        ((0.5,), tuple[float, float], False),
        (0.5, tuple[float, ...], False),
        ("0.5", float, False),
        (True, int, False),
        (0, Count, False),
        (object(), str, True),  # what JSON does not know is told as a text
        ({"a": object}, dict[str, int], False),
    ],
)
def test_a_value_is_held_as_that_of_a_suite_is(value, kind, fits):
    def sampler(*, option: kind):
        """A factory with that option."""

    sampler.__annotations__["option"] = kind
    assert bool(problems_of(sampler, {"option": value}, "samplers.s")) is not fits
    if fits:
        held("option", value, kind)
    else:
        with pytest.raises(UsageError, match=r"^option = "):
            held("option", value, kind)
