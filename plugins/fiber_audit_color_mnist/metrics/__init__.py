"""Metrics that know the truth of Color MNIST: colours are free of shapes, and their law is known.

Consistency (colour_kl, colour_w1, colour_dev) asks whether draws follow the data distribution. It
presumes an extractor that leaves the colour free: one that knows the colour restricts draws to the
colours of the queries. What the fiber leaves free is told by colour_kept and shape_agreement.
"""

from .colour_dev import ColourDev
from .colour_kept import ColourKept
from .colour_kl import ColourKL
from .colour_w1 import ColourW1
from .shape_agreement import ShapeAgreement

__all__ = ["ColourDev", "ColourKL", "ColourKept", "ColourW1", "ShapeAgreement"]
