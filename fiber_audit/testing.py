"""Names for the tests of plugin authors: contract checks, tiny audits, and closed forms."""

from .check import (
    Violation,
    check_attribute,
    check_component,
    check_dataset,
    check_exporter,
    check_extractor,
    check_metric,
    check_prior,
    check_sampler,
)
from .check.audits import image_audit, measure, seen_in, table_audit
from .check.exporter import example_records
from .check.gaussian import (
    GaussianPrior,
    LinearExtractor,
    gaussian_problem,
    linear_betas,
    wasserstein_to_gaussian,
)
from .check.laws import LAWS
from .check.nonlinear import FormulaExtractor, Law, MixturePrior, sliced_w1

__all__ = [
    "LAWS",
    "FormulaExtractor",
    "GaussianPrior",
    "Law",
    "LinearExtractor",
    "MixturePrior",
    "Violation",
    "check_attribute",
    "check_component",
    "check_dataset",
    "check_exporter",
    "check_extractor",
    "check_metric",
    "check_prior",
    "check_sampler",
    "example_records",
    "gaussian_problem",
    "image_audit",
    "linear_betas",
    "measure",
    "seen_in",
    "sliced_w1",
    "table_audit",
    "wasserstein_to_gaussian",
]
