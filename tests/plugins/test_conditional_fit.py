"""Fitting conditional generators: being killed costs nothing, and nothing broken is ever used."""

import json
from dataclasses import replace

import pytest
import torch
from fiber_audit_conditional import artefact
from fiber_audit_conditional import fit as fitting
from fiber_audit_conditional.artefact import FILE, folder_of
from fiber_audit_conditional.cond_flow import ConditionalFlow
from fiber_audit_conditional.conditioned import Conditioned
from fiber_audit_conditional.mlf import MultilevelFlow
from fiber_audit_conditional.pairs import Pairs
from fiber_audit_conditional.rombach import RombachCINN
from fiber_audit_conditional.standard import Standard
from rows import Rows
from safetensors.torch import load_file, save_file

from fiber_audit import DataError, DivergedError, UsageError, WeightsError
from fiber_audit.contracts import Fitting, Learned, Problem, Sampler
from fiber_audit.fitting import Corpus
from fiber_audit.sampling import Noise
from fiber_audit.testing import GaussianPrior, LinearExtractor, gaussian_problem

TINY = {
    "training_steps": 12,
    "batch": 16,
    "fiber_batch": 4,
    "width": 16,
    "blocks": 1,
    "steps": 5,
    "checkpoint_minutes": 1e-9,
}


@pytest.fixture(scope="module")
def problem():
    return gaussian_problem(20)


@pytest.fixture(scope="module")
def rows(problem):
    root = torch.linalg.cholesky(problem.prior.covariance)
    generator = torch.Generator().manual_seed(1)
    white = torch.randn(200, 8, generator=generator, dtype=torch.float64)
    return Rows((problem.prior.mean + white @ root.T).float())


def task_of(problem, rows, seed=0, say=lambda line: None):
    return Fitting(rows, "cpu", seed, say, problem.extractor, problem.prior)


def fitted(problem, rows, path, seed=0, say=lambda line: None, **options):
    chosen = {**TINY, "path": str(path), **options}
    ConditionalFlow.fit(task_of(problem, rows, seed, say), **chosen)
    return ConditionalFlow(**chosen)


def killed_at(monkeypatch, step):
    """The process dies before this step: nothing after it is written."""
    found = Pairs.at

    def dying(self, number, size):
        if number == step:
            raise KeyboardInterrupt
        return found(self, number, size)

    monkeypatch.setattr(Pairs, "at", dying)


