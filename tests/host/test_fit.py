"""Priors that are fitted, that own several networks, and that queries are drawn from."""

import json
from pathlib import Path

import pytest
import torch

from fiber_audit._draw.meter import Meter
from fiber_audit._run import Options, forecast, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.components import Components
from fiber_audit._suite.identity import Identity
from fiber_audit._suite.read import read
from fiber_audit.commands.fit import _in_order, _Task
from fiber_audit.errors import SuiteError

WORLD = str(Path(__file__).with_name("fitted_world.py"))
SUITE = """
name = "fitted"
draws = 2
metrics = ["fiber_loss_rms"]
[queries]
use = "points"
n = 3
[extractors.first]
[priors.mine]
use = "mean"
path = "mine"
[samplers.unconditional]
"""
DRAWN = '[queries]\nuse = "drawn"\nprior = "mine"'


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text=SUITE):
        Path("suite.toml").write_text(text)
        return "suite.toml"

    return write


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load(extra=[WORLD])


def fitted_mean():
    return torch.load("mine/mean.pt", weights_only=True)


def test_what_has_to_be_fitted_is_skipped_with_the_command_until_it_is(command, suite):
    path = suite()
    before = command("run", path, "--out", "before", "--plugin", WORLD, toy=False)
    fitted = command("fit", path, "--plugin", WORLD, toy=False)
    after = command("run", path, "--plugin", WORLD, toy=False)

    assert before.returncode == 5
    table = Path("before/records.csv").read_text()
    assert "nothing is fitted there; run fiber-audit fit SUITE." in table
    assert fitted.returncode == 0, fitted.stderr
    assert fitted.stdout == ""
    assert after.returncode == 0, after.stderr


def test_a_prior_is_fitted_to_all_queries_or_to_the_training_data(command, suite):
    command("fit", suite(), "--plugin", WORLD, toy=False)
    of_queries = fitted_mean()
    text = SUITE + "[training]\nuse = 'points'\nn = 20\nshift = -7.0\n"
    done = command("fit", suite(text), "--plugin", WORLD, toy=False)

    assert torch.allclose(of_queries, torch.full((4,), 3.0), atol=0.5)
    assert torch.allclose(fitted_mean(), torch.full((4,), -7.0), atol=0.8)
    assert "mine: fitting to 20 items of (4,)" in done.stderr
    assert "20 points, gain 1, seed 0" in done.stderr


