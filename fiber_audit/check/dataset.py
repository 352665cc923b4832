"""Does a dataset keep its contract?"""

from __future__ import annotations

import torch

from ..contracts import Dataset
from .violation import Checks, Violation, violations


def check_dataset(dataset: Dataset) -> list[Violation]:
    """What is wrong with a dataset; an empty list where nothing is."""
    return violations(CHECKS, dataset)


def _queries(d: Dataset) -> str | None:
    found = d.queries()
    if not len(found.data) == len(found.ids) == len(set(found.ids)):
        return (
            f"{len(found.data)} queries have {len(set(found.ids))} distinct ids; "
            f"give every query an id of its own."
        )
    if tuple(found.data.shape[1:]) != tuple(d.data_shape):
        return f"queries are {tuple(found.data.shape[1:])} each, but data_shape is {d.data_shape}."
    if found.labels is not None and len(found.labels) != len(found.data):
        return f"{len(found.labels)} labels for {len(found.data)} queries; give each one, or None."
    return None


def _dtype(d: Dataset) -> str | None:
    data = d.queries().data
    if data.dtype != torch.float32:
        return f"queries are {data.dtype}; return float32, images divided by 255."
    return None


def _range(d: Dataset) -> str | None:
    data = d.queries().data
    if not data.isfinite().all():
        return "queries are not all finite; leave such rows out."
    if data.ndim == 4 and not (float(data.min()) >= 0 and float(data.max()) <= 1):
        ends = f"[{float(data.min()):.3g}, {float(data.max()):.3g}]"
        return f"images are in {ends}; data space is [0, 1]."
    return None


def _stable(d: Dataset) -> str | None:
    first, second = d.queries(), d.queries()
    if first.ids != second.ids or not torch.equal(first.data, second.data):
        return "two calls give other queries; return the same ones in the same order."
    return None


def _reference(d: Dataset) -> str | None:
    drawn = [d.reference(3, torch.Generator().manual_seed(0)) for _ in range(2)]
    if drawn[0] is None or drawn[1] is None:
        return None
    if tuple(drawn[0].shape) != (3, *d.data_shape):
        return f"reference(3) is {tuple(drawn[0].shape)}, not {(3, *d.data_shape)}."
    if not torch.equal(drawn[0], drawn[1]):
        return "reference() with the same generator differs; draw from the generator it is given."
    return None


CHECKS: Checks[Dataset] = {
    "queries": _queries,
    "dtype": _dtype,
    "range": _range,
    "stable": _stable,
    "reference": _reference,
}
