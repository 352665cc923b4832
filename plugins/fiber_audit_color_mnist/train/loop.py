"""One training loop for every recipe: AdamW, warm-up and cosine, averaged weights, resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[Any, Tensor, Tensor, torch.Generator], Tensor]
"""(network, gray digits, labels, generator) -> per-sample losses (n,)."""


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. steps are batches; lr is the peak of the learning rate.

    bfloat16: products in bfloat16 (weights and their averages stay float32); where the processor
    has it, a step of a convolutional network takes 0.7 of the time.
    """

    build: Callable[[], nn.Module]
    loss: Loss
    steps: int
    batch: int = 256
    lr: float = 1e-3
    ema: float = 0.999
    seed: int = 0
    bfloat16: bool = False
    finish: Callable[[Any, Tensor, Tensor], None] | None = None


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up over 2 % of the steps, then a cosine to zero."""
    warm = max(1, recipe.steps // 50)
    if step < warm:
        return recipe.lr * (step + 1) / warm
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / (recipe.steps - warm)))


def train(
    recipe: Recipe, images: Tensor, labels: Tensor, checkpoint: Path, say: Callable[[str], None]
) -> nn.Module:
    """Train to the end, from the checkpoint if there is one; returns the averaged network.

    Batch k and its noise come from a generator seeded by (recipe.seed, k), so a resumed
    training sees the batches that an unbroken one would have seen.
    """
    with torch.random.fork_rng(devices=[]):  # initial weights only; the caller's state is kept
        torch.random.manual_seed(recipe.seed)
        network, average = recipe.build(), recipe.build()
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=1e-4)
    first = _resume(checkpoint, network, average, optimizer)
    network.train()
    started, running = time.monotonic(), 0.0
    for step in range(first, recipe.steps):
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        index = torch.randint(len(images), (recipe.batch,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            loss = recipe.loss(network, images[index], labels[index], generator).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        decay = min(recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, p in zip(average.parameters(), network.parameters(), strict=True):
                a.lerp_(p, 1 - decay)
        running += loss.item()
        if (step + 1) % 200 == 0 or step + 1 == recipe.steps:
            seconds = time.monotonic() - started
            left = seconds / (step + 1 - first) * (recipe.steps - step - 1)
            mean = running / (step % 200 + 1)
            say(f"{step + 1}/{recipe.steps} loss {mean:.5f} left {left:.0f} s")
            running = 0.0
        if (step + 1) % 1000 == 0:
            _save(checkpoint, network, average, optimizer, step + 1)
    if recipe.finish is not None:
        recipe.finish(average, images, labels)
    return average.eval()


def _save(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    state = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def facts(recipe: Recipe, images: int, seconds: float) -> dict[str, Any]:
    """What made the weights: the manifest keeps it, and the model card quotes it."""
    return {
        "steps": recipe.steps, "batch": recipe.batch, "lr": recipe.lr, "ema": recipe.ema,
        "seed": recipe.seed, "bfloat16": recipe.bfloat16, "training_digits": images,
        "seconds": round(seconds), "torch": torch.__version__,
    }  # fmt: skip
