"""Time travel: do a step several times, going back from s to t by adding noise xi in between.

    x_t = (alpha_t / alpha_s) x_s + sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) xi

Source: Lugmayr et al., "RePaint", CVPR 2022; used by FreeDoM, UGD and TFG. All noise but that of
the last pass is from a stream of its own, so that the number of passes does not shift the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from fiber_audit.sampling import Noise, Schedule, over

Back = Callable[[Tensor], Tensor]


def passes(
    schedule: Schedule, t: Tensor, s: Tensor, z: Tensor | None, repeats: int, side: Noise
) -> Iterator[tuple[Tensor | None, Back]]:
    """The passes (z, back) over one step from t to s; z is for the last one.

    back takes the states (n, ...) at s to t by noise from `side`; after the last pass it leaves
    them at s.
    """

    def back(x_s: Tensor) -> Tensor:
        return renoised(schedule, x_s, s, t, side.normal(x_s.shape[1:], x_s))

    for _ in range(repeats - 1):
        yield None if z is None else side.normal(z.shape[1:], z), back
    yield z, lambda x_s: x_s


def renoised(schedule: Schedule, x_s: Tensor, s: Tensor, t: Tensor, xi: Tensor) -> Tensor:
    """Time travel from s back to the noisier t with fresh standard normal xi, shaped like x_s."""
    ratio = schedule.alpha(t) / schedule.alpha(s)
    spread = schedule.sigma(t).square() - ratio.square() * schedule.sigma(s).square()
    return over(ratio, x_s) * x_s + over(spread.clamp(min=0).sqrt(), x_s) * xi
