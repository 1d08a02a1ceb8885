import numpy as np
import pytest

from visavis.face.glimpse import Glimpse
from visavis.face.region import FaceRegion

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(20, 230, (240, 320, 3)).astype(np.uint8)
FACE = FaceRegion((160.0, 120.0), 100.0, 0.3)


def test_a_picture_encoded_again_is_the_same() -> None:
    changed = (PICTURE + RANDOM.integers(-2, 3, PICTURE.shape)).astype(np.uint8)
    assert Glimpse(PICTURE, FACE).same(changed)
    assert not Glimpse(PICTURE, FACE).moved(changed)


def test_a_cameras_noise_is_a_change_but_no_movement() -> None:
    noisy = np.clip(PICTURE + RANDOM.normal(0, 5, PICTURE.shape), 0, 255).astype(np.uint8)
    assert not Glimpse(PICTURE).same(noisy)
    assert not Glimpse(PICTURE).moved(noisy)


def test_something_of_a_small_faces_size_is_a_movement() -> None:
    entered = PICTURE.copy()
    entered[100:130, 40:70] = 255 - entered[100:130, 40:70]
    assert Glimpse(PICTURE).moved(entered)
    assert Glimpse(PICTURE, FACE).same(entered)  # It is not in the face's region.


@pytest.mark.parametrize("shift_px", [1, 2])
def test_a_face_that_shifts_is_not_the_same(shift_px: int) -> None:
    assert not Glimpse(PICTURE, FACE).same(np.roll(PICTURE, shift_px, axis=1))


@pytest.mark.parametrize("size", [(240, 318), (1, 1), (240, 1)])
def test_a_picture_of_another_size_is_a_change(size: tuple[int, int]) -> None:
    other = np.zeros((*size, 3), np.uint8)
    assert not Glimpse(PICTURE, FACE).same(other)
    assert Glimpse(PICTURE, FACE).moved(other)


@pytest.mark.parametrize("center", [(-500.0, 120.0), (160.0, 900.0), (319.0, 239.0)])
def test_a_region_outside_the_picture_is_compared_at_its_edge(center: tuple[float, float]) -> None:
    glimpse = Glimpse(PICTURE, FaceRegion(center, 50.0))
    assert glimpse.same(PICTURE)
    assert not glimpse.same(255 - PICTURE)
