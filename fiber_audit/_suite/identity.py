"""Identity: all that a draw, or an observation of it, depends on. Change any of it, and it is new.

A draw depends on the resolved options (defaults included), the plugin's version and the weights and
code of extractor, prior and sampler; on the kit that samplers are written with; on the suite's
seed, target and precision; and on its query. An observation depends, besides, on its metric, the
extractors that the metric looks with, and on k, the draws of a query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path

from .. import __version__
from ..contracts import Extractor, Metric, Part, Prior
from ..loading import state_digest
from . import options
from .component import digest_of
from .components import Components
from .suite import Use

KIT = (
    "contracts/drawing.py", "blocks.py", "sampling.py", "schedule.py", "noise.py",
    "measuring/scene.py", "_draw/rows.py", "_draw/plan.py", "_draw/observed.py",
)  # fmt: skip
"""What every draw and every block is made with."""
FRESH: Part = "fresh"


def digest(*parts: object) -> str:
    """32 hexadecimal digits of texts.

    >>> digest("a", 1)
    'b4feb303ba68581ff5140f67114e15e6'
    """
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@cache
def kit() -> str:
    """Digest of the host's own code that draws depend on."""
    folder = Path(__file__).parents[1]
    stats = [(folder / name, (folder / name).stat()) for name in KIT]
    return digest_of(tuple((str(path), s.st_mtime_ns, s.st_size) for path, s in stats))


@dataclass
class Identity:
    """The identities of one suite's components; each is looked at once."""

    components: Components
    _known: dict[tuple[str, Use], dict[str, str]] = field(default_factory=dict)

    def of(self, kind: str, use: Use) -> dict[str, str]:
        """What a component is: plugin, version, options, code, and weights where it has any."""
        if (kind, use) not in self._known:
            self._known[kind, use] = self._of(kind, use)
        return self._known[kind, use]

    def _of(self, kind: str, use: Use) -> dict[str, str]:
        component = self.components.component(kind, use)
        found = {
            "plugin": component.qualified,
            "version": f"{component.distribution} {component.version}".strip(),
            "options": options.resolved(component.factory, use.options),
            "code": component.code,
        }
        made: Extractor | Prior | None = None
        if kind == "extractor":
            made = self.components.extractor_of(use)
        elif kind == "prior":
            made = self.components.prior_of(use)
        if isinstance(made, Prior):
            states = sorted((n, state_digest(m)) for n, m in made.modules.items())
            found["weights"] = digest(made.weights_sha256, *states)
        elif made is not None:
            found["weights"] = digest(made.weights_sha256, state_digest(made.network))
        if kind == "attribute":
            found["weights"] = self.components.attribute_of(use).weights_sha256
        if kind == "dataset":
            kept = {k: v for k, v in use.options.items() if k != "n"}
            found["options"] = options.resolved(component.factory, kept)
        for option, what in options.named_of(component.factory).items():
            if option in use.options:
                others = options.names_in(use.options[option])
                uses = [self.components.use_of(what, name) for name in others]
                parts = [part for other in uses for part in self.of(what, other).values()]
                found[f"{option}.weights"] = digest(*parts)
        return found

    def of_draws(
        self, prior: str, extractor: str | None = None, sampler: str | None = None
    ) -> dict[str, str]:
        """Name of a part -> what it is, for the draws of an audit, or of a prior alone."""
        suite = self.components.suite
        shape = tuple(self.components.dataset.data_shape)
        found = {
            "fiber-audit": f"{__version__} {kit()}",
            "seed": str(suite.seed),
            "keep": suite.precision(shape),
            **_prefixed(f"priors.{prior}", self.of("prior", suite.priors[prior])),
        }
        if extractor is None or sampler is None:
            return found | {"unguided_steps": str(suite.unguided_steps)}
        return (
            found
            | {"target": suite.target}
            | _prefixed(
                f"extractors.{extractor}", self.of("extractor", suite.extractors[extractor])
            )
            | _prefixed(f"samplers.{sampler}", self.of("sampler", suite.samplers[sampler]))
            | self._learned(extractor, prior, sampler)
        )

    def _learned(self, extractor: str, prior: str, sampler: str) -> dict[str, str]:
        learned = self.components.learned(extractor, prior, sampler).digest
        return {f"samplers.{sampler}.weights": learned} if learned else {}

    def of_features(self, name: str, audited: str) -> str:
        """Digest of an extractor as a metric's eye; "" is the audited one."""
        use = self.components.use_of_extractor(name or audited)
        return digest(*self.of("extractor", use).values())

    def of_observation(self, index: int, audited: str) -> str:
        """Digest of what a metric observes of an audit of that extractor."""
        suite = self.components.suite
        metric, use = self.components.metric(index), suite.metrics[index]
        eyes = sorted(metric.needs.eyes)
        parts = [*self.of("metric", use).values(), kit(), suite.draws, suite.target, suite.seed]
        parts += [self._eye(name, audited) for name in eyes]
        return digest(*parts, *self.of_fresh(metric))

    def of_fresh(self, metric: Metric) -> Iterable[str]:
        """The dataset, for a metric that is shown fresh samples of it."""
        fresh = FRESH in metric.needs.shown
        return self.of("dataset", self.components.suite.queries).values() if fresh else ()

    def _eye(self, name: str, audited: str) -> str:
        try:
            return self.of_features(name, audited)
        except Exception:  # its weights are missing: the metric will say so when it looks
            return f"absent {name}"


def _prefixed(path: str, parts: Mapping[str, str]) -> dict[str, str]:
    return {f"{path}.{name}": value for name, value in parts.items()}


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The parts that changed, each in words, options value by value.

    >>> difference({"seed": "0"}, {"seed": "1"})
    ['seed: 0 -> 1']
    """
    found = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "nothing"), now.get(name, "nothing")
        if old == new:
            continue
        if name.endswith(".options"):
            found += options.difference(name.removesuffix(".options"), old, new)
        elif name.endswith((".code", ".weights")) or name == "fiber-audit":
            found.append(f"{name} changed")
        else:
            found.append(f"{name}: {old} -> {new}")
    return found
