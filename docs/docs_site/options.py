"""The options of a component, as its signature and its docstring tell them."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from fiber_audit.contracts import Attribute, Prior, Sampler

REQUIRED = inspect.Parameter.empty
NAMED: dict[Any, str] = {
    Attribute: "name of an attribute",
    Prior: "name of a prior",
    Sampler: "name of a sampler",
    Mapping[str, Attribute]: "names of attributes",
    Mapping[str, Prior]: "names of priors",
    Mapping[str, Sampler]: "names of samplers",
}
SIGNS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


class Option(NamedTuple):
    """One option: its type and default in words, and what its class says of it ("" if nothing)."""

    name: str
    kind: str
    default: str
    meaning: str


def options_of(factory: Callable[..., Any]) -> list[Option]:
    """All options of a class, or of a function that makes one."""
    function: Any = factory.__init__ if inspect.isclass(factory) else factory
    kinds = typing.get_type_hints(function, include_extras=True)
    meanings = arguments_of(factory)
    return [
        Option(name, words(kinds.get(name, Any)), shown(p.default), meanings.get(name, ""))
        for name, p in inspect.signature(factory).parameters.items()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]


def shown(default: object) -> str:
    """A default as a suite would write it.

    >>> shown((0.3, 1)), shown(None), shown(REQUIRED)
    ('`[0.3, 1]`', 'none', 'required')
    """
    if default is REQUIRED:
        return "required"
    return "none" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def words(kind: Any) -> str:
    """A type in words.

    >>> from fiber_audit.contracts import Count
    >>> words(Count), words(Literal["a", "b"]), words(float | None), words(tuple[int, ...])
    ('int ≥ 1', '`"a"` or `"b"`', 'float or none', 'list of int')
    """
    origin, inside = get_origin(kind), get_args(kind)
    if kind in NAMED:
        return NAMED[kind]
    if origin is Annotated:
        return words(inside[0]) + "".join(_bounds(inside[1:]))
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(words, inside)))
    if origin in (tuple, list, Sequence) and inside:
        each = [words(one) for one in inside if one is not ...]
        same = len(set(each)) == 1
        fixed = origin is tuple and ... not in inside
        return f"{len(each)} × {each[0]}" if fixed and same else f"list of {', '.join(each)}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {words(inside[1])}" if len(inside) == 2 else "table"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return words(Literal[tuple(each.value for each in kind)])
    if kind in (None, type(None)):
        return "none"
    return "any" if kind is Any else getattr(kind, "__name__", str(kind))


def _bounds(limits: tuple[Any, ...]) -> Iterator[str]:
    signed = [
        f"{sign} {value:g}"
        for limit in limits
        for kind, field, sign in SIGNS
        if isinstance(limit, kind) and (value := getattr(limit, field)) != float("inf")
    ]
    if signed:
        yield f" {' and '.join(signed)}"


def arguments_of(factory: Callable[..., Any]) -> dict[str, str]:
    """Option -> its line under `Args:`, of the class or of the nearest base that has one."""
    classes = inspect.getmro(factory) if inspect.isclass(factory) else (factory,)
    found = dict[str, str]()
    for each in classes:
        own = each.__doc__ if inspect.isclass(each) else inspect.getdoc(each)
        found = _arguments(inspect.cleandoc(own or "")) | found
    return found


def _arguments(text: str) -> dict[str, str]:
    _, _, section = f"\n{text}\n".partition("\nArgs:\n")
    lines = re.split(r"\n(?=\S)", section)[0]
    found = dict[str, str]()
    for entry in re.split(r"\n    (?=\S)", f"\n{lines}"):
        names, colon, meaning = entry.strip().partition(":")
        if colon:
            told = " ".join(meaning.split())
            found |= {name.strip(" *"): told for name in re.sub(r"\(.*", "", names).split(",")}
    return found


def summary_of(factory: Callable[..., Any]) -> tuple[str, str]:
    """The first sentence of a docstring, and the rest, which is Markdown, without its sections."""
    text = inspect.cleandoc(factory.__doc__ or "")
    first, _, rest = text.partition("\n\n")
    rest = re.sub(r"(?<=\n)(Args|Raises|Returns):\n(    .*\n|\n)*", "", f"\n{rest}\n")
    return " ".join(first.split()), rest.strip("\n")
