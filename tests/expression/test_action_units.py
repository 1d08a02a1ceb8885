import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visavis.channels import ACTION_UNITS, BLENDSHAPES
from visavis.errors import InputError
from visavis.expression.action_units import MATRIX, TABLE, action_units

WEIGHTS = arrays(np.float32, 52, elements=st.floats(0, 1, width=32))


def read(**weights: float) -> dict[str, float]:
    values = np.asarray([weights.get(name, 0.0) for name in BLENDSHAPES], np.float32)
    return dict(zip(ACTION_UNITS, action_units(values).tolist(), strict=True))


def mirrored(weights: np.ndarray) -> np.ndarray:
    swapped = [
        name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in BLENDSHAPES
    ]
    return weights[[BLENDSHAPES.index(name) for name in swapped]]


def test_the_table_has_one_row_for_each_unit_and_a_source() -> None:
    assert tuple(TABLE) == ACTION_UNITS
    assert all(row.source and 0 <= row.rest < 0.5 for row in TABLE.values())
    assert MATRIX.shape == (15, 52)


@given(WEIGHTS)
def test_units_stay_between_zero_and_one(weights: np.ndarray) -> None:
    units = action_units(weights)
    assert units.dtype == np.float32
    assert (units >= 0).all()
    assert (units <= 1).all()


@given(WEIGHTS)
def test_left_and_right_count_the_same(weights: np.ndarray) -> None:
    np.testing.assert_allclose(action_units(weights), action_units(mirrored(weights)), atol=1e-6)


def test_a_face_at_rest_shows_nothing() -> None:
    assert max(read().values()) == 0
    assert max(read(eyeSquintLeft=0.24, eyeSquintRight=0.24, browOuterUpLeft=0.13).values()) < 1e-6


@pytest.mark.parametrize(
    ("unit", "shapes"),
    [
        ("AU1", ["browInnerUp"]),
        ("AU2", ["browOuterUpLeft", "browOuterUpRight"]),
        ("AU4", ["browDownLeft", "browDownRight"]),
        ("AU6", ["cheekSquintLeft", "cheekSquintRight"]),
        ("AU7", ["eyeSquintLeft", "eyeSquintRight"]),
        ("AU9", ["noseSneerLeft", "noseSneerRight"]),
        ("AU12", ["mouthSmileLeft", "mouthSmileRight"]),
        ("AU14", ["mouthDimpleLeft", "mouthDimpleRight"]),
        ("AU15", ["mouthFrownLeft", "mouthFrownRight"]),
        ("AU17", ["mouthShrugLower"]),
        ("AU23", ["mouthRollLower", "mouthRollUpper"]),
        ("AU24", ["mouthPressLeft", "mouthPressRight"]),
    ],
)
def test_a_full_movement_is_its_full_unit_and_no_other(unit: str, shapes: list[str]) -> None:
    units = read(**dict.fromkeys(shapes, 1.0))
    assert units.pop(unit) == pytest.approx(1)
    assert max(units.values()) == 0


def test_the_jaw_parts_the_lips_unless_they_stay_closed() -> None:
    assert read(jawOpen=0.8)["AU25"] > 0.7
    closed = read(jawOpen=0.8, mouthClose=0.8)
    assert closed["AU25"] == 0
    assert closed["AU26"] > 0.7


def test_raised_upper_lip_parts_the_lips_too() -> None:
    units = read(mouthUpperUpLeft=0.6, mouthUpperUpRight=0.6)
    assert units["AU10"] == pytest.approx(0.6)
    assert units["AU25"] > 0.5


def test_without_cheeks_the_cheek_raiser_needs_both_lids_and_smile() -> None:
    lids = {"eyeSquintLeft": 0.8, "eyeSquintRight": 0.8}
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}
    assert read(**lids)["AU6"] == 0
    assert read(**smile)["AU6"] == 0
    assert read(**lids, **smile)["AU6"] > 0.6


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="blendshape weights"):
        action_units(np.zeros(51, np.float32))
