from collections.abc import Sequence
from typing import Literal

import pytest

from fiber_audit._suite.options import defaults_of, problems_of, resolved, validated
from fiber_audit.contracts import Count, Fraction, Positive


def factory(*, steps: Count = 10, rate: Positive = 0.1, share: Fraction = 0.5,
            mode: Literal["a", "b"] = "a", anchors: float | Sequence[Sequence[float]] = 1.0,
            on: bool = True) -> None: ...  # fmt: skip


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"stesp": 3}, "Did you mean 'steps'"),
        ({"steps": -1}, "samplers.x.steps = -1: Input should be greater than or equal to 1"),
        ({"steps": "many"}, "samplers.x.steps = 'many': Input should be a valid integer"),
        ({"steps": 2.5}, "valid integer"),
        ({"steps": True}, "valid integer"),
        ({"rate": 0}, "greater than 0"),
        ({"share": 2}, "less than or equal to 1"),
        ({"mode": "c"}, "'a' or 'b'"),
        ({"on": 1}, "valid boolean"),
    ],
)
def test_each_wrong_option_is_one_sentence_with_value_and_path(options, part):
    (problem,) = problems_of(factory, options, "samplers.x")

    assert part in problem
    assert problem.startswith("samplers.x.")


def test_right_options_pass_and_an_integer_may_stand_for_a_float():
    assert problems_of(factory, {"rate": 1, "anchors": [[0, 1, 1, 0.5]], "steps": 3}, "x") == []


def test_every_problem_is_reported_at_once():
    assert len(problems_of(factory, {"steps": 0, "mode": 1, "what": 2}, "x")) == 3


def test_a_missing_required_option_is_named():
    def needs(*, path: str) -> None: ...

    assert problems_of(needs, {}, "queries") == ["queries.path: this option is required."]
    assert defaults_of(factory)["steps"] == 10


def test_a_list_becomes_the_tuple_that_the_annotation_asks_for():
    def pair(*, travel: tuple[float, float] = (0.3, 0.7)) -> None: ...

    assert validated(pair, {"travel": [0, 1]}) == {"travel": (0.0, 1.0)}
    assert problems_of(pair, {"travel": [1]}, "x")


def test_options_may_have_any_name_that_a_model_uses_itself():
    def awkward(*, copy: int = 1, model_config: int = 2, json: int = 3) -> None: ...

    assert validated(awkward, {"copy": 5, "json": 4}) == {"copy": 5, "json": 4}
    assert len(problems_of(awkward, {"model_config": "x"}, "x")) == 1


def test_defaults_are_part_of_what_a_component_is():
    def before(*, steps: int = 10) -> None: ...
    def after(*, steps: int = 20) -> None: ...

    assert resolved(before, {}) != resolved(after, {})
    assert resolved(before, {"steps": 20}) == resolved(after, {})


def test_a_factory_without_keyword_arguments_is_one_sentence():
    for factory in (lambda x, /: None, int.from_bytes, dict):
        found = problems_of(factory, {"a": 1}, "metrics[0]")
        assert len(found) >= 1
        assert all(p.startswith("metrics[0]") for p in found)
