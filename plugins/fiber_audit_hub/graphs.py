"""A network that comes as a graph from a file: of one dtype, and often of a batch of one."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

import torch
from torch import Tensor, nn

from fiber_audit import WeightsError

from .layers import tensor_of


class Graph(nn.Module):
    """A graph that takes batches of any size; row by row where it was written for batches of one.

    Graphs are as they were saved: train() and eval() do not reach into them.

    Args:
        inner: the graph.
        example: what it is given, (1, c, h, w).
        takes: dtype of its input; None is whatever it is given.
    """

    def __init__(self, inner: nn.Module, example: Tensor, takes: torch.dtype | None = None) -> None:
        super().__init__()
        self.inner, self.takes, self.by_row = inner, takes, False
        for module in inner.modules():
            module.training = False
        with torch.no_grad():
            try:
                two = self(torch.cat([example, example]))
                self.by_row = len(two) != 2
            except Exception:  # whatever the graph says to a batch of two
                self.by_row = True

    def train(self, mode: bool = True) -> Graph:
        """Does nothing."""
        self.training = False
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, ...), the first output."""
        x = x if self.takes is None else x.to(self.takes)
        if self.by_row:
            return torch.cat([tensor_of(self.inner(row)) for row in x.split(1)])
        return tensor_of(self.inner(x))

    @property
    def told(self) -> dict[str, str]:
        """For the report."""
        return {"batches": "row by row: the graph has a fixed batch"} if self.by_row else {}


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, which holds the graph as well as its weights.

    Raises:
        WeightsError: no such file.
    """
    if not path.is_file():
        raise WeightsError(f"path = {str(path)!r}: no such file; give the path of the network.")
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
