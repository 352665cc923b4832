"""The front door: a network, some rows and a prior, in one call."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import fiber_audit
from fiber_audit import Condition, SuiteError, UsageError, audit
from fiber_audit._front.content import content
from fiber_audit._front.queries import dataset_of
from fiber_audit.contracts import Dataset, Metric, Sampler, Statistic
from fiber_audit.sampling import finish, unguided
from fiber_audit.testing import GaussianPrior, LinearExtractor

TOY = str(Path(__file__).with_name("toy.py"))
ROWS = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
QUICK = ["fiber_loss_relative", "diversity"]
"""Metrics, where those of the front door itself are not the question."""
FAST = {"use": "moment-matched", "steps": 5, "polish": 2, "guided_below": 100.0}
PLAIN = {"prior": "toy-gaussian", "sampler": "toy-projecting", "metrics": ["toy_loss"],
         "draws": 1, "plugins": [TOY]}  # fmt: skip
"""What is audited fast, where only its place is the question."""


def seeded(seed):
    return torch.Generator().manual_seed(seed)


class First(nn.Module):
    """The first two of four columns, through a layer that could be trained."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(4)[:2])

    def forward(self, x):
        return self.layer(x)


@pytest.fixture
def go(tmp_path, pageless):
    def call(extractor, queries=ROWS, out="run", **options):
        chosen = {"prior": "toy-gaussian", "sampler": FAST, "draws": 2, "plugins": [TOY]}
        chosen |= {"metrics": QUICK} | options
        return audit(extractor, queries=queries, out=tmp_path / out, **chosen)

    return call


def loss(result):
    table = result.table().set_index("metric")
    return float(table.loc["fiber_loss_relative", "value"])


def test_a_network_is_audited_in_one_call_and_its_draws_are_on_the_fiber(tmp_path):
    parts = {"prior": "toy-gaussian", "sampler": FAST, "plugins": [TOY]}
    result = audit(First().eval(), queries=ROWS, draws=2, out=tmp_path, **parts)

    assert result.passed
    assert loss(result) < 0.01
    assert result.report.is_file()
    assert set(result.records["audit"]) == {"network/prior/moment-matched"}


@pytest.mark.parametrize(
    ("extractor", "queries", "prior"),
    [
        (lambda x: x[:, :2], ROWS.numpy(), "toy-gaussian"),
        (LinearExtractor(torch.eye(4)[:2]), torch.utils.data.TensorDataset(ROWS), "toy-gaussian"),
        ("toy-first-two", {"use": "toy-points", "n": 6}, {"use": "toy-gaussian"}),
        (First().eval(), "toy-points", GaussianPrior(torch.zeros(4), torch.eye(4))),
    ],
    ids=["function-array", "extractor-dataset", "names", "module-prior"],
)
def test_each_part_may_be_an_object_a_name_or_a_table(go, extractor, queries, prior):
    assert loss(go(extractor, queries, prior=prior)) < 0.01


def test_several_networks_are_several_audits(go):
    result = go({"first": First().eval(), "all": lambda x: x})

    assert {a.partition("/")[0] for a in result.records["audit"]} == {"first", "all"}


def test_the_network_that_was_given_is_not_changed(go):
    network = First().eval()
    before = {name: p.clone() for name, p in network.named_parameters()}
    go(network)

    assert all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())
    assert not network.layer._forward_hooks


class BatchNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(x)


