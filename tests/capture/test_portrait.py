"""The embedded moving portrait: equal frames every time, smooth motion, real movements."""

from __future__ import annotations

from itertools import islice, pairwise

import cv2
import numpy as np
import pytest

from visavis.capture.portrait import DURATION_S, PortraitClip, gesture_at
from visavis.capture.portrait_warp import PortraitGesture, PortraitWarp
from visavis.capture.source import FrameSource
from visavis.errors import InputError
from visavis.types import FloatArray, ImageArray


@pytest.fixture(scope="module")
def warp() -> PortraitWarp:
    return PortraitClip()._warp


@pytest.fixture(scope="module")
def still(warp: PortraitWarp) -> FloatArray:
    return warp.draw(PortraitGesture()).astype(np.float32)


def change(warp: PortraitWarp, still: FloatArray, **gesture: float) -> FloatArray:
    """Absolute difference (480, 480) from the still portrait."""
    return np.abs(warp.draw(PortraitGesture(**gesture)).astype(np.float32) - still).mean(axis=2)


# Places on the 480 px picture: y0, y1, x0, x1.
LEFT_EYE = (176, 206, 258, 302)
RIGHT_EYE = (172, 202, 180, 224)
MOUTH = (254, 310, 194, 280)
BROWS = (150, 182, 165, 318)
BACKGROUND = (10, 200, 0, 70)


def inside(picture: FloatArray, place: tuple[int, int, int, int]) -> float:
    y0, y1, x0, x1 = place
    return float(picture[y0:y1, x0:x1].mean())


def test_it_is_a_frame_source_of_twelve_seconds() -> None:
    with PortraitClip() as clip:
        source: FrameSource = clip
        assert (source.fps, source.size, source.frame_count_hint, source.live) == (
            25.0,
            (480, 480),
            300,
            False,
        )
        assert clip.duration_s == 12.0
        frames = list(islice(clip, 5))
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(5) / 25)
    assert all(f.image_rgb.shape == (480, 480, 3) for f in frames)


def test_every_run_sees_the_same_frames() -> None:
    def fifth() -> ImageArray:
        return next(islice(PortraitClip(), 5, None)).image_rgb

    np.testing.assert_array_equal(fifth(), fifth())


def test_the_duration_can_be_chosen_and_the_score_repeats() -> None:
    assert PortraitClip(duration_s=0.2).frame_count_hint == 5
    assert PortraitClip(duration_s=30.0).frame_count_hint == 750
    start, end = gesture_at(0.0), gesture_at(DURATION_S - 1e-9)
    for name in PortraitGesture.__dataclass_fields__:
        assert abs(getattr(start, name) - getattr(end, name)) < 1e-6, name


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration_s: float) -> None:
    with pytest.raises(InputError, match="more than 0 s"):
        PortraitClip(duration_s)


def test_the_score_never_jumps_and_uses_every_part() -> None:
    times_s = np.arange(0.0, DURATION_S, 0.01)
    gestures = [gesture_at(t) for t in times_s]
    for name in PortraitGesture.__dataclass_fields__:
        values = np.asarray([getattr(g, name) for g in gestures])
        reach = np.ptp(values)
        assert reach > 0 or name == "gaze_y", name
        assert np.abs(np.diff(values)).max() <= 0.2 * reach + 1e-9, name


def test_it_winks_once_and_blinks_with_both_eyes_otherwise() -> None:
    gestures = [gesture_at(t) for t in np.arange(0.0, DURATION_S, 0.04)]
    apart = np.asarray([g.blink_left - g.blink_right for g in gestures])
    assert (np.diff((apart > 0.5).astype(int)) == 1).sum() == 1
    assert apart.min() == 0.0
    both = np.asarray([g.blink_right for g in gestures])
    assert (np.diff((both > 0.5).astype(int)) == 1).sum() == 4


def test_consecutive_frames_differ_a_little_never_a_lot() -> None:
    frames = [f.image_rgb.astype(np.int16) for f in islice(PortraitClip(), 60, 110)]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(frames)]
    assert min(steps) > 0.05
    assert max(steps) < 8.0


@pytest.mark.parametrize(
    ("gesture", "moved", "kept"),
    [
        ({"blink_left": 1.0}, LEFT_EYE, RIGHT_EYE),
        ({"blink_right": 1.0}, RIGHT_EYE, LEFT_EYE),
        ({"jaw": 0.7}, MOUTH, LEFT_EYE),
        ({"lips": 1.0}, MOUTH, LEFT_EYE),
        ({"relax": 1.0}, MOUTH, BROWS),
        ({"brows": 1.0}, BROWS, MOUTH),
        ({"gaze_x": 1.0}, LEFT_EYE, MOUTH),
        ({"yaw": 0.4}, MOUTH, BACKGROUND),
        ({"roll": 0.15}, MOUTH, BACKGROUND),
    ],
)
def test_a_gesture_moves_its_own_part_of_the_face(
    warp: PortraitWarp,
    still: FloatArray,
    gesture: dict[str, float],
    moved: tuple[int, int, int, int],
    kept: tuple[int, int, int, int],
) -> None:
    difference = change(warp, still, **gesture)
    assert inside(difference, moved) > 2.0
    assert inside(difference, kept) < 0.3 * inside(difference, moved)


def test_an_open_mouth_is_dark_inside_and_shut_lips_hide_the_teeth(warp: PortraitWarp) -> None:
    def mouth(**gesture: float) -> FloatArray:
        return warp.draw(PortraitGesture(**gesture))[268:300, 215:260].astype(np.float32).mean(axis=2)

    assert (mouth(jaw=0.7) < 60).sum() > 5 * max((mouth() < 60).sum(), 10)
    assert (mouth(lips=1.0) > 225).sum() < 0.2 * (mouth() > 225).sum()


def nose(picture: ImageArray) -> FloatArray:
    """Centre of the nose by matching its patch of the still portrait."""
    patch = PortraitClip()._warp.draw(PortraitGesture())[215:262, 212:262]
    score = cv2.matchTemplate(picture, patch, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(score.argmax(), score.shape)
    return np.asarray([x + 25, y + 23], np.float32)


def test_yaw_moves_the_nose_to_the_images_right_and_pitch_up(warp: PortraitWarp) -> None:
    rest = nose(warp.draw(PortraitGesture()))
    assert (nose(warp.draw(PortraitGesture(yaw=0.25))) - rest)[0] > 8
    assert (nose(warp.draw(PortraitGesture(yaw=-0.25))) - rest)[0] < -8
    assert (nose(warp.draw(PortraitGesture(pitch=0.15))) - rest)[1] < -8
    assert (nose(warp.draw(PortraitGesture(x=10.0))) - rest)[0] == pytest.approx(18.75, abs=2)
