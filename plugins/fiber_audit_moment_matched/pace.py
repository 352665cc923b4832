"""In what steps a trajectory is walked: few whole corrections, or many small ones, and late.

Where V is a covariance, a correction is right as it stands and the path of a draw is smooth: a few
second-order steps are enough. A trained network's V is that only roughly. Of a narrow mode of the
prior it knows little, so that a correction at low noise leads out of the mode, and after a few
large steps there is no noise left to lead back. A gradual draw is left to the prior as long as
that decides little, and then walks in many small steps with fresh noise, each with one
linearisation: the prior mends what each has spoiled.
"""

from __future__ import annotations

from typing import NamedTuple


class Pace(NamedTuple):
    """What the options of the same names are where they are not told.

    directions: at most, where there are more than ALL features. late: a start that is not told is
    the level down to which a draw is open, or else that from which V is trusted.
    """

    steps: int
    power: float
    order: int
    eta: float
    directions: int
    linearisations: int
    polish: int
    late: bool = False


PACES = {
    "whole": Pace(20, 2.0, 2, 0.0, 8, 2, 8),
    "gradual": Pace(60, 1.0, 1, 1.0, 5, 1, 16, late=True),
}
ALL = 16
"""Directions: as many as features where these are no more, if not told otherwise."""
