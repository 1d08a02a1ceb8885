import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.expression.circumplex import POINTS, valence_arousal


def test_every_expression_has_a_point_inside_the_plane() -> None:
    assert set(POINTS) == set(EXPRESSIONS)
    assert all(-1 <= value <= 1 for point in POINTS.values() for value in point)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_sure_expression_sits_on_its_point(name: str) -> None:
    sure = np.eye(8, dtype=np.float32)[EXPRESSIONS.index(name)]
    assert valence_arousal(sure) == pytest.approx(POINTS[name])


@pytest.mark.parametrize(
    ("name", "valence", "arousal"),
    [
        ("happy", 1, 1),
        ("sad", -1, -1),
        ("fear", -1, 1),
        ("anger", -1, 1),
        ("surprise", 1, 1),
        ("neutral", 0, 0),
    ],
)
def test_quadrants_are_russells(name: str, valence: int, arousal: int) -> None:
    assert tuple(np.sign(POINTS[name])) == (valence, arousal)


@given(arrays(np.float32, 8, elements=st.floats(0.0625, 1, width=32)), st.floats(0, 1))
def test_mixing_faces_mixes_points(raw: np.ndarray, share: float) -> None:
    one = raw / raw.sum()
    other = one[::-1]
    mixed = valence_arousal(share * one + (1 - share) * other)
    expected = share * np.asarray(valence_arousal(one)) + (1 - share) * np.asarray(valence_arousal(other))
    assert mixed == pytest.approx(tuple(expected), abs=1e-5)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="expression probabilities"):
        valence_arousal(np.ones(7, np.float32) / 7)
