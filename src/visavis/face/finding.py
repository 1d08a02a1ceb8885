"""Finding new faces: the detector proposes, and the face network must agree.

The face network looks at a proposal, then at the place that its own landmarks give, until the region stops
moving. If the region never stops, scores low, or ends at another place than the detector saw, it is no face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from visavis.face.detector import Detection, SearchView, same_face, views
from visavis.face.network import FaceReading, LandmarkNetwork
from visavis.face.region import FaceRegion
from visavis.types import FloatArray, ImageArray

# A face is accepted at this score of the face network; with only a weak trace in the detector, at the second.
TAKE_SCORE, TAKE_WEAK_SCORE = 0.8, 0.99
# A candidate with a lower score at the first look is dropped.
HOPELESS_SCORE = 0.1
# Maximum number of looks at a candidate until its region stops moving.
MOST_LOOKS = 5
# A region has stopped if centre and size change by less than these shares, and the roll by this angle.
STILL_SHIFT, STILL_SIZE, STILL_ROLL_RAD = 0.05, 0.08, 0.1
# Largest difference between the face and the detector's box: distance in sides of the box, and size ratio.
STRAY_SHIFT, STRAY_SIZE = 0.5, 1.8
# Rolls that are tried in the first search and sometimes later: eighths of a circle from the detector's guess.
TURNS_RAD = tuple(float(eighth) * np.pi / 4 for eighth in (0, 1, -1, 2, -2, 3, -3, 4))
# A candidate this promising with the detector's roll is not tried with other rolls. Of 1266 candidates in
# pictures turned by 0 to 180 degrees, they would have won for none of these; for 68 of those above 0.5.
PROMISING = 0.6
# The farther a roll is both from upright and from the detector's guess, the higher its score must be: by this
# share for each radian.
DOUBT_OF_TURN = 0.1
# Later, one of this many searches tries them too. The second scale has 3, 6 or 9 views and is used in every
# second search: this number is odd and no multiple of 3, so that each view is tried this way in time.
TURNING_SEARCH = 7
# Number of candidates that the network looks at: in the first search, and in each later one.
FIRST_CANDIDATES, LATER_CANDIDATES = 16, 2
# Faces at least this likely, relative to the most likely, are all good: among them, the largest comes first.
GOOD_SHARE = 0.7


class _Detector(Protocol):
    def detect(self, image_rgb: ImageArray, looks: Sequence[SearchView] | None = None) -> list[Detection]: ...

    def detect_all(self, images_rgb: Sequence[ImageArray]) -> list[list[Detection]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A newly found face.

    Attributes:
        reading: the network's reading of a region that stopped moving.
        heat: score of the detector.
    """

    reading: FaceReading
    heat: float

    @property
    def likelihood(self) -> float:
        """The likelihood by detector and network together, 0..1."""
        return self.heat * self.reading.score


