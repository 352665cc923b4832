"""A component's options are its factory's signature: checked here, written nowhere twice."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .errors import suggestion

_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


def problems_of(factory: Callable[..., Any], options: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with options for this factory: sentences with paths; empty if nothing.

    where is the path of the component in the suite, for instance ``samplers.ndtm``.
    """
    parameters = _keywords(factory)
    kinds = typing.get_type_hints(_function(factory), include_extras=True)
    found = []
    for name, value in options.items():
        path = f"{where}.{name} = {value!r}"
        if name not in parameters:
            found.append(f"{path}: no such option. {suggestion(name, parameters)}")
            continue
        kind = kinds.get(name, Any)
        try:
            if kind is not Any:
                _adapter(kind).validate_python(_listed(value))
        except ValidationError as error:
            first = error.errors()[0]
            at = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
            found.append(f"{path}: {first['msg']}{f' (at {at})' if at else ''}.")
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            found.append(f"{where}.{name}: this option is required.")
    return found


def defaults_of(factory: Callable[..., Any]) -> dict[str, Any]:
    """Option -> default value, for listings and for the identity of a unit."""
    return {
        name: parameter.default
        for name, parameter in _keywords(factory).items()
        if parameter.default is not inspect.Parameter.empty
    }


def _keywords(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    signature = inspect.signature(factory)
    fixed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {n: p for n, p in signature.parameters.items() if p.kind not in fixed}


def _function(factory: Callable[..., Any]) -> Any:
    return factory.__init__ if inspect.isclass(factory) else factory


def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=_STRICT)
    except Exception:  # a dataclass or model brings its own configuration
        return TypeAdapter(kind)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
