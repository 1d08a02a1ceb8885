"""MediaPipe behind the same protocol: messages about missing parts, and our signs of angles."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.embedded import EmbeddedTracker
from visavis.face.mediapipe import MODEL_VARIABLE, NOT_READ, MediaPipeTracker, picture_of
from visavis.face.tracker import open_tracker
from visavis.types import Frame

pytest.importorskip("mediapipe")


def test_without_a_model_it_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    with pytest.raises(InputError, match=f"get face_landmarker.task .* {MODEL_VARIABLE}"):
        open_tracker("mediapipe")
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "none.task"))
    with pytest.raises(InputError, match=r"none\.task: no such file"):
        open_tracker("mediapipe")


def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.task"
    path.write_bytes(b"hello" * 100)
    with pytest.raises(InputError, match=r"bad\.task: MediaPipe cannot use it") as caught:
        MediaPipeTracker(model=path)
    assert "\n" not in str(caught.value)


def test_a_part_of_a_picture_is_read_as_it_looks() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    part = picture[10:30, 20:50]
    image = picture_of(part)
    np.testing.assert_array_equal(image.numpy_view(), part)


@pytest.mark.shared
@pytest.mark.slow
def test_it_sees_the_portrait_turn_as_our_tracker_does(shared: Path) -> None:
    tracker = MediaPipeTracker(model=shared / "models" / "face_landmarker.task", smooth=False)
    ours, yaw = EmbeddedTracker(smooth=False), []
    for frame in islice(PortraitClip(), 40, 125, 4):
        (face,) = tracker.update(frame)
        np.testing.assert_array_equal(face.landmark_numbers, np.arange(478))
        assert {name for name, known in zip(BLENDSHAPES, face.reliability, strict=True) if not known} == set(
            NOT_READ
        )
        yaw.append((face.state.head_rad[0], ours.update(frame)[0].state.head_rad[0]))
    tracker.close()
    assert np.corrcoef(np.array(yaw).T)[0, 1] > 0.9


@pytest.mark.shared
def test_two_people_keep_their_numbers_when_the_larger_one_changes(shared: Path) -> None:
    tracker = MediaPipeTracker(2, shared / "models" / "face_landmarker.task")
    (portrait,) = (frame.image_rgb for frame in islice(PortraitClip(), 1))
    close = portrait[40:320, 80:360]
    large, small = cv2.resize(close, (480, 480)), cv2.resize(close, (400, 400))
    places: list[dict[int, bool]] = []
    for index in range(12):
        left, right = (large, small) if index < 6 else (small, large)
        picture = np.full((480, 960, 3), 128, np.uint8)
        picture[: len(left), : len(left)] = left
        picture[: len(right), -len(right) :] = right
        faces = tracker.update(Frame(picture, index / 25, index))
        assert len(faces) == 2
        assert float(np.ptp(faces[0].box_xyxy[::2])) >= float(np.ptp(faces[1].box_xyxy[::2]))
        places.append({face.track_id: bool(face.box_xyxy[0] < 480) for face in faces})
    tracker.close()
    assert all(place == places[0] for place in places)
