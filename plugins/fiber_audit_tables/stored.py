"""The file of a trained network: one safetensors that says of itself what it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fiber_audit import DiskError, WeightsError

from .mlp import TableMLP


@dataclass(frozen=True)
class Stored:
    """network: frozen. columns: their names. auroc: on rows held out. rows: trained on."""

    network: TableMLP
    columns: tuple[str, ...]
    auroc: float
    rows: int

    @property
    def classes(self) -> int:
        """How many logits."""
        return int(self.network.state_dict()["layers.6.bias"].numel())


def write(path: Path, network: TableMLP, columns: Sequence[str], auroc: float, rows: int) -> None:
    """Write weights, names and how good it is.

    Raises:
        DiskError: the file cannot be written.
    """
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    facts = json.dumps({"columns": [*columns], "auroc": round(auroc, 4), "rows": rows})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, {"facts": facts})
    except (OSError, SafetensorError) as error:
        raise DiskError(f"{path}: cannot be written ({error}); make room.") from error


def read(path: Path) -> Stored:
    """What was written.

    Raises:
        WeightsError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; make it with python -m fiber_audit_tables.train --data TABLE "
            f"--label COLUMN --out {path}"
        )
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        width, columns = tensors["layers.0.weight"].shape
        network = TableMLP(columns, width, len(tensors["layers.6.bias"]))
        network.load_state_dict(tensors)
        network.eval().requires_grad_(False)
        return Stored(network, tuple(facts["columns"]), float(facts["auroc"]), int(facts["rows"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: not a network of fiber_audit_tables ({error}); train it again."
        ) from error
