"""The command that trains the networks that a plugin ships, part by part."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..loading import Shipped

Made = Iterator[tuple[str, nn.Module, dict[str, Any]]]
"""Name, network, and what is told of it, one after the other."""


def say(line: str) -> None:
    """Progress goes to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def train_parts(
    description: str,
    parts: Mapping[str, Callable[..., Made]],
    read: Callable[[Path], tuple[Any, ...]],
    folder: Path,
) -> None:
    """The command line `NAMES... --data FILE [--out FOLDER]`: train what is named, and store it.

    read: the file -> what every part is called with. The seconds of each network are told, too.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="+", choices=[*parts, "all"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=folder)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data, shipped = read(asked.data), Shipped(asked.out)
    for part in parts if "all" in asked.names else asked.names:
        started = time.process_time()
        for name, network, told in parts[part](*data):
            told["seconds"] = round(time.process_time() - started)
            say(f"{name}: {told}")
            shipped.store(network, name, told)
            started = time.process_time()
