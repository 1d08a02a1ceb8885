"""The messages for VTube Studio's errors."""

from __future__ import annotations

import pytest

from visavis.outputs.vtube_studio.errors import MESSAGES, VTubeStudioError

# Files/ErrorID.cs of DenchiSoft/VTubeStudio: the first number of each group, and how many follow.
DOCUMENTED = [
    *range(10),
    *range(50, 55),
    *range(100, 103),
    *range(150, 155),
    *range(200, 209),
    *range(250, 253),
    *range(300, 303),
    *range(350, 357),
    *range(400, 404),
    *range(450, 456),
    500,
    *range(550, 552),
    *range(600, 602),
    *range(650, 653),
    *range(700, 707),
    *range(750, 761),
    800,
    *range(850, 855),
    *range(900, 904),
    950,
    *range(1000, 1004),
    *range(1050, 1055),
    *range(1100, 1103),
    1150,
    *range(1200, 1207),
    *range(1250, 1256),
    100000,
    100050,
    100100,
    *range(100150, 100152),
    *range(100200, 100202),
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