@pytest.mark.parametrize(
    ("settings", "arguments", "sentence"),
    [
        (["priors.mine.gain=-1.0"], [], "mine: it could not be fitted (ZeroDivisionError: no lu"),
        ([], ["yours"], "NAMES = 'yours': nothing of that name is fitted. Known: mine."),
        (["training.use=nope"], [], "training.use = 'nope': no such dataset."),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_one_sentence(command, suite, settings, arguments, sentence):
    sets = [word for each in settings for word in ("--set", each)]
    done = command("fit", suite(), *arguments, *sets, "--plugin", WORLD, toy=False)

    assert done.returncode in (3, 4)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not Path("mine").exists()


def test_a_suite_without_anything_to_fit_says_so(command, toy_suite):
    done = command("fit", str(toy_suite()))

    assert done.returncode == 4
    assert "nothing in it has to be fitted" in done.stderr


def components(catalogue, path):
    return Components(read(path, catalogue), catalogue)


def test_every_network_of_a_prior_is_frozen_and_part_of_its_identity(command, suite, catalogue):
    path = suite()
    command("fit", path, "--plugin", WORLD, toy=False)
    made = components(catalogue, path)
    prior = made.prior("mine")

    assert set(prior.modules) == {"network", "decoder"}
    assert not any(p.requires_grad for p in prior.decoder.parameters())
    assert not prior.decoder.training

    use = made.suite.priors["mine"]
    before = Identity(made).of("prior", use)
    with torch.no_grad():
        prior.decoder.weight.mul_(1.5)

    assert Identity(made).of("prior", use)["weights"] != before["weights"]


def test_the_decoder_of_a_prior_is_counted_and_left_as_it_was(command, suite, catalogue):
    path = suite()
    command("fit", path, "--plugin", WORLD, toy=False)
    prior = components(catalogue, path).prior("mine")
    x = torch.zeros(5, 4, requires_grad=True)
    with Meter(prior, None) as cost:
        prior.decode(x).sum().backward()
        prior.decode(x.detach())

    assert (cost.decode_forward, cost.decode_backward) == (10, 5)
    assert "decode" not in vars(prior)


def test_queries_may_be_drawn_from_a_prior_of_the_suite_and_change_with_it(
    command, suite, catalogue
):
    command("fit", suite(), "--plugin", WORLD, toy=False)
    path = suite(SUITE.replace('[queries]\nuse = "points"', DRAWN))
    resolved = read(path, catalogue)
    done = run(resolved, catalogue, Options(Path("run")))
    again = forecast(resolved, catalogue, Options(Path("run")))
    torch.save(fitted_mean() + 1, "mine/mean.pt")
    moved = forecast(resolved, catalogue, Options(Path("run")))

    assert not done.failed
    assert [each.to_draw for each in again] == [0, 0]
    assert [each.to_draw for each in moved] == [6, 6]


def test_queries_from_a_prior_that_the_suite_lacks_are_a_mistake_of_the_suite(suite, catalogue):
    path = suite(SUITE.replace('[queries]\nuse = "points"', DRAWN.replace("mine", "yours")))

    with pytest.raises(SuiteError, match=r"queries.prior = 'yours': the suite has no such prior"):
        read(path, catalogue)


def test_what_components_tell_of_themselves_is_kept_and_on_the_page(command, suite, catalogue):
    path = suite()
    command("fit", path, "--plugin", WORLD, toy=False)
    run(read(path, catalogue), catalogue, Options(Path("run")))
    known = json.loads(Path("run/environment.json").read_text())["components"]

    assert known == {"queries": {"left out": "one point"}, "priors.mine": {"gain": "1"}}
    assert "left out one point" in Path("run/report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["prior", "toy*"], ["toy-gaussian"]),
        (["toy/*", "--json"], ["toy-first-two", "toy-needs-weights", "toy-gaussian"]),
    ],
)
def test_a_pattern_lists_the_names_that_match(command, arguments, names):
    done = command("list", *arguments)

    assert done.returncode == 0
    for name in names:
        assert name in done.stdout
    assert "ndtm" not in done.stdout


def test_a_pattern_that_matches_nothing_is_a_mistake(command):
    done = command("list", "prior", "nothing-*")

    assert done.returncode == 4
    assert "pattern 'nothing-*': no such name." in done.stderr


def test_a_decoder_without_parameters_costs_nothing_and_is_not_counted(command, suite, catalogue):
    path = suite()
    command("fit", path, "--plugin", WORLD, toy=False)
    prior = components(catalogue, path).prior("mine")
    prior.decoder = torch.nn.Identity()
    with Meter(prior, None) as cost:
        prior.decode(torch.zeros(5, 4))

    assert cost.decode_forward == 0


def test_check_of_a_suite_whose_data_are_missing_goes_on_and_says_so(command, suite):
    text = SUITE.replace('use = "points"\nn = 3', 'use = "image-folder"\npath = "nowhere"')
    done = command("check", suite(text), "--plugin", WORLD, "--json", toy=False)
    rows = {row["component"]: row for row in json.loads(done.stdout)}

    assert done.returncode == 3
    assert rows["queries"]["status"] == "violated"
    assert "nowhere" in rows["queries"]["violations"][0]["message"]
    assert rows["extractors.first"]["status"] in ("kept", "violated")


def test_a_mistake_in_the_training_data_is_told_there(command, suite):
    text = SUITE + '[training]\nuse = "image-folder"\npath = "nowhere"\n'
    done = command("fit", suite(text), "--plugin", WORLD, toy=False)

    assert done.returncode == 4
    assert "training: path = 'nowhere'" in done.stderr


SAMPLERS = SUITE.replace(
    "[samplers.unconditional]",
    """[extractors.second]
use = "first"
[samplers.moved]
use = "shift"
path = "moved"
[samplers.again]
use = "relay"
of = "moved"
""",
)


def test_a_sampler_is_fitted_to_every_pair_that_it_draws_from_after_its_prior(
    command, suite, catalogue
):
    path = suite(SAMPLERS)
    before = command("run", path, "--out", "before", "--plugin", WORLD, toy=False)
    done = command("fit", path, "--plugin", WORLD, toy=False)
    lines = done.stderr.splitlines()
    after = command("run", path, "--plugin", WORLD, toy=False)

    assert before.returncode == 5
    assert [line.split(": ")[1] for line in lines if "fitting to" in line] == [
        "mine",
        "first/mine/moved",
        "second/mine/moved",
    ]
    assert "(50, 2) features, states (4,)" in done.stderr
    assert after.returncode == 0, after.stderr


def test_draws_are_new_when_what_a_sampler_learned_changes_also_through_another_sampler(
    command, suite, catalogue
):
    path = suite(SAMPLERS)
    command("fit", path, "--plugin", WORLD, toy=False)
    resolved = read(path, catalogue)
    run(resolved, catalogue, Options(Path("run")))
    again = forecast(resolved, catalogue, Options(Path("run")))
    torch.save(torch.tensor(9.0), "moved/2.pt")
    moved = forecast(resolved, catalogue, Options(Path("run")))

    assert [each.to_draw for each in again] == [0] * 5
    assert [each.to_draw for each in moved] == [0, 6, 6, 6, 6]
    assert "samplers.moved.weights changed" in str(moved)


def test_what_a_sampler_has_not_learned_costs_its_audits_and_no_others(command, suite, catalogue):
    path = suite(SAMPLERS + "[samplers.unconditional]\n")
    command("fit", path, "mine", "--plugin", WORLD, toy=False)
    done = run(read(path, catalogue), catalogue, Options(Path("run")))
    status = done.records.groupby("sampler")["status"].unique()

    assert list(status["unconditional"]) == ["ok"]
    assert list(status["moved"]) == list(status["again"]) == ["skipped"]


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        ("yours", "samplers.again.of = 'yours': the suite has no such sampler."),
        ("again", "samplers.again.of = 'again': leads back to itself"),
    ],
)
def test_a_sampler_that_names_no_other_is_a_mistake_of_the_suite(suite, catalogue, of, sentence):
    path = suite(SAMPLERS.replace('of = "moved"', f'of = "{of}"'))

    with pytest.raises(SuiteError, match=sentence):
        read(path, catalogue)


