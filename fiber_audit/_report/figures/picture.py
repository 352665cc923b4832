"""One image on the axes of a figure."""

from __future__ import annotations

from typing import Any

import numpy as np


def picture(axes: Any, image: np.ndarray) -> None:
    """(c, h, w) in [0, 1] without a frame: three channels in colour, of others the first in grey.

    What is not finite is black.
    """
    levels = np.nan_to_num(image).clip(0, 1)
    shown = levels.transpose(1, 2, 0) if len(levels) == 3 else levels[0]
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
