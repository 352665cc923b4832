"""What a family of networks has in common: how it is called, and what it is told beside x_t.

One family per file. Adding one is a subclass of `Family` and a line in `pipelines.FAMILIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fiber_audit import UsageError


@dataclass(frozen=True)
class Parts:
    """What was loaded: components by name, and their pipeline, where there is one.

    model: the name by which the user called it.
    """

    model: str
    components: Mapping[str, Any]
    pipeline: Any = None

    @property
    def text_encoders(self) -> dict[str, nn.Module]:
        """Name -> text encoder."""
        found = {n: c for n, c in self.components.items() if n.startswith("text_encoder")}
        return {name: encoder for name, encoder in found.items() if encoder is not None}


@dataclass(frozen=True)
class Wish:
    """What a user asked for: a condition, its strength, and the size of a picture.

    label: a class. guidance: 0 is the model's own. size: (height, width), None for the model's own.
    """

    prompt: str = ""
    label: int | None = None
    guidance: float = 0.0
    size: tuple[int, int] | None = None

    @property
    def doubled(self) -> bool:
        """Whether a network is asked twice, without and with the condition."""
        return self.guidance not in (0.0, 1.0)

    @property
    def empty(self) -> bool:
        """Whether there is no condition."""
        return not self.prompt and self.label is None

    @property
    def words(self) -> str:
        """The condition for a person.

        >>> Wish(label=3).words, Wish("a dog", guidance=4.0).words
        ('label 3', "prompt 'a dog', guidance 4.0")
        """
        said = "none" if self.empty else f"label {self.label}"
        said = f"prompt {self.prompt!r}" if self.prompt else said
        return f"{said}, guidance {self.guidance}" if self.guidance else said


class Conditions(nn.Module):
    """What a network is told beside x_t and the time: buffers of one row, or, guided, of two.

    The first of two rows is the empty condition. A module: it moves, and counts in the digest.
    """

    def __init__(self, rows: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, value in rows.items():
            self.register_buffer(name, value.detach().clone())
        self.eval()

    def of(self, n: int) -> dict[str, Tensor]:
        """Each row n times: name -> (n, ...) or (2 n, ...)."""
        return {name: value.repeat_interleave(n, 0) for name, value in self.named_buffers()}


class Family(ABC):
    """A denoiser as its pipeline calls it: (n, channels, h, w) and times in, the same shape out.

    parts: what was loaded. wish: what the user asked for; `refuse` has seen it.
    """

    takes: ClassVar[frozenset[str]] = frozenset()
    """Of "prompt", "label" and "guidance", what it has a use for."""
    component: ClassVar[str] = "transformer"
    """The pipeline's name for the denoiser."""
    distilled: ClassVar[bool] = False
    """Whether guidance is an input of the network, so that it is asked only once."""

    def __init__(self, parts: Parts, wish: Wish) -> None:
        self.network: Any = parts.components[self.component]
        self.channels = int(self.network.config.in_channels)
        out = self.network.config.get("out_channels") or self.channels
        if out not in (self.channels, 2 * self.channels):
            raise UsageError(
                f"model = {parts.model!r}: its network takes {self.channels} channels and gives "
                f"{out}; name one that generates, not one that edits."
            )
        self.grid = sides(self.network.config.get("sample_size"))
        self.guidance = wish.guidance if wish.doubled and not self.distilled else None
        with torch.no_grad():
            self.conditions = Conditions(self.told(parts, wish))

    @abstractmethod
    def told(self, parts: Parts, wish: Wish) -> Mapping[str, Tensor]:
        """What the network is told: one row each, or, guided, two, the first without condition."""

    @abstractmethod
    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """The network's own output, (n, channels or 2 channels, h, w)."""

    def __call__(self, x: Tensor, k: Tensor) -> Tensor:
        """One call of the network: (n, channels, h, w) float32 and (n,) -> the same, float32.

        Guided, its batch is doubled: without + guidance (with - without). Of a network that also
        predicts a variance, the first `channels` are taken.
        """
        told = self.conditions.of(len(x))
        if self.guidance is not None:
            x, k = torch.cat([x, x]), torch.cat([k, k])
        output = self.call(x.to(self.network.dtype), k, told)[:, : self.channels].float()
        if self.guidance is None:
            return output
        without, conditioned = output.chunk(2)
        return without + self.guidance * (conditioned - without)

    @property
    def multiple(self) -> int:
        """What both sides of a state are a multiple of: of a transformer, its patch."""
        return int(self.network.config.patch_size)

    def tokens(self, height: int, width: int) -> int | None:
        """How many patches a transformer makes of a state; None for other networks."""
        return (height // self.multiple) * (width // self.multiple)

    def unfit(self, size: tuple[int, int], factor: int) -> str | None:
        """Where it cannot draw pictures of that (height, width), what it draws, in words.

        factor: pixels per cell of a state, along a side.
        """
        step = factor * self.multiple
        return f"sides that are multiples of {step}" if any(n % step for n in size) else None

    @classmethod
    def refuse(cls, wish: Wish, model: str) -> None:
        """Refuse what would change nothing, before anything large is loaded.

        Raises:
            UsageError: a condition that it has no use for, or guidance towards none.
        """
        for name in ("prompt", "label", "guidance"):
            value = getattr(wish, name)
            if value != getattr(Wish, name) and name not in cls.takes:  # 0 is a label
                takes = " and ".join(sorted(cls.takes)) or "no condition"
                raise UsageError(f"{name} = {value!r}: {model} takes {takes}; leave it out.")
        if wish.doubled and wish.empty and not cls.distilled:
            raise UsageError(
                f"guidance = {wish.guidance}: there is nothing to be guided towards; give a prompt "
                f"or a label, or leave it out."
            )


class ConvolutionalFamily(Family):
    """A UNet, which halves a state once per level but one."""

    component = "unet"

    @property
    def multiple(self) -> int:
        """2 to the number of halvings."""
        return int(2 ** (len(self.network.config.block_out_channels) - 1))

    def tokens(self, height: int, width: int) -> None:
        """It makes none."""
        return


def sides(size: Any) -> tuple[int, int] | None:
    """A config's sample_size, a number or (height, width), as a grid.

    >>> sides(32), sides([16, 32]), sides(None)
    ((32, 32), (16, 32), None)
    """
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
