"""The tracker on visavis's own networks; it follows faces from frame to frame.

The tracker searches for faces only while one is missing (or, if several faces are wanted, from time to time).
After that, each face's own landmarks give the place to look in the next frame. What stands still is not read
again: neither a face, nor a picture in which no face was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from visavis.face.detector import FaceDetector, overlap
from visavis.face.finding import FaceFinder, landmark_box, unrest
from visavis.face.geometry import head_pose
from visavis.face.glimpse import Glimpse
from visavis.face.measures import MeasureFilter, measure_face
from visavis.face.network import FaceNetwork, FaceReading
from visavis.face.region import FaceRegion
from visavis.face.smoothing import OneEuroFilter
from visavis.types import Face, FaceState, FloatArray, Frame, ImageArray

# A face is dropped below this score (and accepted above the score in visavis.face.finding).
KEEP_SCORE = 0.3
# While fewer faces are tracked than wanted, the tracker searches this often; if nobody is in view and the
# picture moves, more often; and in every frame while somebody was just lost.
SEARCH_INTERVAL_S = 0.4
MOVING_INTERVAL_S = 0.1
# Clocks of files are rounded.
CLOCK_SLACK_S = 1e-3
# Which place is searched next depends on the time within a cycle of this length and on nothing earlier, so a
# tracker that starts in the middle of a video soon searches as one that started with it.
SEARCH_CYCLE_S = 5 * SEARCH_INTERVAL_S
# A jump in time (cut, pause) of this length makes old positions useless and ends the wait for lost faces.
LONGEST_GAP_S = 1.0
# A found face is a lost face that came back if their boxes overlap by this much, or if it has about the same
# size and is within this many sides of its region from the expected place.
SAME_FACE = 0.3
SAME_SIZE, SAME_REACH = 1.4, 1.0
# A reading of a picture that stands still goes on while the place to look moves by less than this (see
# :func:`~visavis.face.finding.unrest`): about 1% of the region's side.
SETTLED = 0.2
# Two tracks whose boxes overlap by this much have moved onto one face.
TWINS = 0.5
# Weight of a new frame in a face's speed, and the longest predicted movement, in sides of the region.
SPEED_SHARE = 0.3
FARTHEST_GUESS = 1.0


@dataclass(slots=True)
class _Person:
    track_id: int
    region: FaceRegion
    box_xyxy: FloatArray
    seen_s: float
    speed_xy: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))
    smoothing: OneEuroFilter = field(default_factory=OneEuroFilter.for_face_state)
    calming: MeasureFilter = field(default_factory=MeasureFilter)
    last: tuple[Glimpse, FaceReading] | None = None

    def shift_xy(self, time_s: float) -> FloatArray:
        """(2,) how far the face should have moved since it was seen, in pixels."""
        way = self.speed_xy * (time_s - self.seen_s)
        longest = FARTHEST_GUESS * self.region.size_px
        return np.asarray(way * min(1.0, longest / (float(np.linalg.norm(way)) + 1e-6)), np.float32)

    def expected(self, time_s: float) -> FaceRegion:
        """Where to look for the face."""
        x, y = np.add(self.region.center_xy, self.shift_xy(time_s)).tolist()
        return FaceRegion((x, y), self.region.size_px, self.region.roll_rad).rounded()

    def still(self, image_rgb: ImageArray, time_s: float) -> bool:
        """Whether the last reading is as good as a new one would be."""
        if self.last is None:
            return False
        glimpse, reading = self.last
        return unrest(reading.region, self.expected(time_s)) < SETTLED and glimpse.same(image_rgb)

    def likeness(self, box_xyxy: FloatArray, region: FaceRegion, time_s: float) -> float:
        """How well a found face fits the lost one, 0..1; 0 is another face."""
        moved = self.box_xyxy + np.tile(self.shift_xy(time_s), 2)
        fit = max(overlap(self.box_xyxy, box_xyxy), overlap(moved, box_xyxy))
        alike = 1 / SAME_SIZE < region.size_px / self.region.size_px < SAME_SIZE
        near = max(0.0, 1 - self.surprise(region, time_s) / SAME_REACH) if alike else 0.0
        return max(fit if fit > SAME_FACE else 0.0, near)

    def surprise(self, found: FaceRegion, time_s: float) -> float:
        """Distance of a face from its expected place, in sides of the region."""
        apart = np.subtract(found.center_xy, self.expected(time_s).center_xy)
        return float(np.linalg.norm(apart)) / self.region.size_px

    def see(self, region: FaceRegion, box_xyxy: FloatArray, time_s: float) -> None:
        """Store the place of the face."""
        gap_s = time_s - self.seen_s
        if gap_s > 0:
            speed = np.subtract(region.center_xy, self.region.center_xy) / gap_s
            self.speed_xy += SPEED_SHARE * np.asarray(speed - self.speed_xy, np.float32)
        self.region, self.box_xyxy, self.seen_s = region, box_xyxy, time_s


_Tracked = tuple[_Person, FaceReading]


class EmbeddedTracker:
    """Follows up to ``max_faces`` faces through one stream.

    Args:
        max_faces: maximum number of people to follow, the most likely first.
        smooth: pass the face states through the One-Euro filter.
    """

    def __init__(self, max_faces: int = 1, *, smooth: bool = True) -> None:
        self.max_faces = max_faces
        self.smooth = smooth
        self._network = FaceNetwork()
        self._finder = FaceFinder(FaceDetector(), self._network)
        self.reset()

    def reset(self) -> None:
        """Forget every face, as before the first frame."""
        self._people: list[_Person] = []
        self._lost: list[_Person] = []
        self._next_id = 0
        self._last_s = -np.inf
        self._searched_s = -np.inf
        self._cycle = 0
        self._seen_empty: Glimpse | None = None
        self._finder.reset()

    def close(self) -> None:
        """Nothing to free."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first."""
        if not 0 < frame.time_s - self._last_s <= LONGEST_GAP_S:
            self._people, self._lost = [], []
            self._searched_s = -np.inf
            self._finder.reset()
        self._last_s = frame.time_s
        if (cycle := int(frame.time_s // SEARCH_CYCLE_S)) != self._cycle:
            self._cycle = cycle
            self._finder.count_from(round(SEARCH_CYCLE_S / SEARCH_INTERVAL_S) * cycle)
        tracked = self._follow(frame)
        if len(tracked) < self.max_faces and (self._lost or self._search_is_due(frame, bool(tracked))):
            self._searched_s = frame.time_s
            tracked += self._search(frame, tracked)
            self._seen_empty = None if tracked else Glimpse(frame.image_rgb)
        tracked.sort(key=lambda pair: -pair[1].region.size_px)
        faces = []
        for person, reading in tracked:
            region = self._network.next_region(reading)
            faces.append(self._face(person, reading, region, frame))
            person.see(region, faces[-1].box_xyxy, frame.time_s)
        self._people = [person for person, _ in tracked]
        return tuple(faces)

    def look(self, images_rgb: Sequence[ImageArray]) -> list[tuple[Face, ...]]:
        """Faces in single pictures (H, W, 3) uint8, as in the first frame of a stream.

        The networks read the faces of all pictures together. The stream is not affected.
        """
        looked = []
        for image, found in zip(images_rgb, self._finder.search_all(images_rgb), strict=True):
            frame = Frame(image, 0.0)
            readings = [(number, each.reading) for number, each in enumerate(found[: self.max_faces])]
            readings.sort(key=lambda pair: -pair[1].region.size_px)
            faces = []
            for number, reading in readings:
                region = self._network.next_region(reading)
                person = _Person(number, region, landmark_box(reading), 0.0)
                faces.append(self._face(person, reading, region, frame))
            looked.append(tuple(faces))
        return looked

    def _search_is_due(self, frame: Frame, somebody: bool) -> bool:
        """Whether the time since the last search has passed."""
        if self._is_new_turn(SEARCH_INTERVAL_S):
            return True
        moving = self._seen_empty is None or self._seen_empty.moved(frame.image_rgb)
        return not somebody and self._is_new_turn(MOVING_INTERVAL_S) and moving

    def _is_new_turn(self, interval_s: float) -> bool:
        """Whether no search was in the present interval; the stream's time is divided into intervals."""
        now, searched = (
            np.floor((each_s + CLOCK_SLACK_S) / interval_s) for each_s in (self._last_s, self._searched_s)
        )
        return bool(now != searched)

    def _look_at_people(self, frame: Frame) -> list[_Tracked]:
        """Everybody's reading at the expected place; who stands still is not read again."""
        image_rgb, time_s = frame.image_rgb, frame.time_s
        moving = [person for person in self._people if not person.still(image_rgb, time_s)]
        regions = [person.expected(time_s) for person in moving]
        for person, reading in zip(moving, self._network.read(image_rgb, regions), strict=True):
            person.last = Glimpse(image_rgb, reading.region), reading
        return [(person, person.last[1]) for person in self._people if person.last is not None]

    def _follow(self, frame: Frame) -> list[_Tracked]:
        """The people who are still there; the others are lost, and later forgotten."""
        time_s = frame.time_s
        pairs = self._look_at_people(frame)
        kept: list[_Tracked] = []
        # If two tracks are on one face, the track whose expected place is nearer keeps it.
        if len(pairs) > 1:
            pairs.sort(key=lambda pair: pair[0].surprise(self._network.next_region(pair[1]), time_s))
        for person, reading in pairs:
            twin = any(overlap(landmark_box(reading), landmark_box(other)) >= TWINS for _, other in kept)
            if reading.score >= KEEP_SCORE and not twin:
                kept.append((person, reading))
            else:
                self._lost.append(person)
        self._lost = [person for person in self._lost if time_s - person.seen_s <= LONGEST_GAP_S]
        return kept

    def _search(self, frame: Frame, tracked: list[_Tracked]) -> list[_Tracked]:
        """Faces that are not tracked yet."""
        known = [landmark_box(reading) for _, reading in tracked]
        lost_xy = self._lost[-1].expected(frame.time_s).center_xy if self._lost else None
        found = self._finder.search(frame.image_rgb, known, lost_xy)[: self.max_faces - len(tracked)]
        return [(self._person(each.reading, frame.time_s), each.reading) for each in found]

    def _person(self, reading: FaceReading, time_s: float) -> _Person:
        """The lost person whose face was there or is expected there, or a new person."""
        box, region = landmark_box(reading), self._network.next_region(reading)
        likest = max(self._lost, key=lambda person: person.likeness(box, region, time_s), default=None)
        if likest is not None and likest.likeness(box, region, time_s) > 0:
            self._lost.remove(likest)
            likest.last = None
            return likest
        self._next_id += 1
        return _Person(self._next_id - 1, region, box, time_s)

    def _face(self, person: _Person, reading: FaceReading, region: FaceRegion, frame: Frame) -> Face:
        height, width = frame.image_rgb.shape[:2]
        pose = head_pose(reading.landmarks, reading.rotation, reading.region, (width, height))
        values = np.concatenate([reading.weights, pose])
        numbers = np.asarray(self._network.landmark_numbers, np.int32)
        measures = measure_face(reading.landmarks_xy, numbers)
        if self.smooth:
            values = person.smoothing.update(values, frame.time_s)
            measures = person.calming.update(measures, frame.time_s)
        return Face(
            person.track_id,
            reading.score * float(reading.visible.mean()),
            landmark_box(reading),
            reading.landmarks_xy,
            region.corners(),
            FaceState(values),
            reading.reliability(self._network.reliability),
            numbers,
            measures,
            reading.visible,
        )
