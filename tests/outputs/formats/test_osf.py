"""Packets are read as OpenSeeFace's ``Unity/OpenSee.cs`` does, and solved as its ``tracker.py`` does."""

from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from support.samples import face_state, no_face, sample
from visavis.base.address import Address
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.outputs.formats.osf import FEATURES, OsfEncoder, connect
from visavis.outputs.sample import Sample
from visavis.types import Face

SIZE = 8 + 4 + 2 * 4 + 2 * 4 + 1 + 4 + 4 * 4 + 3 * 4 + 3 * 4 + 4 * 68 + 4 * 2 * 68 + 4 * 3 * 70 + 4 * 14
# Those that OpenSeeFace finds the pose from.
CONTOUR = [0, 1, 8, 15, 16, 27, 28, 29, 30, 31, 32, 33, 34, 35]


class Read(NamedTuple):
    """What the receiver has after reading, in Unity's names."""

    time: float
    resolution: np.ndarray
    right_eye_open: float
    left_eye_open: float
    raw_quaternion: np.ndarray
    rotation: np.ndarray
    raw_translation: np.ndarray
    confidence: np.ndarray
    points: np.ndarray
    points_3d: np.ndarray
    features: dict[str, float]


def read(datagram: bytes) -> Read:
    assert len(datagram) == SIZE == 1785
    time, number = struct.unpack_from("<di", datagram)
    assert number == 0
    (got_3d,) = struct.unpack_from("<B", datagram, 28)
    assert got_3d == 1
    values = np.frombuffer(datagram[:28], "<f4", offset=12)
    rest = np.frombuffer(datagram, "<f4", offset=29)
    euler = rest[5:8] * (1, -1, 1)
    rotation = np.asarray([-np.fmod(euler[0] + 180, 360), euler[1], np.fmod(euler[2] - 90, 360)])
    return Read(
        time,
        values[:2],
        *(float(value) for value in values[2:4]),
        rest[1:5],
        (rotation + 180) % 360 - 180,
        rest[8:11],
        rest[11:79],
        rest[79:215].reshape(68, 2),
        rest[215:425].reshape(70, 3) * (1, -1, 1),
        dict(zip(FEATURES, rest[425:].tolist(), strict=True)),
    )


def encoded(each: Sample) -> Read:
    (datagram,) = OsfEncoder().encode(each)
    return read(datagram)


def test_without_a_face_nothing_is_sent() -> None:
    assert OsfEncoder().encode(no_face()) == []


def test_a_face_that_looks_into_the_camera() -> None:
    seen = encoded(sample(time_s=2.5, z=-50, size_px=(640, 480)))
    assert seen.time == 2.5
    assert seen.resolution.tolist() == [640, 480]
    assert (seen.right_eye_open, seen.left_eye_open) == (1, 1)
    np.testing.assert_allclose(seen.rotation, 0, atol=1e-3)
    np.testing.assert_allclose(seen.raw_quaternion, [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(seen.confidence, 1)
    assert set(seen.features.values()) == {0.0}
    # The person's right is on the image's left; the chin is below the nose; the nose's tip is the origin.
    assert seen.points[36, 0] < 320 < seen.points[45, 0]
    assert seen.points[8, 1] > seen.points[30, 1] > seen.points[27, 1]
    np.testing.assert_allclose(seen.points_3d[30], 0, atol=1e-7)
    assert seen.points_3d[36, 0] > 0 > seen.points_3d[45, 0]


def test_the_packet_byte_for_byte() -> None:
    (datagram,) = OsfEncoder(1e9).encode(sample(time_s=0.25, z=-50, eyeBlinkLeft=1.0))
    half = 0.5**0.5
    head = (
        struct.pack("<di", 1e9 + 0.25, 0) + struct.pack("<2f", 640, 480) + struct.pack("<2f", 1, 0) + b"\x01"
    )
    assert datagram[:29] == head
    pose = struct.unpack_from("<5f", datagram, 29)
    np.testing.assert_allclose(pose, [0, half, half, 0, 0], atol=1e-6)
    assert datagram[-56:] == struct.pack("<14f", -1, *[0] * 13)


ANGLES = [{}, {"yaw": 0.25}, {"pitch": 0.3}, {"roll": 0.35}, {"yaw": -0.2, "pitch": -0.2, "roll": 0.2}]


@pytest.mark.parametrize("angles", ANGLES)
def test_openseefaces_own_solver_finds_about_the_pose_that_is_told(angles: dict[str, float]) -> None:
    side = 1000
    seen = encoded(sample(size_px=(side, side), z=-60.0, **angles))
    # What the solver is given: rows, then columns; the head's own proportions, without the stretch upward.
    pixels = seen.points[CONTOUR][:, ::-1].astype(np.float64)
    head = (seen.points_3d[CONTOUR] * (1, 1, -1) / (1, 0.7 / 0.63, 1)).astype(np.float64)
    camera = np.asarray([[side, 0, side / 2], [0, side, side / 2], [0, 0, 1]], np.float64)
    start = {"rvec": np.zeros(3), "tvec": np.zeros(3), "useExtrinsicGuess": True}
    found, turn, shift = cv2.solvePnP(head, pixels, camera, np.zeros(4), **start)
    assert found
    matrix = cv2.Rodrigues(turn)[0]
    # Its face is behind the camera, so its perspective is reversed: angles are some degrees larger.
    told = seen.rotation * (-1, -1, 1) + (180, 0, 90)
    assert np.abs((np.asarray(cv2.RQDecomp3x3(matrix)[0]) - told + 180) % 360 - 180).max() < 8
    assert 1 < shift[2, 0] / seen.raw_translation[2] < 1.4
    # The quaternion is that of the inverse rotation.
    x, y, z, w = seen.raw_quaternion.astype(float)
    axis = 2 * np.arctan2(np.linalg.norm([x, y, z]), w) * np.asarray([x, y, z]) / np.linalg.norm([x, y, z])
    between = cv2.Rodrigues(axis)[0] @ matrix
    assert np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))) < 8