def test_samplers_that_name_each_other_are_a_mistake_of_the_suite(suite, catalogue):
    text = SAMPLERS.replace('of = "moved"', 'of = "third"')
    path = suite(text + '[samplers.third]\nuse = "relay"\nof = "again"\n')

    with pytest.raises(SuiteError, match="leads back to itself"):
        read(path, catalogue)


def test_a_sampler_that_only_another_draws_by_is_fitted_to_that_ones_pairs(command, suite):
    path = suite(SAMPLERS + '[[exclude]]\nsampler = "moved"\n')
    done = command("fit", path, "--plugin", WORLD, toy=False)
    after = command("run", path, "--plugin", WORLD, toy=False)

    assert [line.split(": ")[1] for line in done.stderr.splitlines() if "fitting to" in line] == [
        "mine",
        "first/mine/moved",
        "second/mine/moved",
    ]
    assert after.returncode == 0, after.stderr


def test_an_option_that_is_no_name_of_a_sampler_may_be_spelt_like_one(suite, catalogue):
    path = suite(SAMPLERS.replace('path = "moved"', 'path = "again"'))

    assert read(path, catalogue).samplers["again"].options == {"of": "moved"}


def test_a_fit_comes_after_the_one_that_it_starts_from_whatever_their_order():
    def task(key, start=""):
        return _Task(key, None, {"path": f"fits/{key}", "start": f"fits/{start}" if start else ""})

    given = [
        task("c", "b"),
        task("b", "a"),
        task("other"),
        task("a"),
        task("x", "y"),
        task("y", "x"),
    ]
    found = [each.key for each in _in_order(given)]

    assert sorted(found) == sorted(each.key for each in given)
    assert found.index("a") < found.index("b") < found.index("c")
