from dataclasses import replace

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


@pytest.mark.parametrize("crop_px", [60, 130, 290])
def test_a_shrunk_crop_lies_where_the_region_says(crop_px: int) -> None:
    # Brightness grows with x, so a pixel's value tells where it came from; 641 does not divide well.
    ramp = np.broadcast_to(np.linspace(0, 255, 641)[None, :, None], (601, 641, 3))
    image = np.rint(ramp).astype(np.uint8)
    region = FaceRegion((320.0, 300.0), 580.0)
    rising, falling = (region.crop(each, crop_px).astype(float)[:, 2:-2] for each in (image, 255 - image))
    crop = (rising + 255 - falling) / 2  # Free of the bias with which means of pixels are rounded.
    unit = (np.arange(crop_px) + 0.5) / crop_px - 0.5
    came_from = 320.0 + unit[2:-2] * 580.0
    shift_px = (crop.mean(axis=(0, 2)) / 255 * 640 - came_from).mean() * crop_px / 580.0
    assert shift_px == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_a_crop_of_a_thin_image_is_no_error(size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 200, np.uint8)
    assert FaceRegion((0.0, 0.0), 3000.0).crop(image, 96).shape == (96, 96, 3)


@pytest.mark.parametrize("size_px", [300.0, 700.0, 1500.0])
def test_a_crop_does_not_depend_on_what_lies_around_the_face(size_px: float) -> None:
    # The same face in a large frame and in its own surroundings: the same crop.
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (2000, 2400, 3), np.uint8)
    region = FaceRegion((1200.0, 1000.0), size_px, 0.3)
    x0, y0 = (int(v) for v in (1200 - 0.7 * size_px, max(1000 - 0.7 * size_px, 0)))
    near = np.ascontiguousarray(frame[y0 : y0 + int(1.4 * size_px), x0 : x0 + int(1.4 * size_px)])
    moved = FaceRegion((1200.0 - x0, 1000.0 - y0), size_px, 0.3)
    assert np.abs(region.crop(frame, 160).astype(int) - moved.crop(near, 160)).mean() < 2


@pytest.mark.parametrize("size_px", [20.0, 133.7, 900.0])
@pytest.mark.parametrize("roll_rad", [0.0, -0.3, 2.9])
def test_near_regions_round_to_the_same_one_which_is_near_too(size_px: float, roll_rad: float) -> None:
    region = FaceRegion((321.7, 99.2), size_px, roll_rad)
    rounded = region.rounded()
    assert rounded.rounded() == rounded
    assert np.abs(region.corners() - rounded.corners()).max() < 0.008 * size_px
    a_little = 1e-5 * size_px
    near = FaceRegion((rounded.center_xy[0] + a_little, rounded.center_xy[1] - a_little), rounded.size_px)
    assert replace(near, roll_rad=rounded.roll_rad + 1e-5).rounded() == rounded