@pytest.mark.parametrize(
    ("network", "part"),
    [
        (BatchNorm(), "training mode; call .eval()"),
        (lambda x: x.detach()[:, :2], "no gradient"),
        (lambda x: x - x.mean(0), "row 0 alone differs"),
        (lambda x: x[: len(x) // 2], "features"),
        (lambda x: (x, x), "returned a tuple"),
        (lambda x: x[:, 7:9].sum(1) / 0, "not all finite"),
        (lambda x: x + torch.randn_like(x), "random"),
        (nn.Conv2d(3, 8, 3).eval(), "cannot be called on queries of shape (4,) float32"),
        (3, "a int cannot be audited"),
    ],
)
def test_a_network_that_breaks_the_contract_is_refused_and_nothing_is_written(
    go, tmp_path, network, part
):
    with pytest.raises(UsageError) as caught:
        go(network)

    assert part in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scale", [255.0, float("nan")])
def test_pictures_outside_data_space_are_refused_with_the_way_out(go, scale):
    pictures = torch.rand(3, 1, 4, 4) * scale
    with pytest.raises(UsageError, match="query-0"):
        go(lambda x: x.flatten(1), pictures)


def test_uint8_pictures_are_refused_with_the_way_out(go):
    pictures = (torch.rand(3, 1, 4, 4) * 255).to(torch.uint8)
    with pytest.raises(UsageError, match="float32"):
        go(lambda x: x.flatten(1).float(), pictures)


def test_wrong_names_and_options_are_told_as_in_a_suite(go):
    with pytest.raises(SuiteError, match="Did you mean 'toy-gaussian'"):
        go(First().eval(), prior="toy-gausian")
    with pytest.raises(SuiteError, match="no such option"):
        go(First().eval(), sampler={"use": "moment-matched", "stesp": 3})
    with pytest.raises(UsageError, match="a int is none"):
        go(First().eval(), prior=3)


def test_the_same_call_again_draws_nothing_and_another_network_does(go):
    first = go(First().eval())
    units = {p: p.stat().st_mtime_ns for p in (first.path / "units").iterdir()}
    go(First().eval())
    assert units == {p: p.stat().st_mtime_ns for p in (first.path / "units").iterdir()}

    changed = First().eval()
    with torch.no_grad():
        changed.layer.weight.mul_(2)
    go(changed)
    assert set(units) < set((first.path / "units").iterdir())


def test_every_network_has_a_directory_of_its_own_by_default(tmp_path, pageless, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {audit(f, queries=ROWS, **PLAIN).path for f in (lambda x: x[:, :2], lambda x: x[:, 2:])}

    assert len(paths) == 2


def test_a_suite_runs_from_a_file_a_dict_and_a_model_to_the_same_records(
    toy_suite, tmp_path, pageless
):
    import tomllib

    path = toy_suite()
    suite = fiber_audit.load_suite(path, plugins=[TOY])
    table = tomllib.loads(path.read_text())
    found = [
        fiber_audit.run(each, out=tmp_path / str(i), plugins=[TOY]).table()
        for i, each in enumerate((path, table, suite))
    ]

    pd.testing.assert_frame_equal(found[0], found[1])
    pd.testing.assert_frame_equal(found[0], found[2])


def test_conditions_decide_whether_a_result_passed(go):
    strict = go(First().eval(), conditions=[{"metric": "diversity", "max": 0.0}])

    assert not strict.passed
    assert "not passed" in strict._repr_html_()
    assert strict.verdicts[0].status == "fail"


def test_pictures_can_be_shown_and_the_html_escapes_what_comes_from_outside(go):
    images = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))

    class Pixels(GaussianPrior):
        def __init__(self):
            super().__init__(torch.full((16,), 0.5), 0.01 * torch.eye(16))
            self.data_range = (0.0, 1.0)

        def decode(self, state):
            return state.reshape(-1, 1, 4, 4)

        def encode(self, x):
            return x.flatten(1)

    result = go({"<b>": lambda x: x.flatten(1)[:, :2]}, images, prior=Pixels())
    figure = result.show(queries=2)

    assert len(figure.axes) == 2 * 3
    assert "<b>/" not in result._repr_html_()
    with pytest.raises(UsageError, match="no pictures"):
        result.show("nosuch")


def test_numpy_float64_rows_are_refused_in_one_sentence(go):
    with pytest.raises(UsageError, match="float32"):
        go(lambda x: x[:, :2], ROWS.numpy().astype(np.float64))


def test_the_package_has_types_and_its_import_no_torch():
    code = "import fiber_audit, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

    assert all(getattr(fiber_audit, name) is not None for name in fiber_audit.__all__)
    assert (Path(fiber_audit.__file__).parent / "py.typed").is_file()


class Nudged(Sampler):
    """The prior's draw moved by a layer, and by a long row of weights."""

    def __init__(self, factor=1.0):
        self.layer = nn.Linear(4, 4, bias=False)
        self.row = torch.zeros(5000)
        with torch.no_grad():
            self.layer.weight.copy_(factor * torch.eye(4))

    def sample(self, problem, noise):
        with torch.no_grad():
            return finish(problem, self.layer(unguided(problem.prior, noise, 5)))


class Largest(Metric):
    """The largest column of a draw, times a factor that a tensor holds."""

    axis, better, unit = "health", "lower", ""

    def __init__(self, factor=1.0):
        self.factor = torch.zeros(3000)
        self.factor[1500] = factor

    def observe(self, block):
        return {"largest": self.factor.max() * block.data.amax(1)}

    def summarise(self, seen):
        values = seen.draws("largest")
        return [Statistic(float(values.mean()), n=len(values))]


class Cloud(Dataset):
    """Points of a class, with labels and fresh samples about a centre."""

    data_shape = (4,)

    def __init__(self, centre=0.0):
        self.centre = centre
        self.ids = tuple(f"p{i}" for i in range(len(ROWS)))
        self.labels = torch.zeros(len(ROWS), dtype=torch.long)

    def load(self, indices):
        return ROWS[list(indices)]

    def reference(self, n, generator):
        return self.centre + torch.randn(n, 4, generator=generator)


def units(result):
    return {p.name for p in (result.path / "units").iterdir()}


def closing_over(network):
    return lambda x: network(x)


def held_late():
    made = Nudged()
    made.row[2500] = 1.0
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Nudged(), Nudged(3.0)),
        (Nudged(), held_late()),
        (torch.zeros(9, 999), torch.zeros(999, 9)),
        (np.zeros(5000), np.eye(5000, 1)[:, 0]),
        ({"a": [torch.zeros(3)]}, {"a": [torch.ones(3)]}),
        (closing_over(nn.Linear(3, 3)), closing_over(nn.Linear(3, 3))),
        (nn.Linear(3, 3).forward, nn.Linear(3, 3).forward),
        (lambda x: x + 1, lambda x: x + 2),
        (Cloud(0.0), Cloud(1.0)),
        (nn.Dropout(0.1), nn.Dropout(0.2)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_an_object_holds_is_its_identity_and_where_it_lies_is_not(one, other):
    import copy

    assert content(one) != content(other)
    assert content(copy.deepcopy(one)) == content(one)


def test_content_is_the_same_in_another_process_and_never_fails():
    import threading

    code = "from fiber_audit._front.content import content; import torch\n"
    code += "print(content({'a': {3, 'b'}, 'c': torch.arange(4), 'd': torch.nn.ReLU()}))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == content(
        {"a": {3, "b"}, "c": torch.arange(4), "d": torch.nn.ReLU()}
    )

    class Rude:
        def __repr__(self):
            raise RuntimeError("no")

        def __reduce_ex__(self, protocol):
            raise RuntimeError("no")

    itself = [Rude(), threading.Lock(), iter([1]), sys.stderr, sys]
    itself.append(itself)
    assert content(itself) == content(itself)


