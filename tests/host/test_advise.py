"""Which sampler is cheapest, and when training pays."""

import itertools
import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from toy_suite import TOY_SUITE

from fiber_audit import run
from fiber_audit._judge.advice import (
    Choice,
    cheapest,
    front,
    paybacks,
    pays_after,
    reaching,
    undecided,
)
from fiber_audit._judge.interval import Interval
from fiber_audit.records import read, write

TOY = str(Path(__file__).with_name("toy.py"))
WORLD = str(Path(__file__).with_name("trained_world.py"))
SUITE = (
    TOY_SUITE.replace('["toy_loss"]', '["toy_loss", "spread"]')
    + """
[samplers.half]
use = "toy-projecting"
strength = 0.5
[samplers.learned]
use = "trained"
"""
)


def choice(name, value, half=0.0, training=0.0, per_draw=1.0, n=16):
    return Choice(name, Interval(value, value - half, value + half, n), training, per_draw)


def some_choices(seed, n=8):
    rows = torch.rand(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return [
        choice(f"s{i}", v, h / 5, training=500 * max(t - 0.5, 0.0), per_draw=c)
        for i, (v, h, t, c) in enumerate(rows.tolist())
    ]


@pytest.mark.parametrize("seed", range(8))
def test_training_pays_from_the_first_number_of_draws_that_costs_no_more(seed):
    for trained, free in itertools.permutations(some_choices(seed), 2):
        after = pays_after(trained, free.per_draw)
        if after is None:
            assert trained.per_draw >= free.per_draw
        else:
            assert trained.total(after) <= after * free.per_draw * (1 + 1e-12)
            assert after == 0 or trained.total(after - 1) > (after - 1) * free.per_draw * (
                1 - 1e-12
            )


@pytest.mark.parametrize("seed", range(8))
def test_the_cheapest_reaches_the_loss_and_all_that_cost_less_do_not(seed):
    choices, draws, loss = some_choices(seed), 300, 0.5
    best = cheapest(reaching(choices, loss), draws)

    assert best is not None
    assert best.loss.high <= loss
    less = [c for c in choices if c.total(draws) < best.total(draws)]
    assert all(c.loss.high > loss for c in less)


def test_a_loss_that_is_small_by_its_value_alone_is_not_reached_and_the_n_that_decides_is_told():
    lucky = choice("lucky", 0.04, half=0.02)

    assert reaching([lucky], 0.05) == []
    ((same, needed),) = undecided([lucky], 0.05)
    assert same is lucky
    half = 0.02 * math.sqrt(16 / needed)
    assert reaching([choice("more", 0.04, half)], 0.05)
    assert undecided([choice("far", 0.06, half=0.02)], 0.05) == []


@pytest.mark.parametrize("seed", range(8))
def test_nothing_beats_the_front_and_everything_else_is_beaten(seed):
    choices, draws = some_choices(seed), 300
    best = front(choices, draws)

    def beats(one, other):
        return one.level <= other.level and one.total(draws) <= other.total(draws)

    for each in choices:
        beaten = any(beats(other, each) for other in choices if other is not each)
        assert beaten == (each not in best)


@pytest.mark.parametrize("seed", range(8))
def test_many_draws_are_cheapest_by_the_seconds_of_a_draw_and_none_by_those_of_training(seed):
    choices = some_choices(seed)

    assert cheapest(choices, 10**9).per_draw == min(c.per_draw for c in choices)
    assert cheapest(choices, 0).training == min(c.training for c in choices)


def test_a_rival_is_training_free_and_as_good_or_good_enough_and_the_cheapest_of_those():
    trained = choice("trained", 0.1, half=0.01, training=90.0, per_draw=1.0)
    worse = choice("worse", 0.2, per_draw=2.0)
    dear = choice("dear", 0.1, half=0.01, per_draw=9.0)
    good = choice("good", 0.05, per_draw=4.0)
    other = choice("other", 0.01, training=1.0, per_draw=1.5)
    every = [trained, worse, dear, good, other]

    alone, _ = paybacks(every)
    assert (alone.sampler, alone.rival, alone.after) == ("trained", "good", 30)
    enough, _ = paybacks(every, loss=0.3)
    assert (enough.rival, enough.after) == ("worse", 90)
    assert [p.sampler for p in paybacks(every, loss=0.05)] == ["other"]
    assert paybacks([trained, worse]) == [type(alone)("trained", None, None)]
    near = choice("near", 0.105, half=0.02, per_draw=3.0)
    assert paybacks([trained, good, near]) == [type(alone)("trained", "near", 45)]
    slow = choice("slow", 0.1, half=0.01, training=90.0, per_draw=4.0)
    assert paybacks([slow, good])[0].after is None


def test_an_unknown_interval_reaches_no_loss_and_is_not_on_the_front():
    unknown = Choice("one query", Interval(0.0, -math.inf, math.inf, 1), 0.0, 0.1)
    known = choice("known", 0.5)

    assert reaching([unknown], 1e9) == []
    assert front([unknown, known], 10) == [known]
    assert paybacks([unknown]) == []


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of three samplers whose seconds are 2, 1 and 0.5 per draw."""
    folder = tmp_path_factory.mktemp("advise")
    (folder / "toy.toml").write_text(SUITE)
    run(folder / "toy.toml", out=folder / "ran", plugins=[TOY, WORLD])
    records = read(folder / "ran")
    seconds = {"proj": 2.0, "half": 1.0, "learned": 0.5}
    records["seconds"] = records["sampler"].map(seconds).astype("Float64")
    write(records, folder / "ran")
    return folder / "ran"


@pytest.fixture
def advise(command, ran):
    """Advice on a copy of that run in the folder `ran`."""
    Path("toy.toml").write_text(SUITE)
    shutil.copytree(ran, "ran")

    def call(*words, out="ran"):
        place = ("--out", out) if out else ()
        return command("advise", "toy.toml", *place, "--plugin", WORLD, *words)

    return call


def test_the_seconds_of_training_and_of_draws_are_added_and_the_cheapest_good_one_is_named(advise):
    done = advise("--draws", "10", "--loss", "0.01", "--json")
    told = json.loads(done.stdout)
    (pair,) = told["pairs"]
    totals = {each["sampler"]: each["total_seconds"] for each in pair["samplers"]}

    assert done.returncode == 0, done.stderr
    assert totals == {"proj": 20.0, "half": 10.0, "learned": 105.0}
    assert pair["cheapest"] == "proj"
    assert pair["paybacks"] == [{"sampler": "learned", "rival": "proj", "after": 67}]
    assert {"spread"} == {name for each in pair["samplers"] for name in each["consistency"]}
    many = json.loads(advise("--draws", "1000", "--loss", "0.01", "--json").stdout)
    assert many["pairs"][0]["cheapest"] == "learned"


def test_a_person_reads_a_table_on_stdout_and_whose_seconds_they_are_on_stderr(advise):
    done = advise("--draws", "1000", "--loss", "0.01")
    marked = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("*  ")]

    assert done.returncode == 0
    assert marked == ["learned"]
    assert "learned pays from 67 draws on beside proj" in done.stdout
    assert "as each fit noted them" in done.stderr
    assert "cpu" in done.stderr


def test_a_loss_that_nothing_reaches_is_told_with_the_nearest_and_is_exit_code_1(advise):
    others = "exclude=[{sampler='proj'},{sampler='learned'}]"
    done = advise("--draws", "10", "--loss", "0.01", "--set", others)

    assert done.returncode == 1
    assert "there is no sampler whose toy_loss is at most 0.01" in done.stdout
    assert "half is nearest" in done.stdout


def test_without_a_run_the_command_that_makes_one_is_told_and_works(advise, command):
    done = advise("--draws", "10", out="")

    assert done.returncode == 4
    assert "no finished run of this suite is there" in done.stderr
    words = done.stderr.strip().rpartition("make one: fiber-audit ")[2].split()
    assert command(*words, toy=False).returncode == 0
    assert advise("--draws", "10", out="").returncode == 0


def test_a_run_of_other_options_is_left_out_with_what_differs(advise):
    done = advise("--draws", "10", "--set", "samplers.half.strength=0.75")
    every = advise("--draws", "10", "--set", "seed=7")

    assert done.returncode == 0
    assert "samplers.half.strength: 0.5 -> 0.75" in done.stderr
    assert "half" not in done.stdout
    assert every.returncode == 4
    assert "seed: 0 -> 7" in every.stderr
    assert every.stdout == ""


def test_a_run_of_fewer_queries_and_what_is_not_fitted_any_more_are_told(advise):
    done = advise("--draws", "10", "--set", "queries.n=9")
    gone = advise("--draws", "10", "--set", "samplers.learned.fitted=false")

    assert "the run was of 5 queries with 3 draws each, the suite asks for 9 with 3" in done.stderr
    assert "nothing is fitted there" in gone.stderr
    assert "learned" not in gone.stdout


def test_seconds_of_another_machine_or_device_are_told(advise):
    facts = json.loads(Path("ran/environment.json").read_text())
    del facts["sha256"]
    Path("ran/environment.json").write_text(json.dumps({**facts, "processors": 4096}))
    done = advise("--draws", "10", "--set", "device=cpu:0")

    assert "another machine, or another system" in done.stderr
    assert "device = 'cpu:0': seconds there may be others" in done.stderr


def test_lost_draws_make_the_others_dearer(advise):
    records = read(Path("ran"))
    lost = records["metric"].eq("draws_lost") & records["sampler"].eq("proj")
    records.loc[lost, "value"] = records.loc[lost, "n"] / 3
    write(records, Path("ran"))
    told = json.loads(advise("--draws", "10", "--json").stdout)
    found = {each["sampler"]: each["seconds_per_draw"] for each in told["pairs"][0]["samplers"]}

    assert found["proj"] == pytest.approx(3.0)
    assert found["half"] == 1.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--draws", "10", "--loss", "inf"], "--loss inf: give a finite number"),
        (["--draws", "0"], "Invalid value for '--draws'"),
        ([], "Missing option '--draws'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_sentence(command, toy_suite, words, sentence):
    done = command("advise", str(toy_suite()), *words)

    assert done.returncode == 4
    assert sentence in done.stderr
    assert done.stdout == ""


def test_a_run_without_fidelity_names_the_metric_to_add(command, toy_suite):
    path = str(toy_suite())
    only = ("--set", 'metrics=["spread"]', "--plugin", WORLD)
    command("run", path, *only)
    done = command("advise", path, "--draws", "3", *only)

    assert done.returncode == 4
    assert "add 'fiber_loss_relative' to the suite's metrics" in done.stderr


@pytest.mark.parametrize("text", ['{"draws": null}', '{"draws": {"two/gauss/proj": "x"}}'])
def test_a_damaged_identity_of_a_run_is_one_sentence(advise, text):
    Path("ran/identity.json").write_text(text)
    done = advise("--draws", "10")

    assert done.returncode == 4
    assert done.stderr == (
        "fiber-audit: ran/identity.json: damaged (no table); delete it and run again.\n"
    )
