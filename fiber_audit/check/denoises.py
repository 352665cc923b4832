"""Does a prior denoise real data, and as well as its network can?

Noise is added to encoded data, at three levels, and the prior's estimate of the clean states is
compared with them. A right prior is nearer to them than the noise left in, the nearer the less
noise there is, and nearer than it would be with its network wired in another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, prod

from torch import Tensor

from ..contracts import Prior
from .noised import LEVELS, Noised
from .others import USUAL, Other, others, schedule
from .violation import FAULTS

SLACK = 1.02
"""By this factor at least errors fall from one level to the next."""
IDLE = 0.97
"""Of much noise a prior takes away more than the rest of this."""
WORSE = 1.5
"""Of much noise its estimate is nearer than this, where guessing the mean of the data gives 1."""


def denoising_problem(prior: Prior, states: Tensor) -> str | None:
    """One sentence where a prior does not denoise real data as it should, or None.

    states: encoded data (n, *state_shape). With one row, or equal ones, nothing can be told.
    """
    if len(states) < 2:
        return None
    noised = Noised(prior, states)
    if not noised.spread > 0:
        return None
    if out_of_reach := _out_of_reach(noised):
        return out_of_reach
    better = _best(noised, others(noised)) or _best(noised, [schedule(noised)])
    law = _broken_law(noised, noised.errors)
    if better is not None:
        errors = [better.error(level) for level in range(len(LEVELS))]
        if law is None or _broken_law(noised, errors) is None:  # less bad is no mending
            return f"{_measured(noised)}; {better.differs} gives {_told(errors)}: {better.mend}."
    return f"{_measured(noised)}; {law}: {_advice(noised)}." if law else None


def _by_chance(noised: Noised) -> float:
    """How far, relative to one, errors on so few numbers may be from those on all data."""
    return 2 / noised.states.numel() ** 0.5


def _out_of_reach(noised: Noised) -> str | None:
    """Does the schedule go from little noise to much, beside the states?"""
    least, _, most = _idle(noised)
    if least > 2 * LEVELS[0]:
        what = f"no less noise than {least:.2g} times"
    elif most < LEVELS[-1] / 2:
        what = f"no more noise than {most:.2g} times"
    else:
        return None
    return (
        f"its schedule has {what} the spread of the states, which is {noised.spread:.2g}; scale "
        f"them to about 1 in encode(), and back in decode()."
    )


def _idle(noised: Noised) -> tuple[float, float, float]:
    """Errors of leaving the noise in."""
    little, middle, much = (sigma / alpha / noised.spread for alpha, sigma in noised.shares)
    return little, middle, much


def _best(noised: Noised, tried: Iterable[Other]) -> Other | None:
    """The wiring that is better at every level, and by most."""
    chance = 1 - _by_chance(noised)
    gains = {
        gain: other
        for other in tried
        if (gain := _gain(noised, other)) < min(other.clearly, chance)
    }
    return gains[min(gains)] if gains else None


def _gain(noised: Noised, other: Other) -> float:
    """Geometric mean of its errors relative to the prior's; 1 as soon as one is no smaller."""
    ratios = []
    for level in (1, 2, 0):  # where wirings differ most comes first
        try:
            ratio = other.error(level) / noised.errors[level]
        except FAULTS:  # a network need not take what it is told
            return 1.0
        if not ratio < 1:
            return 1.0
        ratios.append(ratio)
    return prod(ratios) ** (1 / len(ratios))


def _broken_law(noised: Noised, errors: Sequence[float]) -> str | None:
    little, middle, much = errors
    idle = _idle(noised)
    if not all(map(isfinite, errors)):
        return "they are not finite"
    if not (SLACK * little < middle and SLACK * middle < much):
        return "they do not fall with the noise"
    if not (middle < idle[1] and much < IDLE * idle[2]):
        return f"to leave the noise in gives {_told(idle)}"
    if much > WORSE * (1 + _by_chance(noised)):
        return "to guess the mean of the data gives 1"
    return None


def _measured(noised: Noised) -> str:
    return (
        f"real data under noise of {_told(LEVELS)} times their spread are found again with "
        f"errors of {_told(noised.errors)} of it"
    )


def _advice(noised: Noised) -> str:
    unusual = not USUAL[0] < noised.size < USUAL[1]
    size = f" (states have RMS {noised.size:.2g}, where most models want 1)" if unusual else ""
    return (
        f"check prediction type, times, noise schedule and scaling factor{size}, and that its "
        f"network was trained on such data"
    )


def _told(numbers: Iterable[float]) -> str:
    first, second, third = (f"{number:.2g}" for number in numbers)
    return f"{first}, {second} and {third}"
