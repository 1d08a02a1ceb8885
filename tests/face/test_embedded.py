"""The tracker's choice of people and their numbers, with stand-ins for its networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.face import embedded
from visavis.face.detector import Detection, SearchView, views
from visavis.face.embedded import EmbeddedTracker
from visavis.face.network import FaceReading
from visavis.face.region import FaceRegion
from visavis.types import Face, FloatArray, Frame, ImageArray

# A face in the scene: centre x, centre y, half its size, all in pixels.
Head = tuple[float, float, float]


class Scene:
    """Stands in for the detector and the network: sees the heads that it is told, each where it is."""

    reliability = np.linspace(0, 1, len(BLENDSHAPES), dtype=np.float32)
    landmark_numbers = np.asarray([33, 263, 152, 10], np.int32)

    def __init__(self) -> None:
        self.heads: dict[Head, float] = {}
        self.blurred = False
        self.searches = self.reads = 0
        self.looks: list[SearchView] = []

    def detect(self, image_rgb: ImageArray, looks: Sequence[SearchView] | None = None) -> list[Detection]:
        self.searches += 1
        self.looks = list(looks or ())
        found = [Detection(box(head), score) for head, score in self.heads.items()]
        return sorted(found, key=lambda detection: -detection.score)

    def detect_all(self, images_rgb: Sequence[ImageArray]) -> list[list[Detection]]:
        return [self.detect(image, views(image)) for image in images_rgb]

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        self.reads += len(regions)
        return [self._read(region) for region in regions]

    def _read(self, region: FaceRegion) -> FaceReading:
        near = [head for head in self.heads if np.hypot(*(region.center_xy - np.array(head[:2]))) < head[2]]
        blurred, self.blurred = self.blurred, False
        score = 0.9 if near and not blurred else 0.1
        x, y, half = near[0] if near else (*region.center_xy, region.size_px / 3)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + (x, y)
        flat = region.to_unit(corners.astype(np.float32))
        landmarks = np.concatenate([flat, np.zeros((4, 1), np.float32)], axis=1)
        return FaceReading(region, landmarks, np.zeros(len(BLENDSHAPES), np.float32), np.eye(3), score)

    def next_region(self, reading: FaceReading) -> FaceRegion:
        return FaceRegion.from_landmarks(reading.landmarks_xy, (0, 1))


def box(head: Head) -> FloatArray:
    x, y, half = head
    return np.array([x - half, y - half, x + half, y + half], np.float32)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()
    monkeypatch.setattr(embedded, "FaceDetector", lambda: made)
    monkeypatch.setattr(embedded, "FaceNetwork", lambda: made)
    return made


def look(tracker: EmbeddedTracker, time_s: float, level: int | None = None) -> tuple[Face, ...]:
    """The faces in the next picture; without a level, every picture differs from the one before."""
    level = round(25 * time_s) * 100 % 256 if level is None else level
    return tracker.update(Frame(np.full((480, 640, 3), level, np.uint8), time_s))


SMALL, LARGE = (100.0, 100.0, 30.0), (400.0, 240.0, 120.0)


@pytest.mark.parametrize(("score", "followed"), [(0.7, LARGE), (0.5, SMALL)])
def test_of_two_the_larger_is_followed_unless_it_is_doubtful(
    scene: Scene, score: float, followed: Head
) -> None:
    scene.heads = {SMALL: 0.95, LARGE: score}
    (face,) = look(EmbeddedTracker(), 0.0)
    np.testing.assert_allclose(face.box_xyxy, box(followed), atol=1)


def test_a_face_says_how_far_each_weight_can_be_believed(scene: Scene) -> None:
    scene.heads = {LARGE: 0.95}
    (face,) = look(EmbeddedTracker(), 0.0)
    np.testing.assert_allclose(face.reliability, scene.reliability * face.score, atol=1e-6)
    np.testing.assert_array_equal(face.landmark_numbers, scene.landmark_numbers)


def test_several_come_largest_first_and_keep_their_numbers(scene: Scene) -> None:
    scene.heads = {SMALL: 0.95, LARGE: 0.7}
    tracker = EmbeddedTracker(max_faces=4)
    numbers = [[face.track_id for face in look(tracker, index / 25)] for index in range(5)]
    assert numbers == [numbers[0]] * 5
    sizes = [float(face.box_xyxy[2] - face.box_xyxy[0]) for face in look(tracker, 0.2)]
    assert sizes == sorted(sizes, reverse=True)


def test_while_a_face_is_followed_nobody_is_searched(scene: Scene) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    for index in range(5):
        look(tracker, index / 25)
    assert scene.searches == 1


def test_a_blurred_frame_does_not_make_another_person(scene: Scene) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    (before,) = look(tracker, 0.0)
    scene.blurred = True
    (after,) = look(tracker, 0.04)
    assert scene.searches == 2
    assert after.track_id == before.track_id


@pytest.mark.parametrize(("gone_s", "same"), [(0.5, True), (2.0, False)])
def test_a_lost_face_keeps_its_number_for_a_second(scene: Scene, gone_s: float, same: bool) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    (before,) = look(tracker, 0.0)
    scene.heads = {}
    for index in range(1, round(gone_s * 25)):
        assert look(tracker, index / 25) == ()
    scene.heads = {LARGE: 0.9}
    (after,) = next(filter(None, (look(tracker, gone_s + late_s) for late_s in (0, 0.04, 0.08, 0.12))))
    assert (after.track_id == before.track_id) is same


def test_a_lost_face_is_looked_for_closely_where_it_was(scene: Scene) -> None:
    scene.heads = {SMALL: 0.9}
    tracker = EmbeddedTracker()
    look(tracker, 0.0)
    scene.heads = {}
    look(tracker, 0.04)
    assert all(view.near for view in scene.looks)
    assert any(np.hypot(view.center_xy[0] - 100, view.center_xy[1] - 100) < 50 for view in scene.looks)


@pytest.mark.parametrize(("head", "jump_s"), [(SMALL, 0.04), (LARGE, -1.0), (LARGE, 5.0)])
def test_a_face_elsewhere_or_after_a_jump_in_time_is_another_person(
    scene: Scene, head: Head, jump_s: float
) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    (before,) = look(tracker, 10.0)
    scene.heads = {head: 0.9}
    (after,) = look(tracker, 10.0 + jump_s)
    assert after.track_id != before.track_id


def test_two_tracks_on_one_face_become_one(scene: Scene) -> None:
    right = (520.0, 240.0, 60.0)
    scene.heads = {LARGE: 0.9, right: 0.8}
    tracker = EmbeddedTracker(max_faces=2)
    assert len(look(tracker, 0.0)) == 2
    scene.heads = {(460.0, 240.0, 100.0): 0.9}
    (face,) = look(tracker, 0.04)
    assert face.track_id == 0


def test_reset_counts_anew(scene: Scene) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    look(tracker, 0.0)
    tracker.reset()
    (face,) = look(tracker, 0.0)
    assert face.track_id == 0


def test_a_moving_face_is_looked_for_where_it_will_be(scene: Scene) -> None:
    tracker = EmbeddedTracker()
    numbers = set()
    for index in range(20):  # Farther each frame than half its size: without a guess it would be lost.
        scene.heads = {(100.0 + index * index, 240.0, 30.0): 0.9}
        numbers |= {face.track_id for face in look(tracker, index / 25)}
    assert scene.searches == 1
    assert numbers == {0}


def test_people_who_pass_each_other_keep_their_numbers(scene: Scene) -> None:
    tracker = EmbeddedTracker(max_faces=2)
    for index in range(60):
        left, right = 100.0 + 8 * index, 580.0 - 8 * index
        front = {(left, 240.0, 60.0): 0.9}
        hidden = abs(left - right) < 60
        scene.heads = front if hidden else front | {(right, 250.0, 50.0): 0.8}
        faces = look(tracker, index / 25)
        if index == 5:
            before = [face.track_id for face in sorted(faces, key=lambda f: float(f.box_xyxy[0]))]
    after = [face.track_id for face in sorted(faces, key=lambda f: float(f.box_xyxy[0]))]
    assert len(before) == 2
    assert after == before[::-1]


@pytest.mark.slow
def test_a_tracker_that_starts_later_soon_reads_the_same() -> None:
    with PortraitClip() as clip:
        frames = list(islice(clip, 75))
    trackers = EmbeddedTracker(smooth=False), EmbeddedTracker(smooth=False)
    for frame in frames[:15]:
        trackers[0].update(frame)
    for frame in frames[15:]:
        pair = [tracker.update(frame)[0] for tracker in trackers]
        if frame.time_s > frames[15].time_s + 1:
            np.testing.assert_array_equal(pair[0].landmarks_xy, pair[1].landmarks_xy)
            np.testing.assert_array_equal(pair[0].state.values, pair[1].state.values)


def test_where_is_searched_depends_on_the_last_two_seconds_only(
    scene: Scene,
) -> None:
    scene.heads = {LARGE: 0.9}
    searched = []
    for first in (0, 81):
        tracker = EmbeddedTracker(max_faces=4)
        rows = []
        for index in range(first, 250):
            scene.looks = []
            look(tracker, index / 25)
            rows.append(scene.looks)
        searched.append(rows[-100:])
    assert searched[0] == searched[1]
    assert sum(map(bool, searched[0])) >= 8


@pytest.mark.slow
def test_pictures_that_are_read_together_give_what_each_gives_alone() -> None:
    with PortraitClip() as clip:
        pictures = [frame.image_rgb for frame in islice(clip, 0, 200, 40)]
    pictures += [np.zeros((90, 120, 3), np.uint8), pictures[0][::-1, ::-1].copy()]
    together = EmbeddedTracker(max_faces=4).look(pictures)
    assert [len(faces) for faces in together] == [1, 1, 1, 1, 1, 0, 1]
    for picture, faces in zip(pictures, together, strict=True):
        alone = EmbeddedTracker(max_faces=4).update(Frame(picture, 0.0))
        for face, same in zip(faces, alone, strict=True):
            assert face.track_id == same.track_id
            np.testing.assert_allclose(face.landmarks_xy, same.landmarks_xy, atol=0.01)
            np.testing.assert_allclose(face.state.values, same.state.values, atol=1e-4)


@pytest.mark.parametrize(("fps", "level", "most"), [(25, 0, 6), (25, None, 21), (60, 0, 6), (60, None, 21)])
def test_without_a_face_the_search_is_rare(scene: Scene, fps: int, level: int | None, most: int) -> None:
    tracker = EmbeddedTracker()
    for index in range(2 * fps):
        assert look(tracker, index / fps, level if level is not None else index * 100 % 256) == ()
    assert most - 2 <= scene.searches <= most


def test_who_comes_into_a_still_picture_is_found_soon(scene: Scene) -> None:
    tracker = EmbeddedTracker()
    for index in range(15):
        look(tracker, index / 25, level=0)
    scene.heads = {LARGE: 0.9}
    assert any(look(tracker, index / 25, level=90) for index in range(15, 18))


def test_a_face_that_stands_still_is_not_read_again(scene: Scene) -> None:
    scene.heads = {LARGE: 0.9, SMALL: 0.8}
    tracker = EmbeddedTracker(max_faces=2)
    for index in range(10):
        faces = look(tracker, index / 25, level=0)
    settled = scene.reads
    later = look(tracker, 0.4, level=2)
    assert scene.reads == settled
    for before, after in zip(faces, later, strict=True):
        assert before.track_id == after.track_id
        np.testing.assert_array_equal(before.landmarks_xy, after.landmarks_xy)
    look(tracker, 0.44, level=3)  # Two levels from 2, but three from the picture that was read.
    assert scene.reads == settled + 2


def test_a_face_that_moves_is_read_in_each_frame(scene: Scene) -> None:
    scene.heads = {LARGE: 0.9}
    tracker = EmbeddedTracker()
    look(tracker, 0.0)
    found = scene.reads
    for index in range(1, 11):
        look(tracker, index / 25)
    assert scene.reads == found + 10
