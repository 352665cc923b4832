import torch

from fiber_audit.plugins import Catalogue
from fiber_audit.runner import Options, run
from fiber_audit.suite import parse
from fiber_audit.testing import check_extractor

SUITE = {
    "name": "brightness",
    "draws": 2,
    "metrics": ["fiber_loss_relative", "shape_agreement"],
    "queries": {"use": "color-mnist", "n": 4},
    "extractors": {"brightness": {}},
    "priors": {"latent": {"use": "color-mnist-latent"}},
    "samplers": {"ndtm": {"steps": 30, "inner_steps": 4, "guidance": 10.0}},
}


def test_the_extractor_keeps_the_contract():
    extractor = Catalogue.load().find("extractor", "brightness").factory()

    assert check_extractor(extractor, torch.rand(3, 3, 28, 28)) == []


def test_brightness_says_little_about_the_digit(tmp_path):
    catalogue = Catalogue.load()
    done = run(parse(SUITE, catalogue), catalogue, Options(out=tmp_path / "run"))
    pooled = done.records[done.records["query"].isna() & (done.records["statistic"] == "mean")]
    value = pooled.set_index("metric")["value"]

    assert value["fiber_loss_relative"] < 0.2
    assert value["shape_agreement"] < 0.9
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