class FaceFinder:
    """Looks for faces in the frames of one stream.

    Args:
        detector: proposes faces.
        network: accepts or rejects them.
    """

    def __init__(self, detector: _Detector, network: LandmarkNetwork) -> None:
        self._detector, self._network = detector, network
        self.reset()

    def reset(self) -> None:
        """As before the first frame."""
        self._searches = 0
        self._first = True

    def count_from(self, searches: int) -> None:
        """Go on as after so many searches."""
        self._searches = searches

    def search(
        self,
        image_rgb: ImageArray,
        known: Sequence[FloatArray] = (),
        lost_xy: tuple[float, float] | None = None,
    ) -> list[FoundFace]:
        """New faces outside the known boxes (4,); the one to follow comes first.

        The first search after a reset uses both scales and tries every roll. Later searches alternate:
        the whole image at the first scale, then one view of the second scale together with the view around
        the place where somebody was lost; most of them trust the detector's roll.
        """
        first = self._first
        turns_rad = TURNS_RAD if first or self._searches % TURNING_SEARCH == 0 else TURNS_RAD[:1]
        detections = (
            self._detector.detect_all([image_rgb])[0]
            if first
            else self._detector.detect(image_rgb, looks=self._looks(views(image_rgb), lost_xy))
        )
        self._first = False
        self._searches += 1
        most = FIRST_CANDIDATES if first else LATER_CANDIDATES
        detections = [
            detection
            for detection in detections
            if not any(same_face(detection.box_xyxy, box) for box in known)
        ][:most]
        found = self._settle(len(detections) * [image_rgb], detections, turns_rad)
        return _leader_first(_distinct([face for face in found if face is not None], known))

    def search_all(self, images_rgb: Sequence[ImageArray]) -> list[list[FoundFace]]:
        """The faces of each picture, as in a first search; the network reads them together."""
        proposed = [
            (number, detection)
            for number, detections in enumerate(self._detector.detect_all(images_rgb))
            for detection in detections[:FIRST_CANDIDATES]
        ]
        images = [images_rgb[number] for number, _ in proposed]
        settled = self._settle(images, [detection for _, detection in proposed], TURNS_RAD)
        found: list[list[FoundFace]] = [[] for _ in images_rgb]
        for (number, _), face in zip(proposed, settled, strict=True):
            if face is not None:
                found[number].append(face)
        return [_leader_first(_distinct(faces, ())) for faces in found]

    def _looks(self, looks: list[SearchView], lost_xy: tuple[float, float] | None) -> list[SearchView]:
        """The views of a later search."""
        whole, *near = looks
        if self._searches % 2 == 0 or not near:
            return [whole]
        chosen = [near[self._searches // 2 % len(near)]]
        if lost_xy is not None:
            nearest = min(near, key=lambda view: float(np.hypot(*np.subtract(view.center_xy, lost_xy))))
            chosen += [nearest] if nearest not in chosen else []
        return chosen

    def _settle(
        self, images: Sequence[ImageArray], detections: Sequence[Detection], turns_rad: Sequence[float]
    ) -> list[FoundFace | None]:
        """Each detection's face, if its region stops moving on one; each detection is of its own image."""
        found: list[FoundFace | None] = [None] * len(detections)
        open_ = dict(enumerate(self._first_looks(images, detections, turns_rad)))
        for look in range(MOST_LOOKS):
            moving: dict[int, FaceRegion] = {}
            for place, reading in open_.items():
                following = self._network.next_region(reading)
                detection = detections[place]
                if unrest(reading.region, following) < 1:
                    least = TAKE_WEAK_SCORE if detection.weak else TAKE_SCORE
                    if reading.score >= least and not strays(following, detection):
                        found[place] = FoundFace(reading, detection.score)
                elif reading.score >= HOPELESS_SCORE:
                    moving[place] = following
            if not moving or look == MOST_LOOKS - 1:
                break
            again = self._network.read([images[place] for place in moving], list(moving.values()))
            open_ = dict(zip(moving, again, strict=True))
        return found

    def _first_looks(
        self, images: Sequence[ImageArray], detections: Sequence[Detection], turns_rad: Sequence[float]
    ) -> list[FaceReading]:
        """The best first look at each detection: with the detector's roll, if that is sure, or any roll."""
        starts = [detection.region() for detection in detections]
        looks = [[reading] for reading in self._network.read(images, starts)]
        unsure = [place for place, (first,) in enumerate(looks) if self._promise(first, 0.0) < PROMISING]
        turned = [
            (images[place], replace(starts[place], roll_rad=starts[place].roll_rad + turn_rad))
            for place in unsure
            for turn_rad in turns_rad[1:]
        ]
        if turned:
            turned_images, turned_regions = zip(*turned, strict=True)
            others = iter(self._network.read(turned_images, turned_regions))
            for place in unsure:
                looks[place] += islice(others, len(turns_rad) - 1)
        return [self._best(each, turns_rad) for each in looks]

    def _best(self, readings: Sequence[FaceReading], turns_rad: Sequence[float]) -> FaceReading:
        """The most promising reading of a candidate, tried with the first of these rolls or with all."""
        pairs = zip(readings, turns_rad, strict=False)
        return max(pairs, key=lambda pair: self._promise(*pair))[0]

    def _promise(self, reading: FaceReading, turn_rad: float) -> float:
        """How promising a look with a turned roll is: with a high score and a region that hardly moves.

        The score is squared, since a face at a wrong roll may have a middling score and hardly move.
        """
        moves = unrest(reading.region, self._network.next_region(reading))
        doubt_rad = min(abs(turn_rad), abs(angle(reading.region.roll_rad)))
        return reading.score**2 / (1 + moves / 5) / (1 + DOUBT_OF_TURN * doubt_rad)


def unrest(region: FaceRegion, following: FaceRegion) -> float:
    """How far a region moves; below 1, it has stopped."""
    shift = float(np.hypot(*np.subtract(region.center_xy, following.center_xy))) / following.size_px
    size = abs(float(np.log(following.size_px / region.size_px)))
    turn = abs(angle(following.roll_rad - region.roll_rad))
    return max(shift / STILL_SHIFT, size / STILL_SIZE, turn / STILL_ROLL_RAD)


def angle(turn_rad: float) -> float:
    """The same angle, within half a circle to either side."""
    return (turn_rad + np.pi) % (2 * np.pi) - np.pi


def strays(region: FaceRegion, detection: Detection) -> bool:
    """Whether the network ended at another place than the detector saw."""
    start = detection.region()
    shift = float(np.hypot(*np.subtract(region.center_xy, start.center_xy)))
    return shift > STRAY_SHIFT * start.size_px or not (
        1 / STRAY_SIZE < region.size_px / start.size_px < STRAY_SIZE
    )


def landmark_box(reading: FaceReading) -> FloatArray:
    """(4,) upright box around the landmarks, in image pixels."""
    points = reading.landmarks_xy
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _distinct(found: list[FoundFace], known: Sequence[FloatArray]) -> list[FoundFace]:
    """Each face once, with the more likely of two readings."""
    kept: list[FoundFace] = []
    boxes = list(known)
    for each in sorted(found, key=lambda one: -one.likelihood):
        box = landmark_box(each.reading)
        if not any(same_face(box, other) for other in boxes):
            kept.append(each)
            boxes.append(box)
    return kept


def _leader_first(found: list[FoundFace]) -> list[FoundFace]:
    """Sorted by likelihood (as given), but the largest of the good ones comes first."""
    if not found:
        return found
    good = [each for each in found if each.likelihood >= GOOD_SHARE * found[0].likelihood]
    leader = max(good, key=lambda each: each.reading.region.size_px)
    return [leader] + [each for each in found if each is not leader]
