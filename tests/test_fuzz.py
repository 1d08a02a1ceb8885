"""The fuzzer's parsers take their seeds; the fuzzing itself is ``make fuzz``."""

from __future__ import annotations

import pytest

from fuzz.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_parser_takes_its_seeds(name: str) -> None:
    seeds = PARSERS[name].seeds()
    assert seeds
    for seed in seeds:
        PARSERS[name].parse(seed)
