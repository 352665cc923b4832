"""The contracts between the host and its plugins: shapes, ranges, the direction of time.

Rows are draws: every tensor's first dimension counts independent draws, and nothing may couple
them. Heavy libraries are imported when a component is made; this package imports no torch.
"""

from .attribute import Attribute
from .drawing import Draws, Extractor, Learned, Prediction, Prior, Problem, Sampler
from .fitting import Fittable, Fitting
from .options import Count, Factory, Fraction, NonNegative, NonNegativeInt, Offers, Positive
from .part import Part
from .running import Dataset, Executor, Exporter
from .scoring import Axis, Better, Block, Metric, Needs, Statistic, Table

__all__ = [
    "Attribute",
    "Axis",
    "Better",
    "Block",
    "Count",
    "Dataset",
    "Draws",
    "Executor",
    "Exporter",
    "Extractor",
    "Factory",
    "Fittable",
    "Fitting",
    "Fraction",
    "Learned",
    "Metric",
    "Needs",
    "NonNegative",
    "NonNegativeInt",
    "Offers",
    "Part",
    "Positive",
    "Prediction",
    "Prior",
    "Problem",
    "Sampler",
    "Statistic",
    "Table",
]