@pytest.mark.parametrize("angles", ANGLES[1:])
def test_angles_and_quaternion_are_those_of_one_rotation(angles: dict[str, float]) -> None:
    seen = encoded(sample(z=-60.0, **angles))
    x, y, z, w = seen.raw_quaternion.astype(float)
    axis = 2 * np.arctan2(np.linalg.norm([x, y, z]), w) * np.asarray([x, y, z]) / np.linalg.norm([x, y, z])
    about = np.eye(3) * np.radians(seen.rotation * (-1, -1, 1) + (180, 0, 90))
    matrix = np.linalg.multi_dot([cv2.Rodrigues(each)[0] for each in about[::-1]])
    np.testing.assert_allclose(cv2.Rodrigues(-axis)[0], matrix, atol=1e-5)


def test_the_translation_points_up_left_and_backward() -> None:
    rest = encoded(sample(z=-50)).raw_translation
    moved = [encoded(sample(x=x, y=y, z=-50 + z)).raw_translation - rest for x, y, z in np.eye(3) * 5]
    assert np.sign(np.round(moved, 3)).tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    assert rest[2] < 0


def test_quaternions_do_not_jump() -> None:
    turns = [encoded(sample(yaw=yaw, z=-50)).raw_quaternion for yaw in np.linspace(-0.6, 0.6, 41)]
    assert np.abs(np.diff(turns, axis=0)).max() < 0.05


@pytest.mark.parametrize(("channel", "right", "left"), [("eyeBlinkRight", 0, 1), ("eyeBlinkLeft", 1, 0)])
def test_each_eye_closes_on_its_side(channel: str, right: float, left: float) -> None:
    seen = encoded(sample(**{channel: 1.0}))
    assert (seen.right_eye_open, seen.left_eye_open) == (right, left)
    assert (seen.features["eyeRight"], seen.features["eyeLeft"]) == (right - 1, left - 1)
    gaps = [float(np.ptp(seen.points[corners, 1])) for corners in ([37, 41], [44, 46])]
    assert (gaps[0] < 0.2 * gaps[1], gaps[1] < 0.2 * gaps[0]) == (not right, not left)


