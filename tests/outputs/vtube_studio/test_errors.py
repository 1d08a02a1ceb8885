"""The messages for VTube Studio's errors."""

from __future__ import annotations

import pytest

from visavis.outputs.vtube_studio.errors import MESSAGES, VTubeStudioError

# Files/ErrorID.cs of DenchiSoft/VTubeStudio: the first number of each group, and how many follow it.
GROUPS = """0+9 50+4 100+2 150+4 200+8 250+2 300+2 350+6 400+3 450+5 500+0 550+1 600+1 650+2 700+6 750+10
800+0 850+4 900+3 950+0 1000+3 1050+4 1100+2 1150+0 1200+6 1250+5 100000+0 100050+0 100100+0 100150+1
100200+1"""
DOCUMENTED = [
    int(first) + number
    for first, more in (group.split("+") for group in GROUPS.split())
    for number in range(int(more) + 1)
]


@pytest.mark.parametrize("number", DOCUMENTED)
def test_each_documented_error_has_one_line_that_says_what_to_do(number: int) -> None:
    text = str(VTubeStudioError(number, "what VTube Studio itself says"))
    assert text == f"VTube Studio: {MESSAGES[number]} (error {number})"
    assert "\n" not in text
    assert len(text) < 140


def test_no_message_is_for_an_error_that_does_not_exist() -> None:
    assert {*MESSAGES} == {*DOCUMENTED}


def test_an_unknown_error_is_told_in_the_words_of_vtube_studio() -> None:
    assert str(VTubeStudioError(4711, "No\nway")) == (
        "VTube Studio: it says 'No\\nway'; update visavis (error 4711)"
    )
