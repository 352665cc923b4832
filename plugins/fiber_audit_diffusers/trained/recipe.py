"""What a user chose: the options of `trained`, and which of them make another prior."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fiber_audit import UsageError
from fiber_audit.fitting import Regime
from fiber_audit.loading import placed

CONVENIENCE = frozenset(
    {"path", "compile", "hours", "checkpoint_minutes", "sample_minutes", "judged"}
)
"""Options that say where, how long and how fast, and not which prior comes out."""


@dataclass(frozen=True)
class Recipe:
    """All options of one fit; `TrainedPrior` documents each."""

    path: str
    network: Literal["unet", "dit", "mlp"]
    objective: Literal["flow", "ddpm"]
    prediction: Literal["v", "eps"]
    noise: Literal["cosine", "linear"]
    autoencoder: str
    width: int
    depth: int
    levels: int
    attention: bool
    patch: int
    steps: int
    batch: int
    learning_rate: float
    ema: float
    flip: bool
    precision: Literal["float32", "bfloat16"]
    compile: bool
    hours: float
    checkpoint_minutes: float
    sample_minutes: float
    held_out: float
    judged: int

    @property
    def folder(self) -> Path:
        """Where the fit is kept: a folder, or "package:folder" in an installed package."""
        return placed(self.path)

    @property
    def source(self) -> Path | None:
        """The folder of the autoencoder, where there is one."""
        return Path(self.autoencoder).expanduser() if self.autoencoder else None

    @property
    def identity(self) -> dict[str, Any]:
        """The options that make another prior, name -> value, as JSON holds them."""
        every = dataclasses.asdict(self)
        return {name: value for name, value in every.items() if name not in CONVENIENCE}

    @property
    def regime(self) -> Regime:
        """How its network is trained."""
        return Regime(
            path=self.path,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            ema=self.ema,
            hours=self.hours,
            compile=self.compile,
            advice="lower learning_rate, or set another precision",
        )

    def suits(self, data_shape: tuple[int, ...]) -> None:
        """Refuse what cannot be trained on data of this shape.

        Raises:
            UsageError: the network, the autoencoder or flipping do not go with the data.
        """
        picture = len(data_shape) == 3
        wrong = {
            f"network = {self.network!r}": not picture and self.network != "mlp",
            f"autoencoder = {self.autoencoder!r}": not picture and self.autoencoder != "",
            "flip = true": not picture and self.flip,
            f"patch = {self.patch}": self.patch > 1 and not (picture and self.network != "mlp"),
        }
        for option, is_wrong in wrong.items():
            if is_wrong:
                raise UsageError(
                    f"{option}: goes with pictures and a network of pictures; the data are "
                    f'{data_shape} an item: set network = "mlp" for a table, and leave it out.'
                )
        if self.network == "unet" and self.width % 4:
            raise UsageError(f"width = {self.width}: a unet needs a multiple of 4; try 64.")
        if self.network == "dit" and self.width % 32:
            raise UsageError(f"width = {self.width}: a dit needs a multiple of 32; try 256.")
