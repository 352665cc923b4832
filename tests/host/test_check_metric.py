"""Checks of both halves of metrics: each way to break the contract has its name."""

# ruff: noqa: NPY002 the global random numbers are what is tested

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiber_audit.check import check_metric
from fiber_audit.check.metric import CHECKS, DECLARED
from fiber_audit.contracts import Metric, Needs, Statistic
from fiber_audit.measuring import measured, per_query, undefined
from fiber_audit.testing import image_audit, table_audit


def names(found):
    return {violation.name for violation in found}


class Loss(Metric):
    """A good metric: RMS distance of each draw to its target; the bad ones break one promise."""

    axis, better = "fidelity", "lower"

    def observe(self, block):
        gap = block.features() - block.targets
        return {"loss": gap.square().mean(dim=1).sqrt()}

    def summarise(self, seen):
        loss = seen.draws("loss")
        return [measured("mean", loss), *per_query(seen.ids, loss)]

    def suspicious(self, seen):
        return seen.draws("loss") > 10


class Says(Metric):
    """A metric that says what it is given."""

    axis, better = "fidelity", "lower"

    def __init__(self, found):
        self.found = found

    def summarise(self, seen):
        return self.found() if callable(self.found) else self.found


class WithoutAxis(Loss):
    axis = "speed"


class WithoutDirection(Metric):
    axis = "fidelity"

    def summarise(self, seen):
        return [Statistic(1.0)]


class WithUnit(Loss):
    unit = None


class Unknown(Loss):
    needs = Needs(parts=("draws", "pictures"))


class Summed(Loss):
    def observe(self, block):
        return {"loss": super().observe(block)["loss"].sum()[None]}


class Centred(Loss):
    def observe(self, block):
        loss = super().observe(block)["loss"]
        return {"loss": loss - loss.mean()}


class SeesNaN(Loss):
    def observe(self, block):
        return {"loss": super().observe(block)["loss"] * 0 / 0}

    def summarise(self, seen):
        return [undefined("mean", "nothing")]


class PlainMean(Loss):
    def summarise(self, seen):
        return [Statistic(float(seen.draws("loss").mean()))]


class Insists(Loss):
    def summarise(self, seen):
        assert not np.isnan(seen.draws("loss")).any()
        return super().summarise(seen)


class OfQueries(Loss):
    """Fine with one draw lost, not with a query that lost all of its own."""

    def summarise(self, seen):
        rows = np.nan_to_num(seen.draws("loss"), nan=-1.0)
        shares = 1 / (rows >= 0).sum(axis=1) if (rows >= 0).any(1).all() else [float("nan")]
        return [Statistic(float(np.mean(shares)))]


class FlagsRows(Loss):
    def suspicious(self, seen):
        return (seen.draws("loss") > 10).ravel()


class FlagsNumbers(Loss):
    def suspicious(self, seen):
        return seen.draws("loss")


class Crashes(Loss):
    def observe(self, block):
        raise TypeError("expected uint8")


class Leaves(Loss):
    def summarise(self, seen):
        raise SystemExit(0)


def test_a_good_metric_has_no_violation():
    assert check_metric(Loss()) == []
    assert check_metric(Loss(), image_audit()) == []


def test_a_metric_of_images_is_tried_on_images():
    class OfImages(Loss):
        def observe(self, block):
            assert block.data.ndim == 4, "images only"
            return super().observe(block)

    assert check_metric(OfImages()) == []
    (violation,) = check_metric(OfImages(), table_audit())
    assert "images only" in violation.message


def test_numbers_that_are_right_have_no_violation():
    found = [
        Statistic(1.0, ci_low=0.5, ci_high=1.5),
        Statistic(1.0, query="row-0"),
        Statistic(1.0, seen_by="another"),
        Statistic(None, "floor", message="too few"),
    ]

    assert check_metric(Says(found)) == []


BAD = [
    (Says([Statistic(1.0, query="row-0")]), "headline"),
    (Says([Statistic(1.0, "a"), Statistic(1.0, "b")]), "headline"),
    (Says([Statistic(1.0), Statistic(1.0)]), "unique"),
    (Says([Statistic(float("nan"))]), "finite"),
    (Says([Statistic(1.0, stderr=float("inf"))]), "finite"),
    (Says([Statistic(None)]), "empty"),
    (Says([Statistic(1.0, ci_low=2.0, ci_high=1.0)]), "interval"),
    (Says([Statistic(1.0, ci_low=0.5)]), "interval"),
    (Says([Statistic(1.0), Statistic(1.0, query="nobody")]), "queries"),
    (Says(lambda: [Statistic(float(torch.rand(())))]), "deterministic"),
    (Says(lambda: [Statistic(np.random.rand())]), "deterministic"),
    (Says(lambda: 1 / 0), "call"),
    (Crashes(), "call"),
    (Leaves(), "call"),
    (Summed(), "call"),
    (WithoutAxis(), "declares"),
    (WithoutDirection(), "declares"),
    (WithUnit(), "declares"),
    (Unknown(), "needs"),
    (Centred(), "in-blocks"),
    (SeesNaN(), "observed"),
    (PlainMean(), "lost"),
    (Insists(), "lost"),
    (OfQueries(), "lost"),
    (FlagsRows(), "suspicious"),
    (FlagsNumbers(), "suspicious"),
]


@pytest.mark.parametrize(("bad", "name"), BAD, ids=lambda value: getattr(value, "name", None))
def test_a_bad_metric_is_found_by_name_in_one_sentence(bad, name):
    found = check_metric(bad)

    assert name in names(found)
    for violation in found:
        assert "\n" not in violation.message
        assert violation.message.endswith(".")


def test_every_check_of_a_metric_is_tripped_by_some_bad_one():
    assert {*DECLARED, *CHECKS} <= {name for _, name in BAD}
