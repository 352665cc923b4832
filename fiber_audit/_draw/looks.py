"""What is to be observed of an audit: by each metric, and the features that any reads whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._suite.components import Components
from .._suite.identity import FRESH, Identity, digest
from ..contracts import Part
from .inputs import Inputs
from .plan import Audit, Look

Why = tuple[str, str]
"""(status, message) of what cannot be had."""


def looks_of(
    identity: Identity,
    inputs: Inputs,
    audit: Audit,
    metrics: Sequence[int],
    eyes: Mapping[str, Why],
) -> tuple[tuple[Look, ...], tuple[tuple[Look, Why], ...]]:
    """The looks at one audit by these metrics: (those to take, those that cannot be, and why).

    eyes: extractor that a metric names -> why it cannot look.
    """
    components: Components = identity.components
    spread = "" if inputs.spread is None else " ".join(f"{s:.6g}" for s in inputs.spread.tolist())
    every: list[tuple[Look, frozenset[str]]] = []
    wanted: set[tuple[Part, str]] = {("queries", "")}
    for i in metrics:
        needs = components.metric(i).needs
        owner = digest(identity.of_observation(i, audit.extractor), spread)
        every.append((Look(owner, i), frozenset(needs.extractors)))
        wanted |= {(part, name) for part, names in needs.whole.items() for name in names}
    for part, name in sorted(wanted):
        owner = digest(_features(identity, part, name, audit), spread if part == "jittered" else "")
        every.append((Look(owner, None, part, name), frozenset({name})))
    taken, blind = list[Look](), list[tuple[Look, Why]]()
    for look, names in every:
        why = next((eyes[name] for name in sorted(names) if name in eyes), None)
        if why is None:
            taken.append(look)
        else:
            blind.append((look, why))
    return tuple(taken), tuple(blind)


def _features(identity: Identity, part: Part, name: str, audit: Audit) -> str:
    """Digest of one extractor's features of one part."""
    try:
        eye = identity.of_features(name, audit.extractor)
    except Exception:  # it cannot be made: nothing will be observed by it
        eye = f"absent {name}"
    suite = identity.components.suite
    data = identity.of("dataset", suite.queries).values() if part == FRESH else ()
    return digest("features", part, eye, *data)
