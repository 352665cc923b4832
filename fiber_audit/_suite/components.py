"""Make a suite's components, once per process: extractors, priors, samplers, data, metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar, cast

from ..contracts import Attribute, Dataset, Executor, Extractor, Learned, Metric, Prior, Sampler
from ..errors import DataError, FiberAuditError, PluginError, UsageError
from . import options
from .catalogue import Catalogue
from .component import Component
from .guest import guest
from .suite import Suite, Use

T = TypeVar("T")


class Components:
    """Factories called on demand, results kept."""

    def __init__(self, suite: Suite, catalogue: Catalogue) -> None:
        self.suite, self.catalogue = suite, catalogue
        self._made: dict[tuple[str, Use], object] = {}
        self._learned: dict[tuple[Use, ...], Learned] = {}

    def sharing(self, suite: Suite) -> Components:
        """The components of another suite; what both name alike, and is made by now, is shared."""
        other = Components(suite, self.catalogue)
        other._made, other._learned = dict(self._made), dict(self._learned)
        return other

    def extractor(self, key: str) -> Extractor:
        """An extractor of the suite, frozen, on the suite's device."""
        return self.extractor_of(self.suite.extractors[key])

    def named_extractor(self, name: str) -> Extractor:
        """An extractor by the suite's name for it, or else by its catalogue name, with defaults."""
        return self.extractor_of(self.use_of_extractor(name))

    def use_of_extractor(self, name: str) -> Use:
        """How the suite, or else the catalogue, makes an extractor of that name."""
        return self.suite.extractors.get(name) or Use(use=name)

    def extractor_of(self, use: Use) -> Extractor:
        """An extractor, frozen, on the suite's device; that it is in eval mode is checked later."""

        def make() -> Extractor:
            extractor = self._new("extractor", use, Extractor)
            extractor.network.requires_grad_(False)
            return extractor.to(self.suite.device)

        return self._once("extractor", use, make)

    def prior(self, key: str) -> Prior:
        """A prior of the suite."""
        return self.prior_of(self.suite.priors[key])

    def prior_of(self, use: Use) -> Prior:
        """A prior, frozen, in eval mode, on the suite's device."""

        def make() -> Prior:
            prior = self._new("prior", use, Prior)
            for module in prior.modules.values():
                module.eval().requires_grad_(False)
            return prior.to(self.suite.device)

        return self._once("prior", use, make)

    def sampler(self, key: str) -> Sampler:
        """A sampler of the suite."""
        use = self.suite.samplers[key]
        where = f"samplers.{key}"
        return self._once("sampler", use, lambda: self._new("sampler", use, Sampler, where))

    def use_of(self, kind: str, name: str) -> Use:
        """How the suite makes what an option names; an attribute may be the catalogue's, too."""
        suite = self.suite
        if kind == "attribute":
            return suite.attributes.get(name) or Use(use=name)
        return {"prior": suite.priors, "sampler": suite.samplers}[kind][name]

    def attribute(self, name: str) -> Attribute:
        """An attribute by the suite's name for it, or else by its catalogue name, with defaults."""
        return self.attribute_of(self.use_of("attribute", name), f"attributes.{name}")

    def attribute_of(self, use: Use, where: str = "") -> Attribute:
        """An attribute, on the suite's device."""

        def make() -> Attribute:
            return self._new("attribute", use, Attribute, where).to(self.suite.device)

        return self._once("attribute", use, make)

    def learned(self, extractor: str, prior: str, sampler: str) -> Learned:
        """What a sampler has learned for a pair; from then on it is prepared to draw from it."""
        suite = self.suite
        uses = (suite.extractors[extractor], suite.priors[prior], suite.samplers[sampler])
        if uses not in self._learned:
            pair = self.extractor(extractor), self.prior(prior)
            with guest():
                self._learned[uses] = self.sampler(sampler).prepare(*pair)
        return self._learned[uses]

    def metric(self, index: int) -> Metric:
        """A metric of the suite."""
        use = self.suite.metrics[index]
        where = f"metrics[{index}]"
        return self._once("metric", use, lambda: self._new("metric", use, Metric, where))

    def executor(self) -> Executor:
        """Where the suite is computed; a new one at every call."""
        return self._new("executor", self.suite.executor, Executor, "executor")

    @cached_property
    def dataset(self) -> Dataset:
        """The suite's dataset."""
        use = self.suite.queries
        return self._once("dataset", use, lambda: self._new("dataset", use, Dataset))

    def component(self, kind: str, use: Use) -> Component:
        """What the catalogue knows of a component."""
        return self.catalogue.find(kind, use.use)

    @cached_property
    def training(self) -> Dataset:
        """What priors and samplers are fitted to: the suite's training data, or its queries.

        Where a dataset's own default is no number but all that it has, the number of queries is no
        limit.
        """
        use = self.suite.training or self._unlimited(self.suite.queries)
        try:
            return self._once("dataset", use, lambda: self._new("dataset", use, Dataset))
        except DataError as error:
            told = str(error).removeprefix("queries.").removeprefix("queries: ")
            raise DataError(f"training: {told}") from error

    def _unlimited(self, use: Use) -> Use:
        defaults = options.defaults_of(self.component("dataset", use).factory)
        if isinstance(defaults.get("n", 0), int):
            return use
        return Use(use=use.use, **{k: v for k, v in use.options.items() if k != "n"})

    def _options(self, factory: Callable[..., object], use: Use) -> dict[str, object]:
        """Options as the factory wants them; names of components become these."""
        made = {"prior": self.prior, "sampler": self.sampler, "attribute": self.attribute}
        chosen = options.validated(factory, use.options)
        return options.with_named(factory, chosen, lambda kind, name: made[kind](name))

    def _once(self, kind: str, use: Use, make: Callable[[], T]) -> T:
        key = (kind, use)
        if key not in self._made:
            self._made[key] = make()
        return cast(T, self._made[key])

    def _new(self, kind: str, use: Use, contract: type[T], where: str = "") -> T:
        component = self.component(kind, use)
        factory = component.factory
        try:
            with guest():
                made = factory(**self._options(factory, use))
        except UsageError as error:
            if not where or str(error).startswith(where):
                raise
            raise UsageError(f"{where}: {error}") from error
        except FiberAuditError:
            raise
        except (Exception, SystemExit) as error:  # plugins may raise anything
            raise PluginError(
                f"plugin {component.plugin!r}: {kind} {component.name!r} could not be made "
                f"({type(error).__name__}: {error})."
            ) from error
        if not isinstance(made, contract):
            raise PluginError(
                f"plugin {component.plugin!r}: {kind} {component.name!r} made a "
                f"{type(made).__name__}, which is not a fiber_audit.contracts.{contract.__name__}."
            )
        return made
