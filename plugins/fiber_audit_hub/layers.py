"""One layer of a network as a network of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fiber_audit import UnknownName, UsageError

from .names import nearest


class Layer(nn.Module):
    """Input -> what the named module of a network returns; what comes after is not computed.

    The last module may be "", the network itself. Of several calls of the module the first counts.

    Raises:
        UnknownName: the network has no such module.
    """

    def __init__(self, network: nn.Module, layer: str = "") -> None:
        names = dict(network.named_modules())
        if layer not in names:
            raise UnknownName(
                f"layer = {layer!r}: the network has no such module. "
                f"{nearest(layer, [name for name in names if name])}"
            )
        super().__init__()
        self.inner, self.layer = network, layer

    def forward(self, x: Tensor) -> Tensor:
        """Input -> what the layer returns."""
        if not self.layer:
            return tensor_of(self.inner(x))
        handle = self.inner.get_submodule(self.layer).register_forward_hook(_stop)
        try:
            self.inner(x)
        except _Reached as reached:
            return tensor_of(reached.output)
        finally:
            handle.remove()
        raise UsageError(f"layer = {self.layer!r}: the network does not call it; choose another.")


class _Reached(Exception):
    """The layer was computed."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


def _stop(module: nn.Module, inputs: Any, output: Any) -> None:
    raise _Reached(output)


def tensor_of(output: Any) -> Tensor:
    """What a network returns: a tensor, or the first one of a tuple or of a mapping.

    Raises:
        UsageError: it returns something else.
    """
    found = output
    if isinstance(found, Mapping):
        found = next(iter(found.values()), None)
    elif isinstance(found, tuple | list):
        found = found[0] if found else None
    if isinstance(found, Tensor):
        return found
    raise UsageError(
        f"the network returns a {type(output).__name__} without a tensor at its head; "
        "choose a layer that returns one."
    )
