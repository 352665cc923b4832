"""The shipped suites: valid, honest without weights, and the known blind spot is found."""

from __future__ import annotations

import pytest
import torch
from fiber_audit_fid.blind_spot_matrix import blind_spot_matrix

from fiber_audit._run import Options, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import read


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.mark.parametrize("name", ["fid-color-mnist", "fid-inception"])
def test_the_shipped_suites_are_valid(name, catalogue):
    assert read(name, catalogue).name == name


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("extractors.tf.resize='cubic'", "tf1"),
        ("extractors.tf.layer='2049'", "2048"),
        ("extractors.tf.seed=-1", "greater than or equal to 0"),
        ("extractors.tf.antialias=true", "no such option"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(setting, said, catalogue):
    with pytest.raises(ValueError, match=said):
        read("fid-inception", catalogue, [setting])


def test_without_weights_every_row_is_skipped_and_says_which_file_goes_where(
    catalogue, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    suite = read("fid-inception", catalogue, ["queries.n=2", "unguided_steps=2"])
    records = run(suite, catalogue, Options(out=tmp_path / "run")).records

    records = records[records["metric"] != "draws_lost"]

    assert (records["status"] == "skipped").all()
    assert records["value"].isna().all()
    for file in ("weights-inception-2015-12-05-6726825d.pth", "inception_v3_google-0cc3c7bd.pth"):
        assert records["message"].str.contains(f"put {file} into {tmp_path}/hub").any()


@pytest.mark.slow
def test_one_classifier_hides_from_itself_what_its_twin_sees(catalogue, tmp_path):
    only = 'exclude=[{extractor="shape"},{extractor="colour"},{extractor="classifier-b"}]'
    suite = read("fid-color-mnist", catalogue, [only])
    done = run(suite, catalogue, Options(out=tmp_path / "run"))
    row = blind_spot_matrix(done.records).loc["classifier/latent/ndtm"]
    rows = done.records[done.records["metric"] == "blind_spot"]
    seen = rows.set_index(["statistic", "seen_by"])
    scores = done.records[done.records["metric"] == "blind_spot_score"].set_index("statistic")

    assert [verdict.status for verdict in done.verdicts] == ["pass"]
    assert row.idxmin() == "classifier"
    assert seen["ci_high"]["relative", "classifier"] < seen["ci_low"]["relative", "classifier-b"]
    assert scores["value"]["mean"] > 0.8
    assert seen["ci_low"]["hidden", "classifier-b"] > 0
    assert "it hides" in seen["message"]["hidden", "classifier-b"]
