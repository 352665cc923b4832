"""A component's options are its class's keyword arguments: checked here, written nowhere twice."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ..contracts import Attribute, Prior, Sampler
from ..errors import suggestion

Factory = Callable[..., Any]
_KINDS: dict[Any, str] = {Attribute: "attribute", Prior: "prior", Sampler: "sampler"}
_SEVERAL: dict[Any, str] = {
    Mapping[str, Attribute]: "attribute",
    Mapping[str, Prior]: "prior",
    Mapping[str, Sampler]: "sampler",
}
NAMED = _KINDS | _SEVERAL
"""Annotation -> what such an option is the suite's name of, or a list of such names."""
_CONFIG = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)


def problems_of(factory: Factory, options: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with options for this factory: sentences with paths; empty if nothing.

    where is the path of the component in the suite, for instance ``samplers.ndtm``.
    """
    try:
        parameters = _keywords(factory)
    except (TypeError, ValueError) as error:  # no signature, or arguments without a name
        return [f"{where}: its options cannot be read ({error}); give its factory a signature."]
    try:
        typing.get_type_hints(_function(factory))
    except (Exception, SystemExit) as error:  # annotations are a plugin's code, too
        told = f"{type(error).__name__}: {error}"
        return [f"{where}: its options cannot be read ({told}); mend its annotations."]
    found = [
        f"{where}.{name} = {value!r}: no such option. {suggestion(name, parameters)}"
        for name, value in options.items()
        if name not in parameters
    ]
    known = {name: value for name, value in options.items() if name in parameters}
    try:
        _validated(factory, known)
    except ValidationError as error:
        seen = set[str]()
        for each in error.errors():
            name = str(each["loc"][0])
            if name in seen:
                continue  # the first of a union's members says enough
            seen.add(name)
            if each["type"] == "missing":
                found.append(f"{where}.{name}: this option is required.")
                continue
            at = "".join(f"[{part}]" for part in each["loc"][1:] if isinstance(part, int))
            shown = f"{where}.{name} = {known[name]!r}"
            found.append(f"{shown}: {each['msg']}{f' (at {at})' if at else ''}.")
    return found


def validated(factory: Factory, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the factory's annotations want them (a list becomes a tuple, and so on)."""
    return _validated(factory, options).model_dump(by_alias=True, exclude_unset=True)


def defaults_of(factory: Factory) -> dict[str, Any]:
    """Option -> default value, for listings and for the identity of a draw."""
    return {
        name: parameter.default
        for name, parameter in _keywords(factory).items()
        if parameter.default is not inspect.Parameter.empty
    }


def named_of(factory: Factory) -> dict[str, str]:
    """Option -> "prior", "sampler" or "attribute", of those that name such, by their annotation.

    One annotated with the contract is a name; one with a mapping from names to it, a list of names.
    """
    kinds = typing.get_type_hints(_function(factory))
    return {name: NAMED[kinds[name]] for name in _keywords(factory) if kinds.get(name) in NAMED}


def names_in(value: Any) -> list[str]:
    """The names that such an option gives."""
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))


def with_named(
    factory: Factory, options: Mapping[str, Any], make: Callable[[str, str], Any]
) -> dict[str, Any]:
    """Options in which names have become what they name: make(kind, name).

    A list of names becomes a mapping from each to what it names.
    """
    chosen = dict(options)
    for name, kind in named_of(factory).items():
        if isinstance(value := chosen.get(name), str):
            chosen[name] = make(kind, value)
        elif name in chosen:
            chosen[name] = {each: make(kind, each) for each in names_in(value)}
    return chosen


def resolved(factory: Factory, options: Mapping[str, Any]) -> str:
    """All options with their defaults, as strict text: equal text, equal component."""
    every = {**defaults_of(factory), **options}
    return json.dumps(every, sort_keys=True, default=repr)


def _validated(factory: Factory, options: Mapping[str, Any]) -> BaseModel:
    """Validate as JSON, where arrays may become tuples though nothing else is converted."""
    kinds = typing.get_type_hints(_function(factory), include_extras=True)
    kinds = {
        name: str if kind in _KINDS else tuple[str, ...] if kind in _SEVERAL else kind
        for name, kind in kinds.items()
    }
    fields: dict[str, Any] = {}
    for i, (name, parameter) in enumerate(_keywords(factory).items()):
        needed = parameter.default is inspect.Parameter.empty
        default = Field(..., alias=name) if needed else Field(parameter.default, alias=name)
        fields[f"option{i}"] = (kinds.get(name, Any), default)  # names may be those of a model
    model: type[BaseModel] = create_model("Options", __config__=_CONFIG, **fields)
    return model.model_validate_json(json.dumps(dict(options), default=str))


def _keywords(factory: Factory) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(factory).parameters
    for parameter in parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{parameter.name} can be given by position only")
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {n: p for n, p in parameters.items() if p.kind not in variable}


def _function(factory: Factory) -> Any:
    return factory.__init__ if inspect.isclass(factory) else factory


def difference(path: str, before: str, now: str) -> list[str]:
    """The options that differ between two texts of `resolved`, each in words.

    >>> difference("samplers.ndtm", '{"steps": 50, "eta": 1.0}', '{"steps": 100, "eta": 1.0}')
    ['samplers.ndtm.steps: 50 -> 100']
    """
    try:
        old, new = dict(json.loads(before)), dict(json.loads(now))
    except (TypeError, ValueError):
        return [f"{path}: {before} -> {now}"]
    names = sorted({*old, *new})
    return [
        f"{path}.{name}: {old.get(name)} -> {new.get(name)}"
        for name in names
        if old.get(name) != new.get(name)
    ]
