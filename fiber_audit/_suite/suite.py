"""A suite: what to audit and how. Data, never code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

from .condition import Condition

Key = Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x1f\x7f]+$", max_length=80)]
"""A name of the user's own for a component; audits are named by three of them."""
Keep = Literal["auto", "float32", "uint8", "none"]
LARGE = 64
"""Pixels of a side above which draws are kept in 8 bits unless the suite says otherwise."""
MOST = 2**63 - 1


class Use(BaseModel):
    """One component with its options: ``{use = "plugin/name", option = value}``."""

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="constants")
    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The options, without `use`."""
        return dict(self.__pydantic_extra__ or {})

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class Exclude(BaseModel):
    """Audits to leave out: those that match every name given."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    extractor: str | None = None
    prior: str | None = None
    sampler: str | None = None


class Suite(BaseModel):
    """What to audit and how. The docstring of each field is its reference."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        ser_json_inf_nan="constants",
    )

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    """Names the run directory and the rows."""
    seed: int = Field(0, ge=0, le=MOST)
    """Root of all randomness."""
    draws: int = Field(4, ge=1, le=MOST)
    """Draws per query."""
    batch_size: int = Field(64, ge=1, le=MOST)
    """Draws computed together; changes rounding, speed and memory (see the samplers' limits)."""
    device: str = "cpu"
    """A torch device."""
    target: Literal["query", "reconstruction"] = "query"
    """Aim at phi(query), or at phi of its reconstruction by the prior, as the paper does."""
    keep: Keep = "auto"
    """How draws are stored, and therefore scored: float32, uint8 (the prior's own draws, which are
    cheap, are then made anew when a metric is added), or none (only scores, and pictures of the
    first queries). auto is uint8 for images with a side above 64 pixels, else float32."""
    unguided_steps: int = Field(50, ge=1, le=MOST)
    """Steps of the prior's own draws, which give the numbers a scale."""
    metrics: tuple[Use, ...] = Field(min_length=1)
    """Names, or tables with `use` and options."""
    queries: Use
    """The dataset that the queries come from."""
    training: Use | None = None
    """The dataset that `fiber-audit fit` fits priors to; by default that of the queries."""
    extractors: dict[Key, Use] = Field(min_length=1)
    priors: dict[Key, Use] = Field(min_length=1)
    samplers: dict[Key, Use] = Field(min_length=1)
    attributes: dict[Key, Use] = {}
    """Properties that metrics name, where one needs options or a name of the suite's own."""
    executor: Use = Use(use="local")
    exclude: tuple[Exclude, ...] = ()
    conditions: tuple[Condition, ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Where the suite's file is; its baselines are relative to it."""
        return self._folder

    def placed(self, folder: Path) -> Suite:
        """The same suite, of a file in that folder."""
        other = self.model_copy()
        other._folder = folder
        return other

    def anchored(self) -> Suite:
        """The same suite, whose baselines are found wherever its file is."""
        here = self.folder.absolute()
        conditions = tuple(
            c if c.baseline is None else replace(c, baseline=str(here / c.baseline))
            for c in self.conditions
        )
        return self.model_copy(update={"conditions": conditions})

    def precision(self, data_shape: tuple[int, ...]) -> Literal["float32", "uint8", "none"]:
        """How draws of this shape are kept."""
        if self.keep != "auto":
            return self.keep
        image = len(data_shape) == 3
        return "uint8" if image and max(data_shape[1:]) > LARGE else "float32"

    def to_toml(self) -> str:
        """The resolved suite, readable by `read`."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))
