"""Who touches the global random numbers? Nothing may: randomness is an argument."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

UNLIKELY = 0x5EED_F1BE
"""Seeds that no plugin chooses, so that one that seeds is found out whatever it chooses."""


@contextmanager
def watched(turn: int = 0) -> Iterator[list[str]]:
    """The libraries whose global random numbers the block draws or seeds; put back afterwards.

    The list is filled when the block ends. Each `turn` starts from other numbers, so that two calls
    that draw from them differ.
    """
    used: list[str] = []
    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    on_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        torch.default_generator.manual_seed(UNLIKELY + turn)  # of the CPU alone
        np.random.seed(UNLIKELY + turn)  # noqa: NPY002 that global state is what we watch
        random.seed(UNLIKELY + turn)
        before = _states()
        yield used
        after = _states()
        used += [name for name in before if before[name] != after[name]]
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        random.setstate(kept[2])
        if on_cuda:
            torch.cuda.set_rng_state_all(on_cuda)


def _states() -> dict[str, object]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "torch": [state.numpy().tobytes() for state in (torch.get_rng_state(), *cuda)],
        "numpy": (name, np.asarray(keys).tobytes(), *rest),
        "random": random.getstate(),
    }