def test_a_sampler_of_other_weights_draws_anew_and_the_same_one_does_not(go):
    first = units(go(First().eval(), sampler=Nudged()))
    assert units(go(First().eval(), sampler=Nudged())) == first
    assert units(go(First().eval(), sampler=Nudged(3.0))) > first


def test_a_prior_that_was_run_is_the_prior_that_it_was(go):
    prior = GaussianPrior(torch.zeros(4), torch.eye(4))
    before = content(prior)
    go(First().eval(), prior=prior)

    assert content(prior) == before


def test_a_function_that_closes_over_other_weights_is_another_network(go):
    network = First().eval()
    first = units(go(closing_over(network)))
    assert units(go(closing_over(network))) == first
    with torch.no_grad():
        network.layer.weight.mul_(1 + 1e-6)  # no answer differs in 4 digits
    assert units(go(closing_over(network))) > first


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"queries": ROWS}, {"queries": ROWS + 1e-3 * torch.arange(24).view(6, 4).eq(23)}),
        ({"queries": ROWS, "labels": [0] * 6}, {"queries": ROWS, "labels": [0] * 5 + [1]}),
        ({"queries": Cloud(0.0)}, {"queries": Cloud(1.0)}),
        ({"sampler": Nudged()}, {"sampler": Nudged(2.0)}),
    ],
    ids=["rows", "labels", "reference", "sampler"],
)
def test_other_data_or_weights_have_a_run_directory_of_their_own_by_default(
    tmp_path, pageless, monkeypatch, ours, theirs
):
    monkeypatch.chdir(tmp_path)
    fixed = PLAIN | {"queries": ROWS}
    paths = [audit(First().eval(), **(fixed | each)).path for each in (ours, theirs, ours)]

    assert paths[0] == paths[2] != paths[1]


