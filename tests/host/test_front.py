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
from fiber_audit import SuiteError, UsageError, audit
from fiber_audit.testing import GaussianPrior, LinearExtractor

TOY = str(Path(__file__).with_name("toy.py"))
ROWS = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
FAST = {"use": "moment-matched", "steps": 5, "polish": 2}


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
def go(tmp_path):
    def call(extractor, queries=ROWS, out="run", **options):
        chosen = {"prior": "toy-gaussian", "sampler": FAST, "draws": 2, "plugins": [TOY]} | options
        return audit(extractor, queries=queries, out=tmp_path / out, **chosen)

    return call


def loss(result):
    table = result.table().set_index("metric")
    return float(table.loc["fiber_loss_relative", "value"])


def test_a_network_is_audited_in_one_call_and_its_draws_are_on_the_fiber(go):
    result = go(First().eval())

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


def test_every_network_has_a_directory_of_its_own_by_default(go, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = {
        audit(f, prior="toy-gaussian", queries=ROWS, sampler=FAST, draws=1, plugins=[TOY]).path
        for f in (lambda x: x[:, :2], lambda x: x[:, 2:])
    }

    assert len(paths) == 2


def test_a_suite_runs_from_a_file_a_dict_and_a_model_to_the_same_records(toy_suite, tmp_path):
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
    code = (
        "import fiber_audit, sys; assert 'torch' not in sys.modules;"
        "assert all(getattr(fiber_audit, n) is not None for n in fiber_audit.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

    assert (Path(fiber_audit.__file__).parent / "py.typed").is_file()
