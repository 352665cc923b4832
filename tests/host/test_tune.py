import json
import math
import tomllib
from pathlib import Path

import pytest
import torch

from fiber_audit._run import Options
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import parse
from fiber_audit.contracts import Count, Executor, Fraction, Metric, Positive
from fiber_audit.errors import UsageError
from fiber_audit.measuring import measured
from fiber_audit.testing import GaussianPrior, LinearExtractor
from fiber_audit.tune import Budget, Trial, best, bounds_of, front, narrowed, tune, values

TOY = Path(__file__).parent / "toy.py"


class InProcess(Executor):
    def map(self, work, pieces):
        for piece in pieces:
            yield piece, work(piece)


def trial(value, fidelity, consistency, seconds=1.0, evaluations=10.0):
    return Trial(value, fidelity, consistency, evaluations, seconds)


CURVE = [trial(v, 1 / v, 0.01 * v) for v in (1, 2, 4, 8, 16)]


def test_only_trials_that_nothing_beats_are_on_the_front():
    bad = trial(32, 0.5, 0.9)

    assert front([*CURVE, bad]) == CURVE
    assert front(CURVE[:1]) == CURVE[:1]


def test_with_a_goal_the_most_consistent_that_reaches_it_wins():
    assert best(CURVE, goal=0.26).value == 4
    assert best(CURVE, goal=1e-9).value == 16


def test_the_search_brackets_first_and_then_closes_in_on_the_best():
    found = []
    for _ in range(12):
        v = values(0.5, 50, found, goal=0.1)  # fidelity 1 / v reaches 0.1 at v = 10
        found.append(trial(v, 1 / v, 0.01 * v))

    assert {0.5, 50} <= {round(t.value, 6) for t in found}
    assert 10 <= best(found, goal=0.1).value < 11.5
    assert len({t.value for t in found}) == 12


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(seconds=9), 2),
        (Budget(evaluations=35), 3),
        (Budget(trials=5), 5),
        (Budget(trials=1), 1),
        (Budget(evaluations=15), 1),
        (Budget(seconds=0), 1),  # what a trial costs is known after the first
    ],
)
def test_a_budget_is_not_passed(budget, allowed):
    made = []
    while budget.allows_another(made, draws=4):
        made.append(trial(len(made) + 1, 1, 1))

    assert len(made) == allowed


class Spread(Metric):
    axis, better = "consistency", "lower"

    def observe(self, block):
        return {"data": block.data}

    def summarise(self, seen):
        far = seen.observed["draws", "data"] - seen.observed["unguided", "data"]
        yield measured("mean", (far**2).mean(axis=-1))


@pytest.fixture
def world(tmp_path):
    """(trials of a number of them, how many extractors and priors were made) in the toy world."""
    made = []

    def extractor():
        made.append("extractor")
        return LinearExtractor(torch.eye(4)[:2])

    def prior():
        made.append("prior")
        return GaussianPrior(torch.zeros(4), torch.eye(4))

    catalogue = Catalogue.load(extra=[str(TOY)], autoload=False)
    for kind, factory in (("extractor", extractor), ("prior", prior), ("metric", Spread)):
        catalogue.add(kind, factory.__name__.lower(), factory)
    catalogue.add("executor", "local", InProcess)

    def trials(count, draws=2, **options):
        suite = parse(
            {
                "name": "toy",
                "draws": draws,
                "metrics": ["toy_loss", "spread"],
                "queries": {"use": "toy-points"},
                "extractors": {"extractor": {}},
                "priors": {"prior": {}},
                "samplers": {"toy-projecting": options},
            },
            catalogue,
        )
        narrow = narrowed(suite, "toy-projecting", None, None)
        budget = Budget(trials=count)
        return list(
            tune(
                narrow,
                catalogue,
                "toy-projecting",
                "strength",
                (0.25, 2),
                budget,
                Options(tmp_path),
            )
        )

    return trials, made