def test_metrics_can_be_added_in_the_same_default_directory(tmp_path, pageless, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {
        audit(First().eval(), queries=ROWS, **PLAIN | {"metrics": ["toy_loss", *more]}).path
        for more in ([], [Largest()])
    }

    assert len(paths) == 1


def test_the_first_n_of_a_dataset_are_audited_with_the_labels_that_were_given():
    view = dataset_of(Cloud(), [5, 4, 3, 2, 1, 0], 2)

    assert list(view.ids) == ["p0", "p1"]
    assert view.labels.tolist() == [5, 4]
    assert dataset_of(Cloud(), [7, 8], 2).labels.tolist() == [7, 8]
    assert dataset_of(Cloud(), None, 3).labels.tolist() == [0, 0, 0]
    assert torch.equal(view.load([1]), ROWS[1:2])
    assert view.reference(2, torch.Generator()).shape == (2, 4)


def test_labels_and_n_count_for_datasets_by_name_and_by_object(go):
    class Labels(Largest):
        def observe(self, block):
            return {"largest": block.labels.float()}

    for queries, labels in (
        ("toy-points", [2, 4, 9]),
        ({"use": "toy-points"}, [2, 4, 9]),
        (Cloud(), [2, 4, 9, 0, 0, 0]),
        (ROWS, [2, 4, 9]),
    ):
        table = go(First().eval(), queries, n=3, labels=labels, metrics=[Labels()]).table()
        found = table.set_index("metric").loc["labels"]
        assert (found["value"], found["n"]) == (5.0, 3)


def test_several_names_are_audits_by_the_users_keys_and_a_single_one_by_its_own(go):
    both = go({"old": "toy-first-two", "new": "toy-first-two"})
    alone = go({"use": "toy-first-two"}, out="alone")

    assert {a.partition("/")[0] for a in both.records["audit"]} == {"old", "new"}
    assert {a.partition("/")[0] for a in alone.records["audit"]} == {"toy-first-two"}


def test_objects_go_by_the_plain_name_of_their_class_and_a_second_one_by_a_number(go):
    metrics = [Largest(), Largest(2.0), {"use": "toy_loss"}]
    bounds = [{"metric": "largest", "max": 99.0}, Condition("largest-2", min=-99.0)]
    result = go(First().eval(), sampler=Nudged(), metrics=metrics, conditions=bounds)
    table = result.table().set_index("metric")["value"]

    assert result.passed
    assert len(result.verdicts) == 2
    assert set(result.records["audit"]) == {"network/prior/nudged"}
    assert table["largest-2"] == pytest.approx(2 * table["largest"])


def test_an_object_never_takes_the_name_of_a_metric_by_name(go):
    largest = type("Toy_Loss", (Largest,), {})()
    table = go(First().eval(), metrics=[largest, "toy_loss"]).table()

    assert set(table["metric"]) == {"toy_loss", "toy_loss-2", "draws_lost"}


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(ROWS)


@pytest.mark.parametrize(
    ("queries", "options", "part"),
    [
        ({"use": "toy-points", "m": 3}, {}, "queries.m = 3: no such option"),
        ({"use": "toy-points", "n": "three"}, {}, "queries.n = 'three'"),
        ({"use": "toy-points"}, {"n": "three"}, "queries.n = 'three'"),
        ({"n": 3}, {}, "names no component"),
        (torch.tensor(1.0), {}, "without a length"),
        (Endless(), {}, "without a length"),
        (ROWS[:0], {}, "there are none"),
        (np.array(["a", "b"]), {}, "is no number"),
        ([ROWS[0], ROWS[1, :3]], {}, "resize them to one shape"),
        (ROWS, {"labels": [1, 2]}, "labels: (2,) for 6 queries"),
        (ROWS, {"labels": range(7)}, "labels: (7,) for 6 queries"),
        (ROWS, {"labels": ["a"] * 6}, "labels: no integers"),
        (ROWS, {"labels": [0.5] * 6}, "with fractions"),
        (Cloud(), {"labels": [1]}, "labels: (1,) for 6 queries"),
        (Cloud(), {"n": 7}, "n = 7: there are 6 queries"),
        (ROWS, {"n": 2.5}, "n = 2.5"),
        (ROWS, {"sampler": {"steps": 3}}, "names no component"),
        (ROWS, {"metrics": 3}, "no list"),
        (ROWS, {"conditions": [3]}, "give a table"),
    ],
)
def test_what_cannot_be_audited_is_told_in_one_sentence(go, tmp_path, queries, options, part):
    with pytest.raises(UsageError) as caught:
        go(lambda x: x[:, :2], queries, **options)

    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_dataset_is_made_once_to_try_any_number_of_networks(go, monkeypatch):
    from fiber_audit._front import door

    made, make = [], door.made_of
    monkeypatch.setattr(door, "made_of", lambda *given: made.append(1) or make(*given))
    go({"a": lambda x: x[:, :2], "b": lambda x: x[:, 1:3], "c": "toy-first-two"}, "toy-points")

    assert made == [1]


def test_the_prior_that_was_given_is_not_changed(go):
    prior = GaussianPrior(torch.zeros(4), torch.eye(4))
    prior.network.extra = nn.Linear(2, 2)
    prior.network.train()
    go(First().eval(), prior=prior, out="prior")

    assert prior.network.training
    assert all(p.requires_grad for p in prior.network.parameters())


def test_a_function_that_ends_the_program_is_one_sentence(go):
    with pytest.raises(UsageError, match="SystemExit"):
        go(lambda x: sys.exit(0))


def test_columns_of_a_table_are_attributes_and_the_result_says_which_are_ignored(go):
    rows = torch.randn(40, 4, generator=seeded(1))
    result = go(First().eval(), queries=rows, draws=3, metrics=None)

    (told,) = result.sentences.values()
    assert "pins column 0 (0 % [0, 0]) and column 1 (0 % [0, 0])" in told
    assert told in result._repr_html_().replace("&#x27;", "'")
    index = result.records.query("metric == 'invariance' and query.isna()").set_index("statistic")
    assert min(index.loc["column 2", "value"], index.loc["column 3", "value"]) > 0.7


def test_functions_are_attributes_of_numbers_or_of_classes(go):
    side = {"side": lambda x: (x[:, 0] > 0).long(), "third": lambda x: x[:, 2]}
    result = go(First().eval(), draws=3, attributes=side, metrics=None)

    names = set(result.records.query("metric == 'invariance'")["statistic"])
    assert {"side", "third", "side p"} <= names


def test_metrics_of_the_user_s_own_bring_no_attributes(go):
    assert go(First().eval(), metrics=["fiber_loss_relative"]).sentences == {}


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        (3, "a int is none"),
        (lambda x: x.mean(), "attributes.mine: shape: read\\(\\) gives"),
        (lambda x: x / 0 - x / 0, "not finite"),
        (lambda x: x.nothing, "cannot read queries of shape"),
        (lambda x: x[:, 0] - x[:, 0].mean(), "attributes.mine: alone"),
        ("colum", "Did you mean 'column'"),
    ],
)
def test_what_is_no_attribute_is_told_before_anything_is_drawn(go, tmp_path, attribute, told):
    with pytest.raises(UsageError, match=told):
        go(First().eval(), attributes={"mine": attribute}, metrics=None)

    assert not (tmp_path / "run").exists()
