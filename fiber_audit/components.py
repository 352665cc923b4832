"""Make a suite's components, once per process: extractors, priors, samplers, data, metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar, cast

from torch import Tensor

from .context import targets_of
from .contracts import Dataset, Executor, Extractor, Metric, Prior, Queries, Sampler
from .errors import PluginError
from .plugins import Catalogue
from .suite import Suite, Use

T = TypeVar("T")


class Components:
    """Factories called on demand, results kept."""

    def __init__(self, suite: Suite, catalogue: Catalogue) -> None:
        self.suite, self.catalogue = suite, catalogue
        self._made: dict[tuple[str, str], object] = {}

    def extractor(self, key: str) -> Extractor:
        """An extractor of the suite, frozen, in eval mode, on the suite's device."""

        def make() -> Extractor:
            extractor = self._make("extractor", self.suite.extractors[key], Extractor)
            extractor.network.eval().requires_grad_(False)
            return extractor.to(self.suite.device)

        return self._once("extractor", key, make)

    def named_extractor(self, name: str) -> Extractor:
        """An extractor by the suite's name for it, or else by its catalogue name, with defaults."""
        if name in self.suite.extractors:
            return self.extractor(name)

        def make() -> Extractor:
            extractor = self._make("extractor", Use(use=name), Extractor)
            extractor.network.eval().requires_grad_(False)
            return extractor.to(self.suite.device)

        return self._once("catalogue", name, make)

    def prior(self, key: str) -> Prior:
        """A prior of the suite, frozen, in eval mode, on the suite's device."""

        def make() -> Prior:
            prior = self._make("prior", self.suite.priors[key], Prior)
            prior.network.eval().requires_grad_(False)
            return prior.to(self.suite.device)

        return self._once("prior", key, make)

    def sampler(self, key: str) -> Sampler:
        """A sampler of the suite."""
        use = self.suite.samplers[key]
        return self._once("sampler", key, lambda: self._make("sampler", use, Sampler))

    def metric(self, index: int) -> Metric:
        """A metric of the suite."""
        use = self.suite.metrics[index]
        return self._once("metric", str(index), lambda: self._make("metric", use, Metric))

    def executor(self) -> Executor:
        """Where the suite is computed."""
        return self._make("executor", self.suite.executor, Executor)

    @cached_property
    def dataset(self) -> Dataset:
        """The suite's dataset."""
        return self._make("dataset", self.suite.queries, Dataset)

    @cached_property
    def queries(self) -> Queries:
        """The suite's queries, checked."""
        found = self.dataset.queries()
        if len(set(found.ids)) != len(found.data):
            raise PluginError(
                f"dataset {self.suite.queries.use!r}: {len(found.data)} queries have "
                f"{len(set(found.ids))} distinct ids; a dataset must name each query once."
            )
        return found

    def targets(self, extractor: str, prior: str) -> Tensor:
        """What the draws of each query aim at, (q, d), by names in the suite."""
        return self._once(
            "targets",
            f"{extractor}/{prior}",
            lambda: targets_of(
                self.extractor(extractor),
                self.prior(prior),
                self.queries.data,
                self.suite.target,
                self.suite.batch_size,
            ),
        )

    def _once(self, kind: str, key: str, make: Callable[[], T]) -> T:
        if (kind, key) not in self._made:
            self._made[kind, key] = make()
        return cast(T, self._made[kind, key])

    def _make(self, kind: str, use: Use, contract: type[T]) -> T:
        component = self.catalogue.find(kind, use.use)
        made = component.factory(**use.options)
        if not isinstance(made, contract):
            raise PluginError(
                f"plugin {component.plugin!r}: {kind} {component.name!r} made a "
                f"{type(made).__name__}, which is not a fiber_audit.contracts.{contract.__name__}."
            )
        return made