@pytest.mark.parametrize(
    ("channels", "features"),
    [
        ({"jawOpen": 1.0}, {"mouthOpen": 1}),
        ({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, {"mouthCornerUpDownLeft": -1, "mouthWide": 1}),
        ({"mouthFrownRight": 1.0}, {"mouthCornerUpDownRight": 1, "mouthCornerUpDownLeft": 0}),
        ({"browInnerUp": 1.0}, {"browUpDownLeft": 0.8333, "browSteepnessLeft": 1}),
        ({"browDownLeft": 1.0}, {"browUpDownLeft": -1, "browSteepnessLeft": -1, "browUpDownRight": 0}),
        ({"browOuterUpRight": 1.0}, {"browQuirkRight": 1, "browQuirkLeft": 0}),
        ({"mouthPucker": 1.0}, {"mouthWide": -1, "mouthCornerInOutLeft": -1, "mouthCornerInOutRight": -1}),
        ({"mouthLeft": 0.3}, {"mouthCornerInOutLeft": 0.5, "mouthCornerInOutRight": -0.5, "mouthWide": 0}),
        ({"eyeWideLeft": 1.0}, {"eyeLeft": 1, "eyeRight": 0}),
    ],
)
def test_features_have_openseefaces_signs(channels: dict[str, float], features: dict[str, float]) -> None:
    seen = encoded(sample(**channels)).features
    assert {name: seen[name] for name in features} == pytest.approx(features, abs=1e-3)


def test_the_persons_usual_face_becomes_zero_and_the_extremes_one() -> None:
    encoder = OsfEncoder()
    for index in range(600):
        features = read(*encoder.encode(sample(index / 30, browInnerUp=0.5, eyeBlinkLeft=0.1))).features
    assert features["browUpDownLeft"] == features["eyeLeft"] == 0
    closed = [read(*encoder.encode(sample(20.1, eyeBlinkLeft=blink))) for blink in (0.7, 0.4)]
    assert closed[0].features["eyeLeft"] == pytest.approx(-1)
    assert closed[1].features["eyeLeft"] == pytest.approx(-0.5)
    assert closed[1].left_eye_open == pytest.approx(0.5)


def tracked(track_id: int = 0) -> Face:
    numbers = np.asarray(LANDMARKS_146)
    landmarks = np.random.default_rng(0).uniform(100, 300, (len(numbers), 2)).astype(np.float32)
    corners = np.asarray([[100, 100], [300, 100], [300, 300], [100, 300]], np.float32)
    box = np.asarray([100, 100, 300, 300], np.float32)
    return Face(track_id, 0.75, box, landmarks, corners, face_state(), landmark_numbers=numbers)


def test_a_tracked_faces_own_points_are_sent() -> None:
    face = tracked()
    seen = encoded(sample(face=face))
    at = dict(zip(LANDMARKS_146, face.landmarks_xy, strict=True))
    for place, number in {36: 33, 45: 263, 8: 152, 30: 4, 58: 78, 62: 308, 66: 468, 67: 473, 17: 70}.items():
        np.testing.assert_array_equal(seen.points[place], at[number])
    np.testing.assert_array_equal(seen.confidence, 0.75)


def test_another_person_has_another_usual_face() -> None:
    encoder = OsfEncoder()
    for index in range(600):
        encoder.encode(sample(index / 30, face=tracked(0), browInnerUp=0.5))
    features = read(*encoder.encode(sample(21.0, face=tracked(1), browInnerUp=0.5))).features
    assert features["browUpDownLeft"] > 0.3


@pytest.mark.parametrize(
    ("channels", "way"),
    [
        ({"eyeLookOutRight": 1.0, "eyeLookInLeft": 1.0}, (1, 0)),
        ({"eyeLookInRight": 1.0, "eyeLookOutLeft": 1.0}, (-1, 0)),
        ({"eyeLookUpRight": 1.0, "eyeLookUpLeft": 1.0}, (0, 1)),
    ],
)
def test_pupils_move_with_the_gaze(channels: dict[str, float], way: tuple[int, int]) -> None:
    seen = encoded(sample(**channels))
    gaze = seen.points_3d[66:68] - seen.points_3d[68:70]
    assert np.sign(np.round(gaze[:, :2], 3)).tolist() == [list(way)] * 2
    rest = encoded(sample())
    np.testing.assert_allclose((rest.points_3d[66:68] - rest.points_3d[68:70])[:, :2], 0, atol=1e-6)
    # The image's x points to the person's left, and its y points down.
    moved = (seen.points - rest.points)[66:68]
    expected = -np.asarray(way, float)
    assert (moved @ expected > 1).all()
    assert (np.abs(moved @ expected[::-1]) < 0.5 * moved @ expected).all()


@pytest.mark.parametrize("size_px", [(0, 0), (1, 1), (4000, 3000)])
def test_any_picture_gives_finite_numbers(size_px: tuple[int, int]) -> None:
    seen = encoded(sample(size_px=size_px))
    assert np.isfinite(seen.points).all()
    assert np.isfinite(seen.raw_translation).all()
    assert (seen.resolution > 0).all()


def test_addresses() -> None:
    assert connect(Address.parse("osf://")).endpoint == ("127.0.0.1", 11573)
    with pytest.raises(InputError, match="means nothing here"):
        connect(Address.parse("osf://localhost/Anna"))