def test_trials_share_networks_and_data(world):
    trials, made = world

    found = trials(5)

    assert len({t.value for t in found}) == 5
    assert all(math.isfinite(t.fidelity) for t in found)
    assert made == ["prior", "extractor"]


def test_a_trial_that_loses_draws_is_beaten_by_all_others(world):
    trials, _ = world

    found = trials(2, diverge_at=1)

    assert [t.fidelity for t in found] == [math.inf, math.inf]
    assert found[0].message == "1 of 10 draws were lost"
    assert found[0].evaluations > 0


CONSISTENCY = """
from fiber_audit import hookimpl
from fiber_audit.contracts import Metric
from fiber_audit.measuring import measured

class Spread(Metric):
    axis, better, unit = "consistency", "lower", ""
    def observe(self, block):
        return {"data": block.data}
    def summarise(self, seen):
        far = seen.observed["draws", "data"] - seen.observed["unguided", "data"]
        yield measured("mean", (far**2).mean(axis=-1))

@hookimpl
def fiber_audit_metrics():
    return {"spread": Spread}
"""


def test_the_command_prints_a_snippet_that_a_suite_can_hold(command, toy_suite, pageless, tmp_path):
    (tmp_path / "spread.py").write_text(CONSISTENCY)
    text = toy_suite().read_text().replace('["toy_loss"]', '["toy_loss", "spread"]')
    (tmp_path / "toy.toml").write_text(text)
    common = ["tune", "proj", "--suite", "toy.toml", "--plugin", "spread.py", "--low", "0.25",
              "--high", "2", "--goal", "0.2", "--trials", "6"]  # fmt: skip
    done = command(*common)
    data = json.loads(command(*common, "--json").stdout)

    assert done.returncode == 0, done.stderr
    snippet = tomllib.loads(done.stdout)["samplers"]["proj"]
    assert snippet["use"] == "toy/toy-projecting"
    assert snippet["strength"] == pytest.approx(data["best"]["value"], rel=1e-3)
    assert data["best"]["fidelity"] <= 0.2
    assert all(math.isfinite(t["consistency"]) for t in data["front"])


def test_the_snippet_holds_all_that_was_tuned(command, toy_suite, tmp_path):
    (tmp_path / "spread.py").write_text(CONSISTENCY)
    text = toy_suite().read_text().replace('["toy_loss"]', '["toy_loss", "spread"]')
    (tmp_path / "toy.toml").write_text(text)
    done = command("tune", "proj", "--suite", "toy.toml", "--plugin", "spread.py", "--trials", "1",
                   "--high", "1", "--set", "samplers.proj.strength=0.5")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert set(tomllib.loads(done.stdout)["samplers"]["proj"]) == {"use", "strength"}
    assert len(done.stderr.strip().splitlines()) == 2  # one trial, the front


def test_the_range_ends_where_the_option_does_and_never_leaves_it():
    def share(*, strength: Fraction = 1.0): ...

    def open_ended(*, strength: Positive = 1.0, steps: Count = 5): ...

    assert bounds_of(share, "strength", None, None) == (0.1, 1.0)
    assert bounds_of(open_ended, "strength", None, None) == (0.1, 20.0)
    with pytest.raises(UsageError, match="less than or equal to 1"):
        bounds_of(share, "strength", 0.5, 2.0)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nobody"], "SAMPLER = 'nobody'"),
        (["proj", "--option", "strenth"], "Did you mean 'strength'"),
        (["proj", "--low", "3", "--high", "2"], "low must be below high"),
        (["proj", "--extractor", "x"], "--extractor 'x'"),
        (["proj"], "none has the axis 'consistency'"),
    ],
)
def test_wrong_requests_are_one_sentence(command, toy_suite, arguments, part):
    done = command("tune", *arguments, "--suite", str(toy_suite()))

    assert done.returncode == 4
    assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
