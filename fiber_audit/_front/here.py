"""Objects of this process in the catalogue: a plain name each, known by what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .._score.directory import default_path
from .._suite.catalogue import Catalogue
from .._suite.identity import digest
from .._suite.suite import Suite

METRIC = "metric"
ADDED = {METRIC, "attribute"}
"""What a run can be given later: it needs no draw."""


class Here:
    """What one call has handed over.

    taken: names of metrics that are not handed over, so that no object gets one of them.
    """

    def __init__(self, catalogue: Catalogue, taken: Iterable[str] = ()) -> None:
        self.catalogue = catalogue
        self._taken = {(METRIC, name) for name in taken}
        self._versions: list[str] = []

    def offer(self, kind: str, label: str, made: object, version: str = "") -> str:
        """Offer an object; returns its name, with a number where another has the same.

        version: the digest of what it holds.
        """
        name, count = label, 1
        while (kind, name) in self._taken:
            count += 1
            name = f"{label}-{count}"
        self._taken.add((kind, name))
        self.catalogue.add(kind, name, lambda: made, version)
        if kind not in ADDED:  # as in the default directory of a suite: metrics can be added
            self._versions.append(f"{kind} {name} {version}")
        return f"here/{name}"

    def path(self, suite: Suite) -> Path:
        """The default run directory: another one for other objects of equal names."""
        usual = default_path(suite)
        return usual.with_name(f"{suite.name}-{digest(usual.name, *sorted(self._versions))[:10]}")
