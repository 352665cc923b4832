"""Laws of brittle and diagnostics: an adversarial pattern is found out, an invariance is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fiber_audit_scoring.brittle import Brittle
from fiber_audit_scoring.diagnostics import Diagnostics
from fiber_audit_scoring.invisible import CHANGES
from torch import nn

from fiber_audit.check.audits import Lossless
from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import LinearExtractor, check_metric, measure, seen_in, table_audit

Q, K, SIDE, GAIN = 12, 4, 16, 12


class Seen(LinearExtractor):
    """It sees the mean colour, and how much of one chessboard is in the picture, times ten."""

    def __init__(self):
        row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
        self.board = (1.0 - 2 * ((row + column) % 2)).expand(3, -1, -1)
        board = GAIN * self.board / self.board.numel()
        means = torch.eye(3)[:, :, None, None].expand(-1, -1, SIDE, SIDE) / SIDE**2
        super().__init__((torch.stack([*means, board])).flatten(1))

    def features(self, x):
        return super().features(x.flatten(1))


def blocky(n, seed):
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand((n, 3, 4, 4), generator=g)
    return 0.1 + 0.8 * nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear")


def scene(make_draws):
    """Draws are made of the rows of their queries, and of other pictures."""
    phi, queries = Seen(), blocky(Q, 1)
    rows = queries.repeat_interleave(K, 0)
    return Scene(
        ids=tuple(f"q{i}" for i in range(Q)),
        queries=queries,
        labels=None,
        extractor=phi,
        prior=Lossless((3, SIDE, SIDE), (0.0, 1.0)),
        dataset=None,
        named={}.__getitem__,
        draws=make_draws(phi, rows, blocky(Q * K, 2)),
        unguided=blocky(Q * K, 3),
    )


def invariant(phi, rows, others):
    """Another picture with the query's mean colour and board, which is all that phi sees of it."""
    shift = phi.features(rows) - phi.features(others)
    return others + shift[:, :3, None, None] + shift[:, 3, None, None, None] / GAIN * phi.board


class Fooled(Seen):
    """To it a faint chessboard is as good as a colour."""

    def features(self, x):
        seen = super().features(x)
        return seen[:, :3] + seen[:, 3:]


def pooled(metric, audit):
    return {s.name: s for s in measure(metric, audit) if s.query is None}


def adversarial():
    """Unguided gray pictures with a faint board that the network takes for the query's gray."""
    audit = scene(lambda phi, rows, others: rows)
    phi = Fooled()
    gray = audit.queries.mean((2, 3), keepdim=True).mean(1, keepdim=True).expand_as(audit.queries)
    queries, free = (
        gray.clone(),
        audit.unguided.mean((1, 2, 3), keepdim=True).expand_as(audit.unguided),
    )
    wanted = phi.features(queries.repeat_interleave(K, 0)) - phi.features(free)
    draws = free + wanted.mean(1)[:, None, None, None] / GAIN * phi.board
    return replace(audit, extractor=phi, queries=queries, unguided=free, draws=draws)


def test_a_draw_that_shows_something_else_and_is_on_the_fiber_stays_there():
    audit = scene(invariant)
    found = pooled(Brittle(), audit)

    assert found["before"].value < 0.05
    assert found["mean"].value < 0.1
    assert not Brittle().suspicious(seen_in(Brittle(), audit)).any()
    assert not found["mean"].message


def test_a_picture_with_a_pattern_that_the_network_answers_to_is_found_out():
    audit = adversarial()
    found = pooled(Brittle(), audit)
    flags = Brittle().suspicious(seen_in(Brittle(), audit))

    assert found["before"].value < 0.01
    assert found["mean"].ci_low > 5 * found["queries"].value
    assert found["undone"].value > 0.5
    assert found["resize"].value > 5 * found["eight_bits"].value
    assert flags.mean() > 0.7
    assert f"{flags.sum()} of 48 draws leave the fiber" in found["mean"].message


def test_a_draw_that_was_never_near_the_fiber_is_not_brittle():
    audit = scene(lambda phi, rows, others: others)
    assert not Brittle().suspicious(seen_in(Brittle(), audit)).any()


def test_the_changes_are_invisible_and_the_same_in_any_block():
    x = blocky(3, 5)
    for change in CHANGES.values():
        changed = change(x, 0.0, 1.0)
        assert 0 < float((changed - x).square().mean().sqrt()) < 0.03
        torch.testing.assert_close(change(x[1:2], 0.0, 1.0), changed[1:2])
        scaled = change(2 * x - 1, -1.0, 1.0)
        assert float((scaled - (2 * x - 1)).abs().max()) < 0.3


def test_eight_bits_change_nothing_of_what_has_eight_bits():
    x = (blocky(2, 1) * 255).round() / 255
    torch.testing.assert_close(CHANGES["eight_bits"](x, 0.0, 1.0), x)


def test_tables_have_no_invisible_change_and_a_reason():
    (found,) = measure(Brittle(), table_audit())
    assert found.value is None
    assert "only for images" in found.message
    assert Brittle().suspicious(seen_in(Brittle(), table_audit())) is None


def reported(**rows):
    audit = table_audit()
    n = len(audit.draws)
    return replace(
        audit, diagnostics={name: torch.as_tensor(x) * torch.ones(n) for name, x in rows.items()}
    )


def test_all_that_a_sampler_reports_reaches_the_records_under_its_name():
    n = len(table_audit().draws)
    audit = reported(saturation=0.0, stretch=torch.arange(n) / n, ess=2.0)
    found = pooled(Diagnostics(), audit)

    assert found["stretch"].value == pytest.approx((n - 1) / n / 2)
    assert found["stretch_most"].value == pytest.approx((n - 1) / n)
    assert found["stretch_median"].value == pytest.approx((n - 1) / n / 2)
    assert found["ess"].value == found["mean"].value == 2
    assert found["mean"].message == "this is ess"
    assert found["saturation"].value == 0
    assert len([s for s in measure(Diagnostics(), audit) if s.query is not None]) == len(audit.ids)


def test_a_sampler_that_says_nothing_has_a_reason():
    (found,) = measure(Diagnostics(), table_audit())
    assert "reports nothing" in found.message


def test_lost_draws_are_left_out_of_the_diagnostics():
    n = len(table_audit().draws)
    audit = reported(stretch=torch.where(torch.arange(n) == 1, 100.0, 1.0))
    found = {s.name: s for s in measure(Diagnostics(), audit, lost=[1]) if s.query is None}
    assert found["stretch"].value == found["stretch_most"].value == 1
    assert found["stretch"].n == n - 1


def test_the_metrics_keep_their_contracts():
    assert check_metric(Brittle(), scene(invariant)) == []
    assert check_metric(Diagnostics(), reported(saturation=0.0, stretch=1.0)) == []


def test_the_floor_of_off_manifold_makes_invisible_distances_one():
    from fiber_audit_scoring.off_manifold import OffManifold

    class Nearly(Lossless):
        lossless = False

        def decode(self, state):
            return state.round(decimals=3)

    audit = scene(lambda phi, rows, others: others)
    smooth = replace(
        audit,
        prior=Nearly((3, SIDE, SIDE), (0.0, 1.0)),
        unguided=audit.unguided.round(decimals=3) + 5e-5,
    )
    found = pooled(OffManifold(), smooth)

    assert found["draws"].value > 5 * found["unguided"].value
    assert found["mean"].value == pytest.approx(1)
    assert np.isclose([s.value for s in measure(OffManifold(), smooth) if s.query], 1).all()
