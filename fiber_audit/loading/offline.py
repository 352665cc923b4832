"""No network: while a model is loaded from files, nothing reaches for more.

Hugging Face's libraries are told by their own switch. huggingface_hub reads it once, when it is
imported, and others keep copies of it, so that the variable of the environment alone would come too
late. torch.hub, timm and open_clip also fetch plain URLs, which know no switch: sockets refuse.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "_is_offline_mode")
"""Names that modules give to the switch, or to a copy of it that they made when imported."""
_ALONE = threading.RLock()
"""What is patched is the process's own, so one thread at a time."""


class NetworkShut(OSError):
    """Something reached for an address while it must not."""


@contextmanager
def offline() -> Iterator[None]:
    """Nothing here reaches the network; afterwards all is as it was before.

    Other threads that were running before go on, but for Hugging Face's libraries.
    """
    from huggingface_hub import constants  # first, so that it reads the user's own environment

    with _ALONE, ExitStack() as undo:
        before, known = constants.HF_HUB_OFFLINE, _switches()
        undo.callback(_set_late_copies, known, before)
        for module, name in known:
            undo.enter_context(_patched(module, name, True))
        undo.enter_context(_variable("HF_HUB_OFFLINE", "1"))
        undo.enter_context(_no_sockets())
        yield


def _switches() -> list[tuple[ModuleType, str]]:
    return [
        (module, name)
        for module in [*sys.modules.values()]
        if isinstance(module, ModuleType)
        for name in SWITCHES
        if isinstance(vars(module).get(name), bool)
    ]


def _set_late_copies(known: list[tuple[ModuleType, str]], value: bool) -> None:
    """Modules that were first imported meanwhile took our value for the user's."""
    for module, name in _switches():
        own = module.__name__.startswith("datasets.") and "HF_DATASETS_OFFLINE" in os.environ
        if (module, name) not in known and not own:
            setattr(module, name, value)


@contextmanager
def _no_sockets() -> Iterator[None]:
    here = threading.get_ident()
    others = {thread.ident for thread in threading.enumerate()} - {here}

    def allowed() -> bool:
        return threading.get_ident() in others

    def guarded(original: Any) -> Any:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not allowed():
                raise NetworkShut(str(address[0]))
            return original(self, address)

        return connect

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        if not allowed():
            raise NetworkShut(host.decode() if isinstance(host, bytes) else str(host))
        return resolve(host, *arguments, **named)

    with (
        _patched(socket.socket, "connect", guarded(socket.socket.connect)),
        _patched(socket.socket, "connect_ex", guarded(socket.socket.connect_ex)),
        _patched(socket, "getaddrinfo", getaddrinfo),
    ):
        yield


@contextmanager
def _patched(owner: Any, name: str, value: object) -> Iterator[None]:
    """An attribute is another one for a while; what was only inherited is inherited again."""
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """For programs that are started meanwhile."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
