"""Which rows are held out: as the data set `table` has it, so that both agree on a file."""

from __future__ import annotations

from fiber_audit.sampling import derive_seed

ONE_OF = 5


def held_out(name: str) -> bool:
    """Whether a row of this id is one of the fifth that nothing is trained on."""
    return derive_seed("held out", name) % ONE_OF == 0
