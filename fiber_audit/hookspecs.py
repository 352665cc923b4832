"""THE MAP: every hook of fiber-audit.

A plugin is a module (or object) registered in the entry-point group ``fiber_audit``:

    [project.entry-points.fiber_audit]
    brightness = "fiber_audit_brightness"

Each hook is called once, before a suite is read, and returns ``{name: "module:Class"}``. Its body
is one ``return`` and must not import torch: the class is imported when a suite asks for it, so that
listing plugins is instant. The keyword arguments of the class, with their types, are the options
that a suite may set. A function may stand in place of the text: ``{name: factory}``.
A name offered by two plugins is written ``plugin/name``; the bare name is then an error that names
both. A plugin that fails to import costs only itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .contracts import Offers

GROUP = "fiber_audit"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def fiber_audit_extractors() -> Offers:  # type: ignore[empty-body]
    """Offer networks to audit.

    Smallest example: examples/fiber_audit_brightness, a plugin of one file.
    """


@hookspec
def fiber_audit_priors() -> Offers:  # type: ignore[empty-body]
    """Offer generative models of the data: diffusion or flow matching, pixel or latent.

    Smallest example: plugins/fiber_audit_color_mnist/priors.py.
    """


@hookspec
def fiber_audit_samplers() -> Offers:  # type: ignore[empty-body]
    """Offer ways to draw from a prior restricted to a fiber.

    Smallest example: plugins/fiber_audit_ndtm.
    """


@hookspec
def fiber_audit_metrics() -> Offers:  # type: ignore[empty-body]
    """Offer measures of draws, each on one axis: fidelity, consistency, diversity or health.

    Smallest example: plugins/fiber_audit_scoring/saturation.py.
    """


@hookspec
def fiber_audit_attributes() -> Offers:  # type: ignore[empty-body]
    """Offer properties of an input that have a name, and the probes that read them.

    Smallest example: plugins/fiber_audit_attributes/brightness.py.
    """


@hookspec
def fiber_audit_datasets() -> Offers:  # type: ignore[empty-body]
    """Offer sources of queries.

    Smallest example: plugins/fiber_audit_color_mnist/dataset.py.
    """


@hookspec
def fiber_audit_exporters() -> Offers:  # type: ignore[empty-body]
    """Offer formats for other tools.

    Smallest example: plugins/fiber_audit_dashboards/csv_long.py.
    """


@hookspec
def fiber_audit_executors() -> Offers:  # type: ignore[empty-body]
    """Offer places to compute: processes here, or machines elsewhere.

    Smallest example: plugins/fiber_audit_local.
    """
