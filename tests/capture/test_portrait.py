"""The embedded moving portrait: equal frames every time, smooth motion, real movements."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from visavis.capture.portrait import DURATION_S, FPS, PortraitClip
from visavis.capture.source import FrameSource
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.embedded import EmbeddedTracker


def test_it_is_a_frame_source_of_twelve_seconds() -> None:
    with PortraitClip() as clip:
        source: FrameSource = clip
        about = (source.fps, source.size, source.frame_count_hint, source.live)
        assert about == (25.0, (480, 480), 300, False)
        assert clip.duration_s == 12.0
        frames = list(islice(clip, 5))
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(5) / 25)
    assert all(f.image_rgb.shape == (480, 480, 3) for f in frames)


def test_the_duration_can_be_chosen_and_the_clip_repeats() -> None:
    assert PortraitClip(duration_s=0.2).frame_count_hint == 5
    frames = list(PortraitClip(duration_s=DURATION_S + 0.08))
    assert len(frames) == 302
    for again, first in zip(frames[300:], frames, strict=False):
        np.testing.assert_array_equal(again.image_rgb, first.image_rgb)
        assert again.time_s == pytest.approx(first.time_s + DURATION_S)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration_s: float) -> None:
    with pytest.raises(InputError, match="more than 0 s"):
        PortraitClip(duration_s)


@pytest.mark.slow
def test_consecutive_frames_differ_a_little_never_a_lot_and_the_clip_can_be_looped() -> None:
    frames = [f.image_rgb.astype(np.int16) for f in PortraitClip()]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise([*frames, frames[0]])]
    assert min(steps[60:110]) > 0.05
    assert max(steps) < 8.0


def test_the_face_turns_speaks_laughs_and_shuts_its_eyes() -> None:
    tracker, weights, yaw = EmbeddedTracker(), [], []
    for frame in islice(PortraitClip(), 0, 300, 2):
        (face,) = tracker.update(frame)
        weights.append(face.state.weights)
        yaw.append(face.state.head_rad[0])
    moved = dict(zip(BLENDSHAPES, np.ptp(weights, axis=0).tolist(), strict=True))
    least = {"jawOpen": 0.12, "eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.2, "mouthSmileLeft": 0.2}
    for name, value in least.items():
        assert moved[name] > value, name
    # A look to both sides, first to the picture's right.
    look = np.asarray(yaw)[round(1.9 * FPS / 2) : round(4.8 * FPS / 2)]
    assert look.argmax() < look.argmin()
    assert np.ptp(look) > 0.4
