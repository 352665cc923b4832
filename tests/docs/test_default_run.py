"""What the docs say of the default run was measured, and its pieces fit together."""

import csv
import re
import tomllib
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]


def suite(name):
    return tomllib.loads(files("fiber_audit").joinpath("suites", f"{name}.toml").read_text())


def measured():
    with (ROOT / "benchmarks" / "results" / "default_run.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_sentence_of_the_readme_is_one_that_the_default_run_ended_with():
    quoted = re.findall(r"^    (\w+ ignores .*)$", (ROOT / "README.md").read_text(), re.M)

    assert quoted
    assert {*quoted} <= {row["sentence"] for row in measured()}


def test_the_default_suite_was_measured_for_each_of_its_extractors():
    extractors = {row["extractor"] for row in measured()} - {""}

    assert extractors == suite("color-mnist")["extractors"].keys()


def test_the_paper_s_suite_is_the_default_one_but_for_its_samplers():
    default, paper = suite("color-mnist"), suite("color-mnist-paper")
    for own in ("name", "samplers", "exclude", "conditions"):
        default.pop(own, None)
        paper.pop(own)

    assert paper == default
