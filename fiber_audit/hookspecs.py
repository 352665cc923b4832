"""THE MAP: every hook of fiber-audit.

A plugin is a module (or object) registered in the entry-point group ``fiber_audit``:

    [project.entry-points.fiber_audit]
    brightness = "fiber_audit_brightness"

Each hook is called once, before a suite is read, and returns ``{name: factory}``. Its body is one
``return`` and must not import torch: heavy imports live in the factory, so that listing plugins is
instant. The factory's keyword arguments, with their types, are the options that a suite may set.
A name offered by two plugins is written ``plugin/name``; the bare name is then an error that names
both. A plugin that fails to import costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .contracts import Dataset, Executor, Exporter, Extractor, Metric, Prior, Sampler

GROUP = "fiber_audit"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def fiber_audit_extractors() -> Mapping[str, Callable[..., Extractor]]:  # type: ignore[empty-body]
    """Offer networks to audit.

    Smallest example: examples/fiber_audit_brightness, a plugin of one file.
    """


@hookspec
def fiber_audit_priors() -> Mapping[str, Callable[..., Prior]]:  # type: ignore[empty-body]
    """Offer generative models of the data: diffusion or flow matching, pixel or latent.

    Smallest example: plugins/fiber_audit_color_mnist/priors.py.
    """


@hookspec
def fiber_audit_samplers() -> Mapping[str, Callable[..., Sampler]]:  # type: ignore[empty-body]
    """Offer ways to draw from a prior restricted to a fiber.

    Smallest example: plugins/fiber_audit_ndtm.
    """


@hookspec
def fiber_audit_metrics() -> Mapping[str, Callable[..., Metric]]:  # type: ignore[empty-body]
    """Offer measures of draws, each on one axis: fidelity, consistency, diversity or health.

    Smallest example: plugins/fiber_audit_scoring/diversity.py.
    """


@hookspec
def fiber_audit_datasets() -> Mapping[str, Callable[..., Dataset]]:  # type: ignore[empty-body]
    """Offer sources of queries.

    Smallest example: plugins/fiber_audit_color_mnist/dataset.py.
    """


@hookspec
def fiber_audit_exporters() -> Mapping[str, Callable[..., Exporter]]:  # type: ignore[empty-body]
    """Offer formats for other tools.

    Smallest example: plugins/fiber_audit_dashboards/csv_long.py.
    """


@hookspec
def fiber_audit_executors() -> Mapping[str, Callable[..., Executor]]:  # type: ignore[empty-body]
    """Offer places to compute: processes here, or machines elsewhere.

    Smallest example: plugins/fiber_audit_local.
    """
