from __future__ import annotations

import errno
import os

import pytest

from visavis.base.words import counted, reason


@pytest.mark.parametrize(("count", "told"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_a_count_agrees_with_its_noun(count: int, told: str) -> None:
    assert counted(count, "frame") == told


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
