from collections.abc import Sequence
from typing import Literal

import pytest

from fiber_audit.contracts import Count, Fraction, Positive
from fiber_audit.options import defaults_of, problems_of


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
