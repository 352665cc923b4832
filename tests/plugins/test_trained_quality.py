"""The judgement of a fitted prior: unbiased distances, and what a bad prior looks like in it."""

import json

import pytest
import torch
from fiber_audit_diffusers.trained import card, quality, sheet
from fiber_audit_diffusers.trained.eyes import eyes, seen
from fiber_audit_diffusers.trained.kernel_distance import Distance, kernel_distance
from fiber_audit_diffusers.trained.neighbours import Recital, nearest, recital
from fiber_audit_diffusers.trained.quality import Quality, judged
from torch.nn.functional import interpolate
from torch_fidelity.metric_kid import kernel_mmd

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.fitting import Corpus, Record
from fiber_audit.sampling import FlowSchedule, noise_of

PLACE = torch.nn.Linear(1, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(n, d, seed):
    return torch.randn(n, d, generator=generator(seed))


def test_the_kernel_distance_is_that_of_torch_fidelity():
    x, y = normal(60, 5, 1), normal(40, 5, 2) + 0.3
    kernel = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_coef0": 1}
    wanted = kernel_mmd(x[:40].double().numpy(), y.double().numpy(), **kernel)

    assert kernel_distance(x[:40], y).value == pytest.approx(wanted, rel=1e-9)


def test_the_kernel_distance_of_one_law_is_zero_in_the_mean_and_its_error_is_honest():
    found = [kernel_distance(normal(80, 6, i), normal(50, 6, 100 + i)) for i in range(60)]
    values = torch.tensor([each.value for each in found])
    errors = torch.tensor([each.stderr for each in found])

    assert values.mean().abs() < 3 * values.std() / 60**0.5
    assert 0.7 < errors.mean() / values.std() < 2.5


def test_a_shift_is_seen_far_above_the_error():
    found = kernel_distance(normal(200, 6, 1), normal(200, 6, 2) + 0.5)

    assert found.value > 5 * found.stderr


def test_too_few_rows_have_no_kernel_distance():
    assert kernel_distance(normal(19, 3, 1), normal(500, 3, 2)) is None


def test_copies_of_training_items_are_told_from_new_ones():
    training, new, held_out = normal(500, 4, 1), normal(200, 4, 2), normal(200, 4, 3)
    known = nearest(held_out, training.split(64))
    copied = recital(nearest(training[:200], training.split(64)), known)
    honest = recital(nearest(new, training.split(64)), known)

    assert copied.ratio < 1e-2
    assert copied.copies == 1.0
    assert 0.8 < honest.ratio < 1.25
    assert honest.copies < 0.05


def test_nearest_is_the_nearest():
    rows, training = normal(20, 3, 1), normal(70, 3, 2)
    wanted = (rows[:, None] - training).norm(dim=-1).amin(1)

    torch.testing.assert_close(nearest(rows, training.split(9)), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 70, 33), (3, 4, 4), (1, 3, 2), (1, 1, 1), (6,)])
def test_eyes_are_the_same_at_every_call_and_see_each_row_alone(shape):
    x = torch.rand(5, *shape, generator=generator())
    for (name, one), two in zip(
        eyes(shape, "cpu").items(), eyes(shape, "cpu").values(), strict=True
    ):
        whole = seen(one, x, "cpu")
        torch.testing.assert_close(seen(two, x, "cpu", batch=2), whole, msg=name)
        assert whole.isfinite().all()
        assert whole.std(0).max() > 0


class Reciting(Prior):
    """Draws what it is told to: a prior of known quality."""

    state_shape = (1, 12, 12)

    def __init__(self, data):
        self.network, self.schedule, self.data = PLACE, FlowSchedule(), data

    def predict(self, x_t, t):
        rows = (x_t.flatten(1).sum(1).abs() * 1e4).long() % len(self.data)
        return Prediction(self.data[rows], noise_of(self.schedule, x_t, self.data[rows], t))

    def encode(self, x):
        return x

    def decode(self, state):
        return state


def pictures(n, seed):
    """Blobs in front of a gradient: not Gaussian at all."""
    coarse = (torch.rand(n, 1, 4, 4, generator=generator(seed)) > 0.7).float()
    return (interpolate(coarse, (12, 12), mode="nearest") * 255).round() / 255


