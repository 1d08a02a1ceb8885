from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from visavis.base.words import counted, reason, rounded, shown, wrong_value


@pytest.mark.parametrize(("count", "told"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_a_count_agrees_with_its_noun(count: int, told: str) -> None:
    assert counted(count, "frame") == told


@pytest.mark.parametrize(
    ("value", "figure", "told"),
    [(0.12345, "0.1235", "12.3"), (-0.00001, "0.0", "0.0"), (None, "None", "-"), (float("nan"), "None", "-")],
)
def test_a_figure_has_no_minus_before_zero_and_may_be_missing(
    value: float | None, figure: str, told: str
) -> None:
    assert str(rounded(value)) == figure
    assert shown(value, 1, 100) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/x"), "No such file or directory"),
        (KeyError("fps"), "'fps' is missing"),
        (ValueError("two\n lines"), "two lines"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_reason_is_one_line_without_the_systems_number(error: Exception, told: str) -> None:
    assert reason(error) == told


class Some(BaseModel):
    count: int = 1
    share: float = Field(default=0.5, gt=0, le=1)
    side: int = Field(default=8, multiple_of=8)
    on: bool = True
    name: Literal["one", "two"] = "one"
    parts: tuple[str, ...] = Field(default=("a",), min_length=1)
    table: dict[str, str | list[int]] = Field(default_factory=dict)
    path: Path = Path()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"count": "x"}, "found 'x'; expected a whole number"),
        ({"count": 1.5}, "found 1.5; expected a whole number"),
        ({"share": []}, "found []; expected a number"),
        ({"share": 0}, "found 0; expected more than 0"),
        ({"share": 1.5}, "found 1.5; expected at most 1"),
        ({"side": 9}, "found 9; expected a multiple of 8"),
        ({"on": "perhaps"}, "found 'perhaps'; expected true or false"),
        ({"name": 3}, "found 3; expected 'one' or 'two'"),
        ({"parts": "x"}, "found 'x'; expected a list"),
        ({"parts": []}, "found []; expected 1 or more of them"),
        ({"table": 3}, "found 3; expected a table"),
        ({"table": {"a": 3}}, "found 3; expected a text or a list"),
        ({"path": 3}, "found 3; expected the path of a file or folder"),
        ({"count": "x" * 100}, f"found '{'x' * 59}...; expected a whole number"),
    ],
)
def test_a_wrong_value_is_told_in_our_words(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Some.model_validate(values)
    assert wrong_value(caught.value.errors()) == told
