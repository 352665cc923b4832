"""Laws of the blind-spot metrics, their matrix and their heat map on a world in closed form."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from fiber_audit_fid.blind_spot_matrix import blind_spot_matrix
from fiber_audit_fid.blind_spot_metrics import BlindSpot, BlindSpotScore
from fiber_audit_fid.set_metrics import Frechet

from fiber_audit.contracts import Statistic
from fiber_audit.errors import UsageError
from fiber_audit.records import frame, read_csv
from fiber_audit.testing import check_metric

world = runpy.run_path(str(Path(__file__).with_name("fid_world.py")))["world"]
FIRST = {"relative": "measured_by", "frechet": "frechet_by", "unguided": "unguided_by"}


def row_of(seen, *measured_by: str) -> dict[tuple[str, str], Statistic]:
    return {(s.name, s.seen_by): s for s in BlindSpot(measured_by=[*measured_by]).summarise(seen)}


def score_of(seen, *measured_by: str) -> dict[str, Statistic]:
    return {s.name: s for s in BlindSpotScore(measured_by=[*measured_by]).summarise(seen)}


def test_the_score_keeps_the_contract_of_metrics():
    assert check_metric(BlindSpotScore(measured_by=["b"])) == []


def test_a_network_hides_what_it_pinned_and_others_still_see():
    found, scores = row_of(world(), "a", "b"), score_of(world(), "a", "b")

    assert found["relative", "b"].value == pytest.approx(1)
    assert found["relative", "a"].ci_high < found["relative", "b"].ci_low
    assert found["hidden", "b"].value == pytest.approx(1 - found["relative", "a"].value)
    assert scores["mean"].value == pytest.approx(1 - found["relative", "a"].value)
    assert scores["mean"].ci_low > 0.5
    assert scores["confidence"].value > 0.99
    assert scores["confidence"].message == "hides"
    assert "a sees" in scores["mean"].message
    assert "it hides" in scores["mean"].message


def test_with_one_other_network_the_score_is_what_is_hidden_from_it():
    hidden, score = row_of(world(), "b")["hidden", "b"], score_of(world(), "b")["mean"]

    assert (hidden.value, hidden.ci_low, hidden.ci_high) == (
        score.value,
        score.ci_low,
        score.ci_high,
    )


def test_raw_distances_stand_beside_the_shares():
    found = row_of(world(), "b")
    share = found["frechet", "a"].value / found["unguided", "a"].value
    distance = {s.name: s.value for s in Frechet().summarise(world())}

    assert found["relative", "a"].value == pytest.approx(share)
    assert found["frechet", "a"].value == pytest.approx(distance["mean"])
    assert found["unguided", "a"].value == pytest.approx(distance["unguided"])
    assert found["frechet", "a"].unit == "squared features"


def test_unguided_draws_score_zero_exactly_also_where_some_were_lost():
    free = np.concatenate([world().features("unguided", name) for name in ("a", "b")], axis=2)
    for lost in ([], [(0, 1), (5, 0), (9, 0)]):
        scores = score_of(world(draws=free, lost=lost), "b")

        assert scores["mean"].value == 0
        assert scores["confidence"].message == "hides nothing"


def test_a_network_that_sees_more_than_the_others_hides_nothing():
    found = score_of(world(seen=1.0, unseen=0.1), "b")

    assert found["mean"].ci_high < 0
    assert found["confidence"].message == "hides nothing"


def test_an_absent_network_costs_its_own_column():
    found = row_of(world(), "clip", "b")

    assert found["relative", "clip"].value is None
    assert "weights are absent" in found["relative", "clip"].message
    assert found["relative", "b"].value is not None
    assert score_of(world(), "clip", "b") == score_of(world(), "b")


def test_a_network_that_sees_nothing_costs_its_own_column():
    seen = world()
    for part in ("queries", "draws", "unguided"):
        seen.features(part, "twin")[...] = 1.0
    found = row_of(seen, "twin", "b")

    assert found["relative", "twin"].value is None
    assert "twin sees no difference" in found["relative", "twin"].message
    assert found["hidden", "b"].value is not None


def test_the_same_network_under_another_name_is_no_witness():
    scores = score_of(world(), "twin")

    assert scores["mean"].value is None
    assert "no other network" in scores["mean"].message
    assert ("relative", "twin") not in row_of(world(), "twin")


def test_lost_draws_are_left_out_and_told_and_none_left_is_no_number():
    found = row_of(world(lost=[(0, 0), (4, 1)]), "b")
    everything = [(i, j) for i in range(60) for j in range(2)]

    assert found["relative", "a"].message == "2 of 120 draws were lost and are left out"
    assert found["relative", "a"].ci_high < found["relative", "b"].ci_low
    for metric in (BlindSpot, BlindSpotScore):
        (only,) = metric(measured_by=["b"]).summarise(world(lost=everything))
        assert only.value is None
        assert "draws left" in only.message


def test_one_query_is_refused_in_one_sentence():
    with pytest.raises(UsageError, match="1 query: a Fréchet distance needs at least 2"):
        score_of(world(n=1), "b")


def two_audits(first_schema: bool = False):
    """Records of audits guided by a and by b, or as the first schema had them."""
    rows = []
    for guide, shares in (("a", (0.1, 1.0)), ("b", (1.0, 0.1))):
        seen = world(seen=shares[0], unseen=shares[1], audited=guide)
        for s in BlindSpot(measured_by=["a", "b"]).summarise(seen):
            if first_schema and s.name not in FIRST:
                continue
            row = {
                "audit": seen.audit, "extractor": guide, "prior": "gauss", "sampler": "toy",
                "metric": "blind_spot", "value": s.value, "ci_low": s.ci_low, "ci_high": s.ci_high,
            }  # fmt: skip
            if first_schema:
                rows.append(row | {"statistic": f"{FIRST[s.name]}:{s.seen_by}"})
            else:
                rows.append(row | {"statistic": s.name, "seen_by": s.seen_by})
    return frame(rows)


def test_the_matrix_of_two_audits_has_its_own_view_on_the_diagonal():
    shares, raw = blind_spot_matrix(two_audits()), blind_spot_matrix(two_audits(), "frechet")

    assert list(shares.index) == ["a/gauss/toy", "b/gauss/toy"]
    assert sorted(shares.columns) == ["a", "b"]
    assert shares.loc["a/gauss/toy", "a"] < 0.2 < 0.9 < shares.loc["a/gauss/toy", "b"]
    assert shares.loc["b/gauss/toy", "b"] < 0.2 < 0.9 < shares.loc["b/gauss/toy", "a"]
    assert list(raw.index) == ["unguided/gauss", "a/gauss/toy", "b/gauss/toy"]
    assert (raw.loc["unguided/gauss"] > 0).all()
    assert blind_spot_matrix(two_audits(), "hidden").loc["a/gauss/toy", "b"] > 0.5


@pytest.mark.parametrize("statistic", ["relative", "frechet"])
def test_a_file_of_the_first_schema_gives_the_same_matrix(statistic, tmp_path):
    """It had the measuring network behind a colon: "measured_by:b"."""
    first = two_audits(first_schema=True)
    first.drop(columns="seen_by").assign(schema_version=1).to_csv(tmp_path / "old.csv", index=False)
    expected = blind_spot_matrix(two_audits(), statistic)
    found = blind_spot_matrix(read_csv(tmp_path / "old.csv"), statistic)

    assert found.loc[expected.index, expected.columns].equals(expected)


def test_the_heat_map_shows_shares_with_intervals_distances_and_an_outlined_diagonal():
    records = two_audits()
    (table,) = BlindSpot(measured_by=["a", "b"]).exhibits(records)
    shares = blind_spot_matrix(records)
    (nothing, free), (first, of_a), (second, of_b) = table.rows
    value, interval, distance = of_a[0].split("\n")

    assert table.title == "Blind spots: gauss / toy"
    assert table.columns == (first, second) == ("a", "b")
    assert nothing == "nothing (unguided)"
    assert all(cell.startswith("1\nFD ") for cell in free)
    assert float(value) == pytest.approx(shares.loc["a/gauss/toy", "a"], rel=1e-2)
    assert " to " in interval
    assert distance.startswith("FD ")
    assert table.marked == ((1, 0), (2, 1))
    assert table.links == {"a": "a/gauss/toy", "b": "b/gauss/toy"}
    assert table.shades[0] == (None, None)
    assert sorted(shade for row in table.shades[1:] for shade in row)[::3] == [0.0, 1.0]
    assert of_b[1] != of_a[1]


def test_runs_without_blind_spots_have_no_heat_map_and_a_missing_column_is_an_empty_cell():
    records = two_audits()
    metric = BlindSpot(measured_by=["b"])
    gone = (records["extractor"] == "a") & (records["seen_by"] == "b")
    (table,) = metric.exhibits(records[~gone])

    assert list(metric.exhibits(frame([]))) == []
    assert table.rows[1][1][table.columns.index("b")] == ""
    assert table.shades[1][table.columns.index("b")] is None
