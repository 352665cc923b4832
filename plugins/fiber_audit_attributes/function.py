"""An attribute that a function of the user's own reads, say a classifier that is no extractor."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from torch import Tensor

from fiber_audit import UsageError
from fiber_audit.contracts import Attribute


class FunctionAttribute(Attribute):
    """`function`: what a function of an installed package reads. Its code is run.

    Its module's file is part of the identity of what is observed; what that imports is not.

    Args:
        target: "package.module:function"; data space (n, ...) -> numbers (n,) or (n, m), or logits.
        kind: "number"; or "class", of the largest of (n, classes) or of an integer (n,).
        accuracy: of a learned probe on data that it was not fitted to (share right, or R^2); leave
            it out for a definition.
        chance: that share for a guess.
    """

    def __init__(
        self,
        target: str,
        kind: Literal["number", "class"] = "number",
        accuracy: float | None = None,
        chance: float = 0.0,
    ) -> None:
        self.function = _imported(target)
        self.kind, self.accuracy, self.chance = kind, accuracy, chance
        source = getattr(sys.modules[target.partition(":")[0]], "__file__", None)
        text = Path(source).read_bytes() if source else b""
        self.weights_sha256 = sha256(target.encode() + b"\0" + text).hexdigest()
        self.target = target

    def read(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> (n,) or (n, m); of a class (n,) int64."""
        found = self.function(x)
        if not isinstance(found, Tensor) or found.ndim not in (1, 2) or len(found) != len(x):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UsageError(
                f"attribute function, target = {self.target!r}: gave {shape} for {len(x)} inputs; "
                f"return a tensor of one row per input."
            )
        if self.kind == "number":
            return found.double()
        return (found.argmax(dim=1) if found.ndim == 2 else found).long()


def _imported(target: str) -> Callable[[Tensor], Tensor]:
    """The function of that name.

    Raises:
        UsageError: there is none.
    """
    module, colon, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name) if colon else None
    except (Exception, SystemExit) as error:  # it is a stranger's code
        raise UsageError(
            f"target = {target!r}: cannot be imported ({type(error).__name__}: {error}); is its "
            f"package installed?"
        ) from error
    if not callable(found):
        raise UsageError(f"target = {target!r}: write it as 'package.module:function'.")
    return found
