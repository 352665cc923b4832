"""Attributes in suites: found by name, told when wrong, part of what is observed, checked."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import nn

from fiber_audit._suite.read import read
from fiber_audit.check.attribute import CHECKS, DECLARED, check_attribute
from fiber_audit.contracts import Attribute
from fiber_audit.errors import SuiteError

FIRST = "{ use = 'invariance', attributes = ['first', 'last'] }"
TABLES = """
[attributes.first]
use = "column"
index = 0
[attributes.last]
use = "column"
index = 3
"""


def suite_with(toy_suite, metrics=FIRST, more=TABLES):
    path = toy_suite(more)
    path.write_text(path.read_text().replace('["toy_loss"]', f'["toy_loss", {metrics}]'))
    return path


def pooled(folder):
    records = pd.read_csv(folder / "records.csv")
    mine = records[records["query"].isna() & (records["metric"] == "invariance")]
    return mine.set_index("statistic")["value"]


def test_a_network_of_two_columns_pins_these_and_ignores_the_others(toy_suite, command, tmp_path):
    suite_with(toy_suite)
    done = command("run", "toy.toml", "--out", "run", "--set", "queries.n=50")

    assert done.returncode == 0, done.stderr
    found = pooled(tmp_path / "run")
    assert found["first"] < 0.01
    assert found["last"] == pytest.approx(1, abs=0.25)  # of fewer steps than unguided ones
    (said,) = [line for line in done.stderr.splitlines() if "two ignores last" in line]
    assert said.endswith("and pins first (0 % [0, 0]).")
    assert said.split(": ")[-1] in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ("{ use = 'invariance', attributes = ['firts'] }", "Did you mean 'first'"),
        ("{ use = 'invariance', attributes = ['column'] }", "attributes.column.index: this option"),
        ("{ use = 'invariance', attributes = 'first' }", "attributes = 'first': Input should be"),
        ("{ use = 'invariance' }", "attributes: this option is required"),
        ("{ use = 'invariance', attributes = [3] }", "attributes = [3]: Input should be"),
    ],
)
def test_what_is_wrong_with_the_names_is_told_before_anything_runs(
    toy_suite, toy_catalogue, metrics, told
):
    with pytest.raises(SuiteError) as caught:
        read(str(suite_with(toy_suite, metrics)), toy_catalogue)

    assert any(told in problem for problem in caught.value.problems), caught.value.problems


def test_a_catalogue_s_attribute_needs_no_table_and_may_be_named_in_full(toy_suite, toy_catalogue):
    for name in ("contrast", "attributes/contrast"):
        metrics = f"{{ use = 'invariance', attributes = ['{name}'] }}"
        assert read(str(suite_with(toy_suite, metrics, "")), toy_catalogue)


def test_another_option_of_an_attribute_is_observed_anew_and_nothing_is_drawn(
    toy_suite, command, tmp_path
):
    suite_with(toy_suite)
    before = command("run", "toy.toml", "--out", "run")
    assert before.returncode == 0, before.stderr
    asked = ("run", "toy.toml", "--out", "run", "--dry-run", "--set", "attributes.last.index=2")

    plan = command(*asked)
    assert "0 of 15 to draw, 15 to observe" in plan.stdout
    assert command(*asked[:4]).returncode == 0
    assert "0 of 15 to draw" in command("run", "toy.toml", "--out", "run", "--dry-run").stdout


def test_an_attribute_that_cannot_read_costs_its_metric_only(toy_suite, command, tmp_path):
    metrics = "{ use = 'invariance', attributes = ['contrast'] }"
    suite_with(toy_suite, metrics, "")
    done = command("run", "toy.toml", "--out", "run")

    assert done.returncode == 3
    records = pd.read_csv(tmp_path / "run" / "records.csv")
    assert "use 'column' for tables" in records[records["status"] == "error"]["message"].iloc[0]
    assert (records[records["metric"] == "toy_loss"]["status"] == "ok").all()


class Mean(Attribute):
    """A good attribute; each subclass below breaks one promise."""

    def read(self, x):
        return x.flatten(1).double().mean(1)


class Odd(Mean):
    kind = "share"


class Boasts(Mean):
    accuracy = 1.5


class Unmeasured(Mean):
    def __init__(self):
        self.network = nn.Linear(3, 1).eval()


class Trains(Mean):
    accuracy, weights_sha256 = 0.9, "0" * 64

    def __init__(self):
        self.network = nn.Linear(3, 1)


class Flat(Mean):
    def read(self, x):
        return x.mean()[None]


class Whole(Mean):
    kind = "class"


class Coupled(Mean):
    def read(self, x):
        return super().read(x) - super().read(x).mean()


class Fickle(Mean):
    def read(self, x):
        return super().read(x) + torch.rand(len(x))


class Destroys(Mean):
    def read(self, x):
        return super().read(x.mul_(2))


class Lost(Mean):
    def read(self, x):
        return super().read(x) * float("nan")


MUTANTS = {
    Odd: "declares",
    Boasts: "declares",
    Unmeasured: "learned",
    Trains: "learned",
    Flat: "shape",
    Whole: "shape",
    Lost: "shape",
    Coupled: "alone",
    Fickle: "stable",
    Destroys: "stable",
}


def test_a_good_attribute_keeps_its_contract():
    assert check_attribute(Mean()) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_broken_promise_has_a_name(mutant):
    assert MUTANTS[mutant] in {violation.name for violation in check_attribute(mutant())}


def test_every_check_is_tried_by_a_mutant():
    assert {*DECLARED, *CHECKS} == {*MUTANTS.values()}
