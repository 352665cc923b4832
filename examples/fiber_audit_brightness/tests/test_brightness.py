import torch
from fiber_audit_brightness import Brightness

import fiber_audit
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
    assert check_extractor(Brightness(), torch.rand(3, 3, 28, 28), again=Brightness) == []


def test_brightness_says_little_about_the_digit(tmp_path):
    result = fiber_audit.run(SUITE, out=tmp_path / "run")
    records = result.records
    pooled = records[records["query"].isna() & (records["statistic"] == "mean")]
    value = pooled.set_index("metric")["value"]

    assert value["fiber_loss_relative"] < 0.2
    assert value["shape_agreement"] < 0.9
    assert result.report.stat().st_size > 10_000
