"""The embedded face network: its metadata, and limits of its answers."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.base import int8
from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.face.detector import FaceDetector
from visavis.face.network import FaceNetwork
from visavis.face.region import LANDMARK_MARGIN, FaceRegion


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, FaceRegion]:
    """A picture of a face, and where the face is."""
    with PortraitClip() as clip:
        picture = next(iter(clip)).image_rgb
    return picture, FaceRegion.from_box(FaceDetector().detect(picture)[0].box_xyxy, LANDMARK_MARGIN)


def test_channels_that_are_not_read_are_named_and_0(portrait: tuple[np.ndarray, FaceRegion]) -> None:
    network = FaceNetwork()
    places = [BLENDSHAPES.index(name) for name in network.not_read]
    picture, region = portrait
    for size in (0.7, 1.0, 1.3):
        (reading,) = network.read(picture, [region.scaled(size)])
        assert (reading.weights[places] == 0).all()
        assert (np.delete(reading.weights, places) > 0).all()
    assert (network.reliability[places] == 0).all()
    assert network.reliability.shape == (52,)
    assert len(network.landmark_numbers) == len(reading.landmarks)


def test_dense_layers_in_8_bits_change_a_reading_little(
    portrait: tuple[np.ndarray, FaceRegion], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, region = portrait
    readings = []
    for word in ("on", "off"):
        monkeypatch.setenv(int8.VARIABLE, word)
        readings += FaceNetwork().read(picture, [region])
    eight, wide = readings
    off = np.linalg.norm(eight.landmarks_xy - wide.landmarks_xy, axis=1)
    assert off.max() < 0.005 * region.size_px
    assert np.abs(eight.weights - wide.weights).max() < 0.03
    assert (off.max() > 0) == int8.STORED_RUNS


def covered(picture: np.ndarray, middle_xy: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    """The picture with a gray box."""
    (x, y), (wide, high) = middle_xy, half
    picture = picture.copy()
    picture[int(y - high) : int(y + high), int(x - wide) : int(x + wide)] = (90, 100, 110)
    return picture


@pytest.mark.parametrize(
    ("around", "half", "hidden"),
    [
        ((33, 133), (0.16, 0.13), [True, False, False]),
        ((362, 263), (0.16, 0.13), [False, True, False]),
        ((13, 14), (0.22, 0.14), [False, False, True]),
    ],
)
def test_a_covered_part_lowers_its_weights_reliability_alone(
    portrait: tuple[np.ndarray, FaceRegion],
    around: tuple[int, int],
    half: tuple[float, float],
    hidden: list[bool],
) -> None:
    network = FaceNetwork()
    picture, region = portrait
    (bare,) = network.read(picture, [region])
    assert (bare.visible > 0.95).all()
    rows = [network.landmark_numbers.index(number) for number in around]
    size = (half[0] * region.size_px, half[1] * region.size_px)
    (read,) = network.read(covered(picture, bare.landmarks_xy[rows].mean(axis=0), size), [region])
    assert (read.visible < 0.5).tolist() == hidden
    trust = read.reliability(network.reliability) / np.maximum(bare.reliability(network.reliability), 1e-6)
    shown = [trust[BLENDSHAPES.index(name)] for name in ("eyeBlinkRight", "eyeBlinkLeft", "jawOpen")]
    assert [value < 0.55 for value in shown] == hidden


def test_a_black_picture_shows_no_part() -> None:
    (read,) = FaceNetwork().read(np.zeros((200, 200, 3), np.uint8), [FaceRegion((100, 100), 150, 0.0)])
    assert (read.visible < 0.1).all()
