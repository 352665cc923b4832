"""Other ways to wire the same network, each the mending of a mistake that is often made.

If one of them denoises better than the prior itself, whatever the noise, the prior makes that
mistake. A network that is weak, hardly trained, or shown what it was not trained on is as weak
under every other wiring, so that it is not accused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

from .noised import LEVELS, Noised
from .rewired import swapped, told

READINGS: Mapping[str, Callable[[float, float], tuple[float, float]]] = {
    "epsilon": lambda alpha, sigma: (0, 1),
    "sample": lambda alpha, sigma: (1, 0),
    "v_prediction": lambda alpha, sigma: (-sigma, alpha),
    "flow": lambda alpha, sigma: (-1, 1),
    "reversed flow": lambda alpha, sigma: (1, -1),
}
"""What a network may predict: name -> (p, q) of p x_0 + q eps, given alpha and sigma."""
FACTORS = (1000, 0.001, 4, 0.25, 2, 0.5, 10, 0.1)
SHIFTS = (0.5, 2, 0.7, 1.4, 0.25, 4, 0.125, 8)
"""Amounts of noise that a network is told of, relative to what there is."""
SIZES = (1.0, 0.5)
"""RMS of the states that networks are trained on: latents, and pixels in [-1, 1]."""
USUAL = (1 / 3, 2)
"""RMS of states whose scale is not in doubt."""


@dataclass(frozen=True)
class Other:
    """What is different, how to mend the prior if it is better, and the error at each level.

    clearly: it is better if its errors are less than so many times the prior's (geometric mean).
    """

    differs: str
    mend: str
    error: Callable[[int], float]
    clearly: float = 0.95


def others(noised: Noised) -> Iterator[Other]:
    """All that are tried; each does its work when its errors are asked for."""
    for given, wanted in permutations(READINGS, 2):
        yield Other(
            f"its network's output read as {wanted}, not {given},",
            "correct the prediction type",
            partial(_read_as, noised, given, wanted),
        )
    if _has_halves(noised):
        yield Other(
            "the other half of its network's output",
            "take the first channels, which are the prediction, not the learned variance",
            partial(_other_half, noised),
        )
    for size in () if USUAL[0] < noised.size < USUAL[1] else SIZES:
        yield Other(
            f"scaling its states of RMS {noised.size:.2g} to {size:g}",
            "multiply by the model's scaling factor in encode() and divide in decode(), unless "
            "such data are strange to its network",
            partial(_denoised, replace(noised, states=noised.states * (size / noised.size))),
            clearly=0.85,  # data that a prior knows little of may fit better when made smaller
        )
    for factor in FACTORS:
        yield Other(
            f"its network told {factor:g} times the time",
            "give it the times that it was trained with",
            partial(_told_times, noised, factor),
        )


def schedule(noised: Noised) -> Other:
    """The time of another amount of noise, the best at each level: tried when all else fails."""
    return Other(
        "its network told of another amount of noise",
        "take the noise schedule that it was trained with, unless such data are strange to it",
        partial(_told_noise, noised),
        clearly=0.9,  # there is much to choose from
    )


def _denoised(noised: Noised, level: int) -> float:
    return noised.error(noised.predict(level).x0)


def _read_as(noised: Noised, given: str, wanted: str, level: int) -> float:
    alpha, sigma = noised.shares[level]
    x0, eps = noised.predictions[level]
    p, q = READINGS[given](alpha, sigma)
    output = p * x0 + q * eps
    p, q = READINGS[wanted](alpha, sigma)
    return noised.error((q * noised.noisy[level] - sigma * output) / (q * alpha - p * sigma))


def _has_halves(noised: Noised) -> bool:
    with swapped(noised.prior.network, noised.prior.state_shape[0]) as met:
        noised.glance(noised.times[0])
    return bool(met)


def _other_half(noised: Noised, level: int) -> float:
    with swapped(noised.prior.network, noised.prior.state_shape[0]):
        return _denoised(noised, level)


def _told_times(noised: Noised, factor: float, level: int) -> float:
    time = noised.times[level]
    now = noised.numbers(time)
    if noised.clock:
        now = {place: now[place] for place in noised.clock}
    else:  # it is told nothing of the time, or a time that was rounded away
        now = dict.fromkeys(now, time)
    with told(noised.prior.network, {place: factor * number for place, number in now.items()}):
        return _denoised(noised, level)


def _told_noise(noised: Noised, level: int) -> float:
    found = []
    for shift in SHIFTS:
        seen = noised.numbers(noised.time(LEVELS[level] * shift))
        with told(noised.prior.network, {place: seen[place] for place in noised.clock}):
            found.append(_denoised(noised, level))
    return min(found)
