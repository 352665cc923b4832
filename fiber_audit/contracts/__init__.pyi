from .attribute import Attribute
from .by_hand import held
from .drawing import Draws, Extractor, Learned, Prediction, Prior, Problem, Sampler, data_of
from .fitting import Fittable, Fitting
from .offers import Factory, Offers
from .options import Count, Fraction, NonNegative, NonNegativeInt, Positive
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
    "data_of",
    "held",
]
