"""A training that is over in minutes: AdamW, warm-up and cosine, averaged weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)
Say = Callable[[str], None]
DECAY = 0.999


def train_averaged(
    build: Callable[[], Network],
    loss: Callable[[Network, torch.Generator], Tensor],
    steps: int,
    say: Say,
    rate: float = 1e-3,
    weight_decay: float = 1e-2,
    seed: int = 0,
    check: Callable[[Network], str] | None = None,
) -> Network:
    """Train a fresh network; returns the average of its weights, in eval mode.

    loss: of one batch, which it takes and augments by the generator: that of step k depends on the
    seed and k only. check: what to say of the averaged network every 250 steps.
    """
    with torch.random.fork_rng(devices=[]):  # first weights and dropout; the caller's is kept
        torch.random.manual_seed(seed)
        network = build().train()
        average = deepcopy(network).eval()
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=weight_decay)
        started = time.process_time()
        for step in range(steps):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            share = min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            value = loss(network, generator)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            decay = min(DECAY, (1 + step) / (10 + step))
            with torch.no_grad():
                for a, p in zip(average.parameters(), network.parameters(), strict=True):
                    a.lerp_(p, 1 - decay)
            if (step + 1) % 250 == 0 or step + 1 == steps:
                told = check(average) if check else ""
                seconds = time.process_time() - started
                say(f"{step + 1}/{steps} loss {value.item():.4f} {told} {seconds:.0f} s")
    return average.requires_grad_(False)