@pytest.fixture(scope="module")
def judgement():
    """Of the true law, of a reciting prior, and of a wrong law."""
    items = pictures(800, 0)
    corpus = Corpus(items, torch.arange(200, 800), torch.arange(200))
    laws = {"true": pictures(900, 5), "recites": items[200:260], "wrong": 1 - pictures(900, 6)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        return {
            name: judged(Reciting(data), corpus, 200, 0, "cpu", 100, lambda line: None)
            for name, data in laws.items()
        }


def test_true_draws_are_at_the_floor_and_a_gaussian_is_not(judgement):
    for name, found in judgement["true"].distances.items():
        draws, gaussian = found["draws"], found["a Gaussian"]
        assert draws.value < 3 * draws.stderr, name
        if name != "8 x 8 pixels":
            assert gaussian.value > draws.value + 3 * gaussian.stderr, name


def test_wrong_draws_are_worse_than_a_gaussian(judgement):
    for name, found in judgement["wrong"].distances.items():
        assert found["draws"].value > found["a Gaussian"].value, name


def test_a_prior_that_recites_is_given_away_by_its_neighbours(judgement):
    assert judgement["recites"].recital.ratio < 0.1
    assert judgement["true"].recital.ratio > 0.8


def test_the_card_tells_it_and_the_json_is_strict(judgement, tmp_path):
    options = {"network": "unet", "steps": 10}
    record = Record(options, {"items": 800, "shape": [1, 12, 12], "digest": ""}, 0, 10, True, {})
    said = card.write_card(tmp_path, record, judgement["true"])
    text = (tmp_path / "card.md").read_text()

    assert "| random network A |" in text
    assert said[0] == "200 draws and 200 held-out items:"
    found = json.loads((tmp_path / "quality.json").read_text(), parse_constant=pytest.fail)
    assert found["recital"]["ratio"] == judgement["true"].recital.ratio
    empty = Quality(5, 0, {"8 x 8 pixels": {"draws": None}}, None)
    assert "too few items" in "\n".join(card.write_card(tmp_path, record, empty))


def test_without_held_out_items_nothing_is_claimed():
    corpus = Corpus(pictures(50, 0), torch.arange(50), torch.arange(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        patch.setattr(quality, "LARGEST", 30)
        found = judged(Reciting(pictures(9, 1)), corpus, 40, 0, "cpu", 20, lambda line: None)

    assert found.recital is None
    assert {d for each in found.distances.values() for d in each.values()} == {None}


def test_draws_that_are_lost_are_counted_and_told(tmp_path):
    items, law = pictures(200, 0), pictures(400, 5)
    law[:200] = torch.nan
    corpus = Corpus(items, torch.arange(50, 200), torch.arange(50))
    options = {"network": "unet", "steps": 10}
    record = Record(options, {"items": 200, "shape": [1, 12, 12]}, 0, 10, True, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        some, none = (
            judged(Reciting(data), corpus, 100, 0, "cpu", 50, lambda line: None)
            for data in (law, law[:9])
        )
    told = card.write_card(tmp_path, record, some)[0]

    assert 20 < some.lost == 100 - some.draws < 80
    assert some.sentence.endswith(f"; {some.lost} of 100 draws were not finite")
    assert told.startswith(f"{some.lost} draws were not finite and are left out; ")
    assert json.loads((tmp_path / "quality.json").read_text())["lost"] == some.lost
    assert (none.draws, none.lost, none.recital) == (0, 100, None)
    assert none.sentence == "not measured; 100 of 100 draws were not finite"


def test_numbers_too_large_for_a_distance_give_none_and_no_nan():
    assert kernel_distance(normal(40, 3, 1), normal(40, 3, 2) * 1e38 * 10) is None
    assert recital(torch.tensor([torch.inf]), torch.tensor([1.0])) is None


def test_numbers_of_a_cell_are_read_as_they_are():
    assert card._cell(Distance(0.12345, 0.00123)) == "0.123 ± 0.0012"
    assert recital(torch.tensor([1.0]), torch.tensor([2.0])) == Recital(0.5, 1.0)


def test_a_black_corner_is_no_more_than_a_corner():
    """Rounding in a place that never varies must not decide: it was .7 where the floor was .01."""
    items = pictures(800, 0)
    corpus = Corpus(items, torch.arange(200, 800), torch.arange(200))
    law = pictures(900, 5)
    items[..., :3, :3] = law[..., :3, :3] = 0.0
    law[..., :3, :3] += 1e-3 * torch.rand(900, 1, 3, 3, generator=generator())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        found = judged(Reciting(law), corpus, 200, 0, "cpu", 100, lambda line: None)

    for name, each in found.distances.items():
        assert each["draws"].value < 3 * each["draws"].stderr, name


class Table(Reciting):
    """The same of a table with columns of other units."""

    state_shape, data_range = (3,), None

    def encode(self, x):
        return x / torch.tensor([1.0, 1e6, 1e-6])

    def decode(self, state):
        return state * torch.tensor([1.0, 1e6, 1e-6])


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_wrong_column_is_seen_whatever_its_unit(column):
    prior = Table(normal(900, 3, 4))
    prior.data[:, column] += 1.0
    items = prior.decode(normal(800, 3, 1))
    corpus = Corpus(items, torch.arange(200, 800), torch.arange(200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        found = judged(prior, corpus, 200, 0, "cpu", 100, lambda line: None)

    draws = found.distances["the columns"]["draws"]
    assert draws.value > 3 * draws.stderr


def test_a_prior_of_mirrored_pictures_is_held_against_mirrored_ones():
    items, law = pictures(800, 0), pictures(900, 5)
    items[..., 6:] *= 0.2  # one side is dark
    law[..., 6:] *= 0.2
    law = torch.cat([law[:450], law[450:].flip(-1)])[torch.randperm(900, generator=generator())]
    corpus = Corpus(items, torch.arange(200, 800), torch.arange(200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 1)
        told, copied = (
            judged(Reciting(data), corpus, 200, 0, "cpu", 100, lambda line: None, flip=True)
            for data in (law, items[200:260].flip(-1))
        )

    for name, found in told.distances.items():
        assert found["draws"].value < 3 * found["draws"].stderr, name
    assert copied.recital.ratio < 0.1
