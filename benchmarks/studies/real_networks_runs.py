"""What the study draws and sees, each made once and kept: kill it and run it again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM
from fiber_audit_scoring.invisible import CHANGES
from fiber_audit_scoring.plausibility import denoising_losses
from real_networks_scenes import Scene, device
from safetensors.torch import load_file, save_file
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior, Problem, Sampler, data_of
from fiber_audit.measuring import random_pairs
from fiber_audit.sampling import Noise, derive_seed, rms, unguided

Kept = dict[str, Tensor]
SAMPLERS: dict[str, Sampler] = {
    "moment-matched": MomentMatched(),
    "moment-matched, quick": MomentMatched(steps=30, directions=3, polish=4),
    "ndtm": NDTM(steps=50, inner_steps=6, guidance=10.0),
}
LEVELS = (0.25, 0.5, 1.0, 2.0)
AT_ONCE = 96
"""Draws that networks are given together."""


@dataclass(frozen=True)
class Cell:
    """Draws of one scene, guided by a network through a sampler; "" is the prior alone."""

    scene: str
    guide: str = ""
    sampler: str = ""

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.scene}-{self.sampler or 'prior'}-{self.guide or 'alone'}"


class Runs:
    """One scene: q queries, k draws each, from the same noise for every network."""

    def __init__(self, scene: Scene, folder: Path, q: int, k: int, fresh: bool = True) -> None:
        """fresh: make what is missing, or else do without."""
        self.scene, self.folder, self.q, self.k, self.fresh = scene, folder, q, k, fresh
        self.device = device()
        self.eye = cache(self._eye)

    @cached_property
    def prior(self) -> Prior:
        """The generative model, on the device."""
        return self.scene.prior().to(self.device)

    @cached_property
    def queries(self) -> Tensor:
        """(q, c, h, w)."""
        name = f"{self.scene.name}-queries"
        return self._kept(name, lambda: {"x": self.scene.queries(self.q)})["x"]

    def draws(self, cell: Cell) -> Tensor:
        """(q k, c, h, w), query-major."""
        return self._kept(cell.name, lambda: self._drawn(cell))["draws"]

    def seen(self, cell: Cell, eye: str) -> Kept:
        """By a network: `distance` (q, k) of draws to their query.

        By the one that guided them also after each invisible change.
        """
        own = eye == cell.guide
        return self._kept(f"{cell.name}-by-{eye}", lambda: self._seen(self.draws(cell), eye, own))

    def scale(self, eye: str) -> Kept:
        """By a network: `null` (q, m) of random pairs, and invisible changes of queries (q, 1)."""
        return self._kept(f"{self.scene.name}-scale-{eye}", lambda: self._scale(eye))

    def plausible(self, cell: Cell | None) -> Tensor:
        """(q, k), the prior's denoising loss of draws; (q, 1) of queries where there is no cell."""
        name = f"{cell.name}-plausible" if cell else f"{self.scene.name}-queries-plausible"
        return self._kept(
            name, lambda: {"loss": self._losses(self.draws(cell) if cell else self.queries)}
        )["loss"]

    def whole(self, cell: Cell) -> bool:
        """Whether all of a cell is kept, or may be made."""
        looks = [f"{cell.name}-by-{eye}" for eye in self.scene.networks]
        names = [cell.name, *looks, f"{cell.name}-plausible"]
        return self.fresh or all(self._path(name).exists() for name in names)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _kept(self, name: str, make: Callable[[], Kept]) -> Kept:
        path = self._path(name)
        if path.exists():
            return load_file(path)
        if not self.fresh:
            raise KeyError(f"{path} is not kept")
        found = {key: x.cpu().contiguous() for key, x in make().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(f".{os.getpid()}")
        save_file(found, whole)
        whole.rename(path)
        return found

    def _eye(self, name: str) -> Extractor:
        return self.scene.networks[name]().to(self.device)

    def _drawn(self, cell: Cell) -> Kept:
        started, name = time.perf_counter(), self.scene.name
        noise = Noise(
            [derive_seed(0, f"{name}-{q}", k) for q in range(self.q) for k in range(self.k)]
        )
        wanted, parts = self.queries.repeat_interleave(self.k, 0).to(self.device), []
        for some in torch.arange(len(wanted)).split(AT_ONCE):
            if not cell.guide:
                state = unguided(self.prior, noise.select(some))
                parts.append(data_of(self.prior, state))
                continue
            phi, sampler = self.eye(cell.guide), SAMPLERS[cell.sampler]
            with torch.no_grad():
                h = phi.features(wanted[some])
            sampler.prepare(phi, self.prior)
            drawn = sampler.sample(Problem(phi, self.prior, wanted[some], h), noise.select(some))
            assert drawn.finite.all(), f"{cell.name}: draws were lost"
            parts.append(drawn.data)
        return {
            "draws": torch.cat(parts),
            "seconds": torch.tensor(time.perf_counter() - started),
        }

    @torch.no_grad()
    def _features(self, x: Tensor, eye: str) -> Tensor:
        phi = self.eye(eye)
        with torch.backends.cudnn.flags(allow_tf32=False):
            return torch.cat([phi.features(some.to(self.device)) for some in x.split(AT_ONCE)])

    def _seen(self, x: Tensor, eye: str, changed: bool) -> Kept:
        own = self._features(self.queries, eye).double().repeat_interleave(len(x) // self.q, 0)

        def distance(pictures: Tensor) -> Tensor:
            return rms(self._features(pictures, eye).double() - own).view(self.q, -1)

        changes = CHANGES if changed else {}
        found = {name: distance(change(x, 0.0, 1.0)) for name, change in changes.items()}
        return {"distance": distance(x), **found}

    def _scale(self, eye: str) -> Kept:
        h = self._features(self.queries, eye).cpu().numpy()
        null = random_pairs(h, np.random.default_rng(0))
        return {"null": torch.from_numpy(null), **self._seen(self.queries, eye, True)}

    @torch.no_grad()
    def _losses(self, x: Tensor) -> Tensor:
        parts = [
            denoising_losses(self.prior, some.to(self.device), LEVELS).mean(1)
            for some in x.split(AT_ONCE)
        ]
        return torch.cat(parts).view(self.q, -1)
