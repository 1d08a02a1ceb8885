import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.face.region import FaceRegion

coordinate = st.floats(-500, 500, width=32)
regions = st.builds(
    FaceRegion,
    st.tuples(coordinate, coordinate),
    st.floats(8, 2000, width=32),
    st.floats(-3, 3, width=32),
)


@given(regions, st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=8))
def test_to_image_undoes_to_unit(region: FaceRegion, points: list[tuple[float, float]]) -> None:
    xy = np.asarray(points, np.float32)
    assert np.allclose(region.to_image(region.to_unit(xy)), xy, atol=0.05)


@given(regions)
def test_corners_hold_the_whole_region(region: FaceRegion) -> None:
    again = FaceRegion.from_corners(region.corners())
    assert np.allclose(again.center_xy, region.center_xy, atol=0.05)
    assert again.size_px == pytest.approx(region.size_px, rel=1e-3)
    turn = (again.roll_rad - region.roll_rad + np.pi) % (2 * np.pi) - np.pi
    assert turn == pytest.approx(0, abs=2e-2)


def test_a_crop_shows_what_the_region_frames() -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    image[40:60, 50:70] = 255  # A white square around (60, 50) of side 20.
    crop = FaceRegion((59.5, 49.5), 40.0).crop(image, 80)
    white = np.argwhere(crop[..., 0] > 127)
    assert white.min(axis=0).tolist() == pytest.approx([20, 20], abs=1)
    assert white.max(axis=0).tolist() == pytest.approx([59, 59], abs=1)


@pytest.mark.parametrize("angle_deg", [-40.0, 0.0, 25.0])
def test_landmarks_fit_an_upright_crop(angle_deg: float) -> None:
    face = np.array([[-30, -20], [30, -20], [0, 10], [-15, 40], [15, 40]], np.float32)
    a = np.radians(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]], np.float32)
    region = FaceRegion.from_landmarks(face @ turn.T + [200, 150], (0, 1))
    unit = region.to_unit(np.asarray(face @ turn.T + [200, 150], np.float32))
    assert unit[0, 1] == pytest.approx(unit[1, 1], abs=1e-4)  # The eyes are level.
    assert np.abs(unit).max() == pytest.approx(0.5 / 1.5, abs=1e-3)  # 1.5 times the box.
    assert region.roll_rad == pytest.approx(a, abs=1e-4)


def test_shrinking_a_large_image_does_not_alias() -> None:
    stripes = np.zeros((1600, 1600, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = FaceRegion((800, 800), 1500).crop(stripes, 100)
    assert np.abs(crop.astype(int) - 127).max() < 20
