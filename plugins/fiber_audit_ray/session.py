"""The connection to Ray: a cluster that is there, or a Ray of our own, quiet and removed again."""

from __future__ import annotations

import atexit
import logging
import math
import os
import re
import secrets
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Self

from fiber_audit import UsageError, WeightsError
from fiber_audit.computing import own_folder
from fiber_audit.loading import library

MEMORY = 100 * 2**20
"""Bytes of Ray's object store: pieces and answers are small."""
KNOCK = 10.0
"""Seconds that the head of a cluster may take to answer."""
TOKEN = "RAY_AUTH_TOKEN"
"""Who knows what this variable holds may use a Ray."""


def installed(storage: str) -> None:
    """Import what is needed.

    Raises:
        UsageError: it is not installed; the sentence says how to install it.
    """
    try:
        # Ray reads this when it is imported: what its daemons complain of would come to stdout
        with _environment(RAY_DEDUP_LOGS_SKIP_REGEX="."):
            library("ray", "ray")
        if storage:
            library("fsspec", "ray")
    except WeightsError as error:
        raise UsageError(f'executor.use = "ray": {error}.') from error


class Session:
    """A context that may be entered again within itself; the last to leave ends what it began.

    Where this process is connected to a Ray already, that one is used, and stays.

    Args:
        address: of a cluster, or "" for a Ray of our own.
        cpus: that a Ray of our own says it has.
        gpus: that its workers ask for in all.
    """

    def __init__(self, address: str, cpus: float, gpus: float) -> None:
        self._address, self._cpus, self._gpus = address, math.ceil(cpus), math.ceil(gpus)
        self._users = 0
        self._end = ExitStack()

    def __enter__(self) -> Self:
        import ray

        if not self._users and not ray.is_initialized():
            with ExitStack() as stack:
                if self._address:
                    stack.enter_context(_connected(self._address))
                else:
                    stack.enter_context(_own(self._cpus, self._gpus))
                self._end = stack.pop_all()
            atexit.register(self._end.close)  # a script may end without leaving
        self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            atexit.unregister(self._end.close)
            self._end.close()


@contextmanager
def _connected(address: str) -> Iterator[None]:
    import ray

    if _token.cache_info().currsize and os.environ.get(TOKEN) != _token():
        raise UsageError(
            f"executor.address = {address!r}: this process has had a Ray of its own, whose token "
            f"Ray keeps; connect from a new process."
        )
    try:
        _knock(address)
        _init(address=address)
    except Exception as error:  # ConnectionError, RuntimeError, ValueError: as the address has it
        told = (" ".join(str(error).split()) or type(error).__name__).partition(". ")[0].rstrip(".")
        raise UsageError(
            f"executor.address = {address!r}: no Ray cluster answers there ({told}); start one "
            f"with `ray start --head`, or leave the address out."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes."""
    named = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address)
    if named:
        socket.create_connection((named[1], int(named[2])), timeout=KNOCK).close()


@contextmanager
def _own(cpus: int, gpus: int) -> Iterator[None]:
    """A Ray on this machine, with its files in a folder that goes with it."""
    import ray

    # Ray's sockets are in there, and their paths may have no more than 107 characters
    folder = own_folder("fa-ray", "/tmp" if os.name == "posix" else None)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_environment(
            RAY_USAGE_STATS_ENABLED="0",  # or it reports to Ray's makers
            **{TOKEN: os.environ.get(TOKEN) or _token()},
            RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",  # workers without a GPU of their own share all
        ))  # fmt: skip
        stack.callback(ray.shutdown)  # also what is left of a start that failed
        try:
            _init(
                address="local",
                num_cpus=cpus,
                num_gpus=None if gpus else 0,  # as many as there are
                include_dashboard=False,
                object_store_memory=MEMORY,
                _temp_dir=str(folder),
            )
        except Exception as error:  # no memory, no sockets, no processes
            told = " ".join(str(error).split())[:300]
            raise UsageError(
                f'executor.use = "ray": Ray does not start here ({told}); use "local".'
            ) from error
        there = int(ray.cluster_resources().get("GPU", 0))
        if gpus > there:
            raise UsageError(
                f"executor.gpus: the workers ask for {gpus} GPUs, Ray sees {there} here; ask for "
                f"fewer, or give the address of a cluster."
            )
        yield


@cache
def _token() -> str:
    """One for all that this process starts, which Ray remembers from the first."""
    return secrets.token_hex(32)


def _init(**options: Any) -> None:
    """Connect, and leave the handling of signals to this program."""
    import ray

    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if here else None
    try:
        # what workers print would come to stdout here, at any time
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in (*variables, "RAY_AUTH_MODE")}  # Ray sets that
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
