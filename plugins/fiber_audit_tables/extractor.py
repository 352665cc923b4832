"""`table-mlp`: the logits of a network that was trained on a table."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from fiber_audit.contracts import Extractor
from fiber_audit.loading import digest_of

from .stored import read

SHIPPED = Path(__file__).parent / "weights" / "breast_cancer.safetensors"


class TableMLPExtractor(Extractor):
    """Rows (n, d) in natural units -> one logit per class.

    Args:
        path: a file that `python -m fiber_audit_tables.train` wrote; "" is the shipped network,
            which tells malignant from benign cells of a breast by 30 measurements.

    Raises:
        WeightsError: there is no such file, or it holds something else.
    """

    def __init__(self, path: str = "") -> None:
        found = read(Path(path).expanduser() if path else SHIPPED)
        self.network = found.network
        self.input_shape = (len(found.columns),)
        self.feature_size = found.classes
        self.weights_sha256 = digest_of({"network": self.network}, json.dumps(found.columns))
        self.facts = {
            "network": f"MLP, {found.classes} logits, trained on {found.rows:,} rows",
            "columns": ", ".join(found.columns),
            "AUROC held out": f"{found.auroc:.4f}",
        }

    def features(self, x: Tensor) -> Tensor:
        """Rows -> logits (n, classes)."""
        logits: Tensor = self.network(x)
        return logits
