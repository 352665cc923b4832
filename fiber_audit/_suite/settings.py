"""What is set for a whole process, and libraries set though it is not theirs."""

from __future__ import annotations

import gc
import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """A value of the process. fresh: what it is when its library was just imported, if known."""

    get: Callable[[], Any]
    set: Callable[[Any], object]
    fresh: Any = None


def now() -> dict[str, Any]:
    """The values of all settings whose library is imported."""
    return {name: _value(setting) for name, setting in _settings().items()}


def restore(before: Mapping[str, Any]) -> None:
    """Set back what differs; what was imported since becomes what it is when just imported."""
    for name, setting in _settings().items():
        value = before.get(name, setting.fresh)
        if value is not None and _value(setting) != value:
            with suppress(OSError, ValueError, RuntimeError):  # a folder that is gone
                setting.set(value)


def _value(setting: Setting) -> Any:
    with suppress(OSError, RuntimeError):  # a folder that is gone, a flag of two minds
        return setting.get()
    return None


def _settings() -> dict[str, Setting]:
    """Python's own, and those of numpy and torch once they are imported."""
    numpy = _numpy() if "numpy" in sys.modules else {}
    torch = _torch() if "torch" in sys.modules else {}
    return {**_PYTHON, **numpy, **torch}


@cache
def _numpy() -> dict[str, Setting]:
    import numpy as np

    fresh = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    return {"numpy.err": Setting(np.geterr, lambda modes: np.seterr(**modes), fresh)}


@cache
def _torch() -> dict[str, Setting]:
    import torch

    def deterministic() -> tuple[bool, bool]:
        on = torch.are_deterministic_algorithms_enabled()
        return on, torch.is_deterministic_algorithms_warn_only_enabled()

    def set_device(device: torch.device) -> None:
        torch.set_default_device(None if device == torch.device("cpu") else device)

    flags = torch.backends.cudnn
    return {
        "torch.dtype": Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        "torch.device": Setting(torch.get_default_device, set_device, torch.device("cpu")),
        "torch.grad": Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
        "torch.anomaly": Setting(
            torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, False
        ),
        "torch.threads": Setting(torch.get_num_threads, torch.set_num_threads),
        "torch.deterministic": Setting(
            deterministic,
            lambda on: torch.use_deterministic_algorithms(on[0], warn_only=on[1]),
            (False, False),
        ),
        "torch.matmul": Setting(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"
        ),
        **{
            f"torch.autocast.{kind}": Setting(
                partial(torch.is_autocast_enabled, kind),
                partial(torch.set_autocast_enabled, kind),
                False,
            )
            for kind in ("cpu", "cuda")
        },
        **{
            f"torch.cudnn.{name}": Setting(
                partial(getattr, flags, name), partial(setattr, flags, name), fresh
            )
            for name, fresh in _CUDNN.items()
        },
    }


_CUDNN = {"enabled": True, "benchmark": False, "deterministic": False, "allow_tf32": True}


def _set_variables(before: Mapping[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


_STOPS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in _STOPS]


def _set_handlers(before: list[Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number, handler in zip(_STOPS, before, strict=True):
            signal.signal(number, handler)


def _filters() -> list[Any]:
    return [*warnings.filters]


def _set_filters(before: list[Any]) -> None:
    warnings.filters[:] = before  # type: ignore[index]


def _collects(on: bool) -> None:
    (gc.enable if on else gc.disable)()


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _set_locale(before: str) -> None:
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, before)


_PYTHON = {
    "folder": Setting(os.getcwd, os.chdir),
    "variables": Setting(lambda: dict(os.environ), _set_variables),
    "signals": Setting(_handlers, _set_handlers),
    "locale": Setting(_locale, _set_locale),
    "warnings": Setting(_filters, _set_filters),
    "gc": Setting(gc.isenabled, _collects),
    "recursion": Setting(sys.getrecursionlimit, sys.setrecursionlimit),
}