@pytest.fixture(scope="module")
def whole(problem, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    return path, fitted(problem, rows, path)


def weights(path, problem):
    return load_file(folder_of(path, problem.extractor, problem.prior) / FILE)


def test_a_killed_fit_goes_on_to_the_same_bits(problem, rows, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_at(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            fitted(problem, rows, tmp_path)
    with pytest.raises(WeightsError, match=r"the fit is at step 7 of 12; to go on, run"):
        ConditionalFlow(**{**TINY, "path": str(tmp_path)}).prepare(problem.extractor, problem.prior)
    said = []
    fitted(problem, rows, tmp_path, say=said.append)
    one, other = weights(tmp_path, problem), weights(whole[0], problem)

    assert "going on at step 7 of 12" in said
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_global_random_state_is_neither_used_nor_changed(problem, rows, whole, tmp_path):
    torch.manual_seed(123)
    fitted(problem, rows, tmp_path)

    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(123)))
    one, other = weights(tmp_path, problem), weights(whole[0], problem)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_fitted_is_left_alone_and_another_seed_is_refused(problem, rows, whole):
    said = []
    fitted(problem, rows, whole[0], say=said.append)

    assert len(said) == 1
    assert "is fitted already" in said[0]
    with pytest.raises(UsageError, match="seed 0, not 1"):
        fitted(problem, rows, whole[0], seed=1)
    with pytest.raises(UsageError, match="width 16, not 32"):
        fitted(problem, rows, whole[0], width=32)
    with pytest.raises(UsageError, match="data of 200 items, not those of now"):
        fitted(problem, Rows(rows.rows[:150]), whole[0])


@pytest.mark.parametrize(("where", "loss"), [("data", "nan"), ("loss", "inf")])
def test_numbers_that_are_not_finite_stop_it_with_the_last_good_checkpoint(
    problem, rows, tmp_path, monkeypatch, where, loss
):
    if where == "data":
        found = Pairs.at

        def poisoned(self, step, size):
            batch = found(self, step, size)
            return batch._replace(states=batch.states * (torch.nan if step == 5 else 1.0))

        monkeypatch.setattr(Pairs, "at", poisoned)
    else:
        good = fitting._Fit.loss
        monkeypatch.setattr(
            fitting._Fit, "loss", lambda self, k: good(self, k) * (torch.inf if k == 5 else 1)
        )
    with pytest.raises(
        DivergedError, match=rf"at step 5 \(loss {loss}\); its last good checkpoint is"
    ):
        fitted(problem, rows, tmp_path)
    folder = folder_of(tmp_path, problem.extractor, problem.prior)

    assert not (folder / FILE).exists()
    assert not json.loads((folder / "training.json").read_text())["finished"]
    kept = load_file(folder / "checkpoint" / "state.safetensors")
    assert all(t.isfinite().all() for name, t in kept.items() if name != "also.numbers")


def test_a_held_out_loss_that_is_never_finite_leaves_no_artefact(
    problem, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(fitting._Fit, "judged", lambda self, network: (torch.nan, 0.0))
    with pytest.raises(DivergedError, match="no loss on held-out data was finite in 12 steps"):
        fitted(problem, rows, tmp_path, patience=1000)

    assert not (folder_of(tmp_path, problem.extractor, problem.prior) / FILE).exists()


def test_early_stopping_keeps_the_best_weights(problem, rows, tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0])
    seen = []

    def judged(self, network):
        seen.append({n: t.clone() for n, t in network.state_dict().items()})
        return next(losses), 0.0

    monkeypatch.setattr(fitting._Fit, "judged", judged)
    fitted(problem, rows, tmp_path, patience=3)
    kept = weights(tmp_path, problem)

    assert len(seen) == 5
    assert all(torch.equal(kept[f"generator.{n}"], t) for n, t in seen[1].items())


def test_a_fit_that_is_killed_after_it_stopped_early_ends_with_the_same_bits(
    problem, rows, tmp_path, monkeypatch
):
    def run(path, losses):
        monkeypatch.setattr(fitting._Fit, "judged", lambda self, network: (next(losses), 0.0))
        fitted(problem, rows, path, patience=2)

    def dying(folder, what):
        raise KeyboardInterrupt

    losses = [3.0, 1.0, 2.0, 2.0, *[0.5] * 10]  # better again after it stopped
    run(tmp_path / "whole", iter(losses))
    rest = iter(losses)
    with monkeypatch.context() as patch:
        patch.setattr(artefact, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", rest)
    run(tmp_path / "killed", rest)
    one, other = (weights(tmp_path / name, problem) for name in ("whole", "killed"))

    assert all(torch.equal(one[name], other[name]) for name in one)


def test_without_a_fiber_weight_draws_that_explode_stop_no_fit_and_are_told_as_null(
    problem, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(fitting._Fit, "judged", lambda self, network: (1.0, torch.inf))
    fitted(problem, rows, tmp_path, fiber_weight=0.0)
    text = (folder_of(tmp_path, problem.extractor, problem.prior) / "training.json").read_text()

    assert json.loads(text)["facts"]["held-out fiber loss"] is None
    assert "Infinity" not in text


class Doubled(LinearExtractor):
    """Of the same weights, by other code."""

    def features(self, x):
        return 2 * super().features(x)


def test_the_features_of_one_extractor_are_not_taken_for_those_of_another_with_its_weights(
    problem, rows, whole, tmp_path
):
    other = replace(problem, extractor=Doubled(problem.extractor.matrix))
    fitted(problem, rows, tmp_path / "one")
    fitted(other, rows, tmp_path / "other")
    one, two = (weights(tmp_path / name, problem) for name in ("one", "other"))

    torch.testing.assert_close(two["standard.feature_std"], 2 * one["standard.feature_std"])
    with pytest.raises(WeightsError, match="features of its probes differ"):
        fitted(other, rows, whole[0])  # is not "fitted already"


def test_data_of_another_shape_and_features_that_are_not_finite_are_told_as_such(
    problem, rows, tmp_path
):
    class Blind(LinearExtractor):
        def features(self, x):
            return super().features(x) / (x[:, :1] > x[:, :1].min())

    with pytest.raises(DataError, match=r"items of shape \(5,\), but the prior makes \(8,\)"):
        fitted(problem, Rows(torch.zeros(20, 5)), tmp_path / "shape")
    blind = replace(problem, extractor=Blind(problem.extractor.matrix))
    with pytest.raises(DataError, match=r"the features of '\d+' are not finite"):
        fitted(blind, rows, tmp_path / "blind")


def test_options_that_cannot_be_fitted_do_not_hold_the_folder(problem, rows, tmp_path):
    chosen = {**TINY, "path": str(tmp_path), "training_steps": 2}
    del chosen["steps"]
    with pytest.raises(UsageError, match="coarse = 7"):
        MultilevelFlow.fit(task_of(problem, rows), **chosen, coarse=7)
    MultilevelFlow.fit(task_of(problem, rows), **chosen, coarse=2)

    assert MultilevelFlow(**chosen, coarse=2).prepare(problem.extractor, problem.prior).digest


def test_pairs_are_where_the_network_is_though_large_ones_are_kept_in_a_file():
    corpus = Corpus(torch.zeros(4, 3), torch.arange(4), torch.arange(0), spilled=True)
    batch = Pairs(corpus, corpus, 0, "meta").take(torch.arange(2))

    assert {each.device.type for each in batch} == {"meta"}


def test_a_column_that_never_changes_breaks_no_actnorm(problem, rows, tmp_path):
    constant = rows.rows.clone()
    constant[:, 0] = 2.0
    chosen = {**TINY, "path": str(tmp_path)}
    del chosen["steps"]
    RombachCINN.fit(task_of(problem, Rows(constant)), **chosen)

    assert RombachCINN(**chosen).prepare(problem.extractor, problem.prior).digest


def test_a_second_pair_needs_no_copy_of_the_first(problem, rows, tmp_path):
    class Single(LinearExtractor):
        def __deepcopy__(self, memo):
            raise AssertionError

    extractor = Single(problem.extractor.matrix)
    sampler = fitted(replace(problem, extractor=extractor), rows, tmp_path)
    sampler.prepare(extractor, problem.prior)
    other = GaussianPrior(problem.prior.mean.float(), problem.prior.covariance.float(), "flow")

    assert sampler.prepare(extractor, other).digest


def test_the_seconds_of_a_fit_are_also_those_of_what_it_began_with(
    problem, rows, tmp_path, monkeypatch
):
    first = fitted(problem, rows, tmp_path / "first")
    file = folder_of(tmp_path / "first", problem.extractor, problem.prior) / "training.json"
    record = json.loads(file.read_text())
    record["facts"]["seconds"] = 1000.0
    file.write_text(json.dumps(record))
    second = fitted(problem, rows, tmp_path / "second", start=first.path)
    third = fitted(problem, rows, tmp_path / "third", start=second.path)

    assert 1000 < third.prepare(problem.extractor, problem.prior).seconds < 1100


def test_a_guiding_sampler_that_learns_of_its_prior_is_refused(problem, whole):
    class Learner(Sampler):
        def prepare(self, extractor, prior):
            return Learned("what it learned")

        def sample(self, problem, noise):
            raise NotImplementedError

    with pytest.raises(UsageError, match="Learner learns something of its prior"):
        Conditioned(trained=whole[1], sampler=Learner()).prepare(problem.extractor, problem.prior)


def test_a_generator_of_another_extractor_is_refused_in_one_sentence(problem, whole):
    other = LinearExtractor(problem.extractor.matrix + 0.1)
    with pytest.raises(WeightsError) as told:
        whole[1].prepare(other, problem.prior)

    assert str(told.value).count(". ") == 0
    assert "is fitted to other pairs (LinearExtractor of 3 features" in str(told.value)
    assert str(told.value).endswith("run: fiber-audit fit SUITE")


def test_an_extractor_whose_code_changed_is_refused_though_its_weights_did_not(problem, whole):
    other = Doubled(problem.extractor.matrix)
    with pytest.raises(WeightsError, match=r"features of its probes differ by"):
        ConditionalFlow(**{**TINY, "path": str(whole[0])}).prepare(other, problem.prior)


def test_priors_that_share_an_autoencoder_share_generators(problem, whole):
    flow = GaussianPrior(problem.prior.mean.float(), problem.prior.covariance.float(), "flow")

    assert whole[1].prepare(problem.extractor, flow).digest == learned(problem, whole).digest


def learned(problem, whole):
    return whole[1].prepare(problem.extractor, problem.prior)


def test_nothing_fitted_is_a_sentence_with_the_command(problem, tmp_path):
    with pytest.raises(WeightsError, match="nothing is fitted there; run: fiber-audit fit SUITE"):
        ConditionalFlow(path=str(tmp_path / "no")).prepare(problem.extractor, problem.prior)


def test_a_path_into_the_program_that_runs_is_a_sentence(problem):
    with pytest.raises(UsageError, match="'__main__:x': __main__ is no installed package"):
        ConditionalFlow(path="__main__:x").prepare(problem.extractor, problem.prior)


@pytest.mark.parametrize("damage", ["truncate", "flip", "swap", "delete"])
def test_a_damaged_artefact_is_a_sentence(problem, rows, whole, tmp_path, damage):
    sampler = fitted(problem, rows, tmp_path)
    file = folder_of(tmp_path, problem.extractor, problem.prior) / FILE
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage == "flip":
        file.write_bytes(b"\xff" * 8 + file.read_bytes()[8:])
    elif damage == "swap":
        save_file({"a": torch.zeros(3)}, file)
    else:
        file.unlink()

    with pytest.raises(WeightsError, match="the fit is damaged"):
        sampler.prepare(problem.extractor, problem.prior)


def test_options_that_say_how_it_draws_need_no_new_fit(problem, whole):
    more = replace(whole[1], steps=9)

    assert more.prepare(problem.extractor, problem.prior).digest
    with pytest.raises(WeightsError, match="fitted with other options"):
        replace(whole[1], fiber_weight=3.0).prepare(problem.extractor, problem.prior)


def test_a_fit_may_begin_with_the_weights_of_another(problem, rows, whole, tmp_path):
    still = {"start": str(whole[0]), "learning_rate": 1e-12, "fiber_weight": 2.0}
    fitted(problem, rows, tmp_path, **still)
    one, other = weights(tmp_path, problem), weights(whole[0], problem)

    assert all(torch.allclose(one[name], other[name], atol=1e-8) for name in one)
    assert replace(whole[1], path=str(tmp_path), **still | {"start": ""}).prepare(
        problem.extractor, problem.prior
    )
    with pytest.raises(UsageError, match="another start"):
        fitted(problem, rows, tmp_path, **still | {"start": ""})
    with pytest.raises(WeightsError, match=r"start = .*nothing is fitted there to begin with"):
        fitted(problem, rows, tmp_path / "a", start=str(tmp_path / "nothing"))
    with pytest.raises(WeightsError, match=r"start = .*give one of the same network"):
        fitted(problem, rows, tmp_path / "b", start=str(whole[0]), width=32)
    (folder_of(tmp_path, problem.extractor, problem.prior) / FILE).unlink()
    with pytest.raises(WeightsError, match=r"start = .*its fit is damaged"):
        fitted(problem, rows, tmp_path / "c", start=str(tmp_path))


def test_a_draw_depends_on_its_own_row_and_noise_alone(problem, whole):
    sampler, n = whole[1], len(problem.targets)
    targets = problem.extractor.features(torch.randn(n, 8, generator=torch.Generator()))
    many = Problem(problem.extractor, problem.prior, problem.queries, targets)
    together = sampler.sample(many, Noise(range(n))).data
    rows = torch.tensor([7])
    alone = sampler.sample(many.select(rows), Noise([7])).data

    torch.testing.assert_close(alone[0], together[7], atol=1e-5, rtol=1e-5)


def test_its_evaluations_are_counted_and_its_training_is_told(problem, whole):
    from fiber_audit._draw.meter import Meter

    found = learned(problem, whole)
    with Meter(problem.prior, problem.extractor, found.network) as cost:
        whole[1].sample(problem, Noise(range(20)))

    assert cost.prior_forward == 20 * TINY["steps"]
    assert cost.extractor_forward == 0
    assert found.seconds > 0


def test_units_are_those_of_the_training_rows_and_constants_stay():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.0]) + 1e4
    states = Corpus(rows, torch.arange(40), torch.arange(40, 50))
    standard = Standard((3,), 3)
    standard.measure(states, states)
    z = standard.from_state(rows[:40])

    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-2, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0)[:2], torch.ones(2), atol=1e-2, rtol=0)
    assert standard.state_std[2] == 1
    torch.testing.assert_close(standard.to_state(z), rows[:40])
    assert standard.condition(rows + 1e9).abs().max() == 10
