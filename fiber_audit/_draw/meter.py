"""Count evaluations: one row through one forward or backward of a network is one.

Denoiser and extractor are counted by hooks on their networks. A decoder may be any part of a prior,
called any way, so it is `Prior.decode` that is counted, and only where it has something to compute:
where the prior has parameters beside those of its denoiser.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..blocks import asked
from ..contracts import Extractor, Prior


@dataclass
class Cost:
    """Evaluations of a block of draws, summed over its rows, and seconds."""

    prior_forward: float = 0
    prior_backward: float = 0
    decode_forward: float = 0
    decode_backward: float = 0
    extractor_forward: float = 0
    extractor_backward: float = 0
    seconds: float = 0

    def as_dict(self) -> dict[str, float]:
        """Name -> number."""
        return asdict(self)


class Meter:
    """Counts while it is open: ``with Meter(prior, extractor) as cost: ...``.

    own: a network of the sampler's, whose evaluations count as the prior's.
    """

    def __init__(
        self, prior: Prior, extractor: Extractor | None, own: nn.Module | None = None
    ) -> None:
        self.cost = Cost()
        self._prior = prior
        self._parts = [("prior", prior.network)]
        if extractor is not None:
            self._parts.append(("extractor", extractor.network))
        if own is not None:
            self._parts.append(("prior", own))
        self._handles: list[RemovableHandle] = []
        self._before: Any = None

    def __enter__(self) -> Cost:
        for part, network in self._parts:
            hook = self._hook(part)
            self._handles.append(network.register_forward_hook(hook, with_kwargs=True))
        if _more_than_a_denoiser(self._prior):
            self._before = vars(self._prior).get("decode")
            vars(self._prior)["decode"] = self._counted(self._prior.decode)
        self._started = time.perf_counter()
        return self.cost

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cost.seconds += time.perf_counter() - self._started
        vars(self._prior).pop("decode", None)
        if self._before is not None:
            vars(self._prior)["decode"] = self._before
        for handle in self._handles:
            handle.remove()

    def _hook(self, part: str) -> Any:
        def count(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._count(part, _rows(args) or _rows(kwargs), output)

        return count

    def _counted(self, decode: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def counted(state: Tensor) -> Tensor:
            data = decode(state)
            self._count("decode", len(state), data)
            return data

        return counted

    def _count(self, part: str, rows: int, output: Any) -> None:
        rows = round(rows * asked())  # those that only fill a block are no evaluations
        self._add(f"{part}_forward", rows)
        out = _tensor(output)
        if out is not None and out.requires_grad:
            hook = out.register_hook(lambda _: self._add(f"{part}_backward", rows))
            self._handles.append(hook)

    def _add(self, name: str, rows: int) -> None:
        setattr(self.cost, name, getattr(self.cost, name) + rows)


def _more_than_a_denoiser(prior: Prior) -> bool:
    others = (module for module in prior.modules.values() if module is not prior.network)
    return any(next(module.parameters(), None) is not None for module in others)


def _tensor(found: Any) -> Tensor | None:
    """The first tensor in a network's output or input, however it is wrapped."""
    if isinstance(found, Tensor):
        return found
    if isinstance(found, dict):
        found = list(found.values())
    for item in found if isinstance(found, (list, tuple)) else ():
        if (tensor := _tensor(item)) is not None:
            return tensor
    return None


def _rows(found: Any) -> int:
    tensor = _tensor(found)
    return len(tensor) if tensor is not None and tensor.ndim else 0
