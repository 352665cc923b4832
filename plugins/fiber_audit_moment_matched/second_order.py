"""Steps of second order: where E[x_0 | x_t] will be in the middle of a step.

A first-order step (DDIM, Euler) with that mean has second order. Source: Lu et al., DPM-Solver++
(2M), 2022, algorithm 2, which takes the slope from two points; a third makes it exact for curves
of second degree, which is what is needed where a conditional variance has to come out right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from fiber_audit.sampling import Schedule


def natural(schedule: Schedule, t: Tensor) -> Tensor:
    """asinh(alpha / sigma), in which E[x_0 | x_t] runs smoothly: its time to be extrapolated in.

    It is the logarithm of 2 alpha / sigma near the data, as in DPM-Solver++, and alpha / sigma
    itself near pure noise, where the mean is linear in that, and where a flow has no logarithm.

    >>> import torch
    >>> from fiber_audit.sampling import FlowSchedule
    >>> natural(FlowSchedule(), torch.tensor([1.0, 0.5]))
    tensor([0.0000, 0.8814])
    """
    return (schedule.alpha(t) / schedule.sigma(t)).asinh()


@dataclass
class Course:
    """The course of E[x_0 | x_t] in u = asinh(alpha / sigma): the last three points (u, x0).

    >>> import torch
    >>> course = Course()
    >>> for u in torch.tensor([0.0, 1.0, 3.0]):
    ...     course.add(u, u.square()[None])
    >>> course.ahead(torch.tensor(2.0))  # 9, and a slope of 6 for 1
    tensor([15.])
    """

    points: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(self, u: Tensor, x0: Tensor) -> None:
        """One more point; one at a time that is not later takes the place of the last."""
        while self.points and self.points[-1][0] >= u:
            self.points.pop()
        self.points = [*self.points[-2:], (u, x0)]

    def ahead(self, h: Tensor) -> Tensor:
        """x0 in the middle of a step of length h that begins at the last point."""
        (u, x0), *earlier = reversed(self.points)
        if not earlier:
            return x0
        r, at_r = earlier[0]
        slope = (x0 - at_r) / (u - r).to(x0)
        if len(earlier) > 1:
            q, at_q = earlier[1]
            bend = (slope - (at_r - at_q) / (r - q).to(x0)) / (u - q).to(x0)
            slope = slope + (u - r).to(x0) * bend
        return x0 + (0.5 * h).to(x0) * slope
