"""The fuzzer's parsers take their seeds; the fuzzing itself is ``make fuzz``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.parsers import PARSERS, written


@pytest.mark.parametrize("name", PARSERS)
def test_parser_takes_its_seeds(name: str) -> None:
    seeds = PARSERS[name].seeds()
    assert seeds
    for seed in seeds:
        PARSERS[name].parse(seed)


def test_seeds_that_two_parsers_write_at_once_do_not_meet() -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"first")
        assert written(lambda other: other.write_bytes(b"second"), "npz")() == [b"second"]

    assert written(write, "npz")() == [b"first"]
