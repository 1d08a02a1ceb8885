"""The finder's accepted faces, with stand-ins for its networks, and cases of past failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.capture.image import read_image
from visavis.capture.portrait import PortraitClip
from visavis.channels import BLENDSHAPES
from visavis.face.detector import Detection, FaceDetector, SearchView, overlap, same_face, views
from visavis.face.embedded import EmbeddedTracker
from visavis.face.finding import TURNING_SEARCH, FaceFinder, strays, unrest
from visavis.face.network import FaceReading
from visavis.face.region import FaceRegion
from visavis.types import Frame, ImageArray

IMAGE = np.zeros((480, 640, 3), np.uint8)
PLACE = FaceRegion((320.0, 240.0), 150.0, 0.0)


class Eye:
    """Stands in for detector and network: one thing at ``PLACE``, whose region moves as it is told.

    Args:
        step: the next region for a region.
        roll_rad: the way up at which the score is high.
        score: of the network, that way up.
        weak: whether the detector has only a weak trace.
    """

    def __init__(
        self, step: object = None, roll_rad: float = 0.0, score: float = 0.95, *, weak: bool = False
    ) -> None:
        self.step = step if callable(step) else lambda region: replace(PLACE, roll_rad=roll_rad)
        self.roll_rad, self.score, self.weak = roll_rad, score, weak
        self.calls: list[list[FaceRegion]] = []
        self.looks: list[Sequence[SearchView]] = []

    def detect(self, image_rgb: ImageArray, looks: Sequence[SearchView] | None = None) -> list[Detection]:
        self.looks.append(looks or ())
        return [Detection(np.array([270, 190, 370, 290], np.float32), 0.9, weak=self.weak)]

    def detect_all(self, images_rgb: Sequence[ImageArray]) -> list[list[Detection]]:
        return [self.detect(image, views(image)) for image in images_rgb]

    def read(self, image_rgb: ImageArray, regions: Sequence[FaceRegion]) -> list[FaceReading]:
        self.calls.append(list(regions))
        points = np.array([[-0.3, -0.3, 0], [0.3, -0.3, 0], [0.3, 0.3, 0], [-0.3, 0.3, 0]], np.float32)
        weights = np.zeros(len(BLENDSHAPES), np.float32)
        scores = [self.score if np.cos(region.roll_rad - self.roll_rad) > 0.98 else 0.2 for region in regions]
        return [
            FaceReading(region, points, weights, np.eye(3, dtype=np.float32), score)
            for region, score in zip(regions, scores, strict=True)
        ]

    def next_region(self, reading: FaceReading) -> FaceRegion:
        region: FaceRegion = self.step(reading.region)
        return region


def test_a_thing_whose_region_never_stands_still_is_no_face() -> None:
    eye = Eye(lambda region: region.scaled(1.2))
    assert FaceFinder(eye, eye).search(IMAGE) == []


def test_a_region_that_comes_to_rest_is_taken_where_it_rests() -> None:
    def halfway(region: FaceRegion) -> FaceRegion:
        return replace(region, size_px=region.size_px + 0.7 * (130 - region.size_px))

    eye = Eye(halfway)
    (found,) = FaceFinder(eye, eye).search(IMAGE)
    assert found.reading.region.size_px == pytest.approx(130, rel=0.1)
    assert unrest(found.reading.region, halfway(found.reading.region)) < 1


def test_a_region_that_runs_away_from_the_detection_is_no_face() -> None:
    eye = Eye(lambda region: FaceRegion((320.0, 240.0), 400.0))
    assert FaceFinder(eye, eye).search(IMAGE) == []


@pytest.mark.parametrize("roll_rad", [0.0, np.pi / 2, np.pi, -np.pi / 2])
def test_at_first_sight_every_way_up_is_tried_unless_the_detectors_looks_right(roll_rad: float) -> None:
    eye = Eye(roll_rad=roll_rad)
    (found,) = FaceFinder(eye, eye).search(IMAGE)
    assert np.cos(found.reading.region.roll_rad - roll_rad) == pytest.approx(1)
    assert [len(regions) for regions in eye.calls if len(regions) > 1] == ([7] if roll_rad else [])


def test_later_searches_take_turns_between_the_scales_and_seldom_turn() -> None:
    eye = Eye(lambda region: replace(PLACE, roll_rad=region.roll_rad), roll_rad=np.pi)
    finder = FaceFinder(eye, eye)
    assert len(finder.search(IMAGE)) == 1
    assert len(eye.looks[0]) == len(views(IMAGE))
    seen, found = set(), []
    for number in range(1, 2 * len(views(IMAGE))):
        found.append(len(finder.search(IMAGE)))
        (view,) = eye.looks[-1]
        seen.add(view)
        assert len(eye.calls[-1]) in ((1, 7) if number % TURNING_SEARCH == 0 else (1,))
    assert seen == set(views(IMAGE))
    assert {number % TURNING_SEARCH for number, count in enumerate(found, 1) if count} == {0}


@pytest.mark.parametrize("shape", [(480, 640), (400, 1280), (640, 480), (600, 600)])
def test_in_time_every_view_is_searched_every_way_up(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    eye = Eye(lambda region: region.scaled(1.5))
    finder = FaceFinder(eye, eye)
    finder.search(image)
    turned = set()
    for _ in range(2 * TURNING_SEARCH * len(views(image))):
        before = len(eye.calls)
        finder.search(image)
        if len(eye.calls[before + 1]) == 7:
            turned.update(eye.looks[-1])
    assert turned == set(views(image))


def test_where_somebody_was_lost_is_looked_at_in_every_search_of_the_second_scale() -> None:
    eye = Eye(lambda region: region.scaled(1.2))
    finder = FaceFinder(eye, eye)
    whole, *near = views(IMAGE)
    corner = next(view for view in near if view.x_px + view.side_px >= 640 and view.y_px == 0)
    finder.search(IMAGE)
    seen = set()
    for number in range(1, 2 * len(near) + 1):
        finder.search(IMAGE, lost_xy=(630.0, 10.0))
        if number % 2 == 0:
            assert eye.looks[-1] == [whole]
        else:
            assert corner in eye.looks[-1]
            assert len(eye.looks[-1]) == len(set(eye.looks[-1])) <= 2
            seen.update(eye.looks[-1])
    assert seen == set(near)


@pytest.mark.parametrize(
    ("score", "weak", "found"), [(0.95, False, 1), (0.75, False, 0), (0.95, True, 0), (0.995, True, 1)]
)
def test_a_weak_trace_is_a_face_only_if_the_network_is_sure(score: float, weak: bool, found: int) -> None:
    eye = Eye(score=score, weak=weak)
    assert len(FaceFinder(eye, eye).search(IMAGE)) == found


def test_a_known_face_is_not_found_again() -> None:
    eye = Eye()
    assert FaceFinder(eye, eye).search(IMAGE, [np.array([275, 195, 365, 285], np.float32)]) == []


@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (1000, 400), (300, 300)])
def test_the_second_scale_covers_the_image_with_room_for_a_small_face(shape: tuple[int, int]) -> None:
    whole, *near = views(np.zeros((*shape, 3), np.uint8))
    assert whole.side_px == max(shape)
    margin = round(0.05 * whole.side_px)
    rng = np.random.default_rng(0)
    for _ in range(300):
        x, y = (int(rng.integers(margin, length - margin)) for length in shape[::-1])
        assert any(
            view.x_px <= x - margin
            and x + margin <= view.x_px + view.side_px
            and view.y_px <= y - margin
            and y + margin <= view.y_px + view.side_px
            for view in near
        )


def test_a_small_image_has_one_scale() -> None:
    assert len(views(np.zeros((112, 112, 3), np.uint8))) == 1


def test_stills_are_searched_closely_only_where_the_whole_shows_a_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with PortraitClip() as clip:
        picture = next(iter(clip)).image_rgb
    canvas = np.zeros((720, 1280, 3), np.uint8)
    for height, x, y in ((500, 20, 110), (110, 1120, 40)):
        small = np.asarray(cv2.resize(picture, (height, height), interpolation=cv2.INTER_AREA), np.uint8)
        canvas[y : y + height, x : x + height] = small
    detector, looked = FaceDetector(), list[SearchView]()
    read = FaceDetector._read

    def spied(self: FaceDetector, looks: Sequence[tuple[ImageArray, SearchView]]) -> object:
        looked.extend(view for _, view in looks)
        return read(self, looks)

    monkeypatch.setattr(FaceDetector, "_read", spied)
    found, nothing = detector.detect_all([canvas, np.zeros_like(canvas)])
    assert nothing == []
    assert len(looked) <= 1 + len(views(canvas))  # No square of the black picture.
    everywhere = detector.detect(canvas, looks=views(canvas))
    assert len(found) == len(everywhere) == 2
    for one, other in zip(found, everywhere, strict=True):
        np.testing.assert_allclose(one.box_xyxy, other.box_xyxy, atol=0.5)


def test_turning_by_a_whole_circle_is_standing_still() -> None:
    assert unrest(replace(PLACE, roll_rad=3.13), replace(PLACE, roll_rad=-3.13)) < 1
    assert unrest(PLACE, replace(PLACE, roll_rad=0.5)) > 1


def test_a_detection_and_its_region_agree() -> None:
    detection = Detection(np.array([100, 100, 200, 200], np.float32), 0.9, 0.4)
    assert detection.region().roll_rad == 0.4
    assert not strays(detection.region(), detection)
    assert same_face(detection.box_xyxy, detection.box_xyxy + 10)
    assert overlap(detection.box_xyxy, detection.box_xyxy + 200) == 0


def test_nothing_is_seen_in_plain_pictures() -> None:
    for gray in (0, 110, 255):
        assert FaceDetector().detect(np.full((200, 300, 3), gray, np.uint8)) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["noface_coffee.jpg", "noface_coins.jpg", "blank.png"])
def test_things_are_no_faces(shared: Path, name: str) -> None:
    image = read_image(shared / "cases" / name)
    assert EmbeddedTracker(max_faces=16).update(Frame(image, 0.0)) == ()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "roll_rad"), [("tilt30.jpg", 0.57), ("tilt40.jpg", 0.75)])
def test_tilted_heads_are_read_at_their_tilt(shared: Path, name: str, roll_rad: float) -> None:
    image = read_image(shared / "cases" / name)
    (face,) = EmbeddedTracker(max_faces=16, smooth=False).update(Frame(image, 0.0))
    assert FaceRegion.from_corners(face.corners_xy).roll_rad == pytest.approx(roll_rad, abs=0.1)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "height_px", "corner_xy"),
    [("small_face_8.jpg", (102, 15), (534, 302)), ("small_face_4.jpg", (51, 8), (555, 330))],
)
def test_small_faces_are_framed(
    shared: Path, name: str, height_px: tuple[float, float], corner_xy: tuple[float, float]
) -> None:
    image = read_image(shared / "cases" / name)
    (face,) = EmbeddedTracker(max_faces=16, smooth=False).update(Frame(image, 0.0))
    x0, y0, _, y1 = face.box_xyxy.tolist()
    assert y1 - y0 == pytest.approx(height_px[0], abs=height_px[1])
    assert (x0, y0) == pytest.approx(corner_xy, abs=0.2 * height_px[0])


@pytest.mark.shared
@pytest.mark.parametrize(("first", "least"), [(0, 5), (500, 7), (1000, 7)])
def test_ten_people_in_one_picture_are_found(shared: Path, first: int, least: int) -> None:
    image = np.full((480, 1000, 3), 128, np.uint8)
    with np.load(shared / "data/faces/utkface_02.npz") as file:
        offsets, data = file["offsets"], file["jpeg"]
    for place in range(10):
        start, end = offsets[first + 20 * place], offsets[first + 20 * place + 1]
        y, x = 50 + 210 * (place // 5), 30 + 190 * (place % 5)
        face = cv2.cvtColor(cv2.imdecode(data[start:end], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        image[y : y + 112, x : x + 112] = face
    assert len(EmbeddedTracker(max_faces=16).update(Frame(image, 0.0))) >= least
