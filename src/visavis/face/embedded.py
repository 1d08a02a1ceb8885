"""Frames in, tracked faces out: the tracker on visavis's own networks.

The detector runs only while a face is missing (or, with several faces wanted, now and then); from then
on each face's own landmarks tell where to look in the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from visavis.face.detector import FaceDetector, overlap
from visavis.face.geometry import head_pose
from visavis.face.network import FaceNetwork, FaceReading
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.face.smoothing import OneEuroFilter
from visavis.types import Face, FaceState, FloatArray, Frame

# A face is taken up at the higher score and let go below the lower one.
TAKE_SCORE = 0.6
KEEP_SCORE = 0.3
# While fewer faces are tracked than wanted, look for more this often.
SEARCH_INTERVAL_S = 0.4
# A second look at a new face, from its own landmarks, corrects what the detector's box left open.
LOOKS_AT_NEW = 2
# A jump in time (a cut, a pause) makes the old positions worthless; so long a lost face keeps its number.
LONGEST_GAP_S = 1.0
# A found face is a lost one come back where their boxes overlap by this much.
SAME_FACE = 0.3


@dataclass(slots=True)
class _Person:
    track_id: int
    region: FaceRegion
    box_xyxy: FloatArray
    seen_s: float
    smoothing: OneEuroFilter = field(default_factory=OneEuroFilter.for_face_state)


class EmbeddedTracker:
    """Follows up to ``max_faces`` faces through one stream.

    Args:
        max_faces: how many people to follow, the largest first.
        threads: threads for one network call.
        smooth: pass the face states through the One-Euro filter.
    """

    def __init__(self, max_faces: int = 1, threads: int = 1, *, smooth: bool = True) -> None:
        self.max_faces = max_faces
        self.smooth = smooth
        self._detector = FaceDetector(threads)
        self._network = FaceNetwork(threads)
        self.reset()

    def reset(self) -> None:
        """Forget every face, as before the first frame."""
        self._people: list[_Person] = []
        self._lost: list[_Person] = []
        self._next_id = 0
        self._last_s = -np.inf
        self._searched_s = -np.inf

    def close(self) -> None:
        """Nothing to free."""

    def update(self, frame: Frame) -> tuple[Face, ...]:
        """Faces in the frame, largest first."""
        if not 0 < frame.time_s - self._last_s <= LONGEST_GAP_S:
            self._people, self._lost = [], []
            self._searched_s = -np.inf
        self._last_s = frame.time_s
        image = frame.image_rgb
        readings = self._network.read(image, [person.region for person in self._people])
        tracked = []
        for person, reading in zip(self._people, readings, strict=True):
            if reading.score >= KEEP_SCORE:
                tracked.append((person, reading))
            else:
                self._lost.append(person)
        self._lost = [person for person in self._lost if frame.time_s - person.seen_s <= LONGEST_GAP_S]
        due = frame.time_s - self._searched_s >= SEARCH_INTERVAL_S
        if len(tracked) < self.max_faces and (self._lost or due or not tracked):
            self._searched_s = frame.time_s
            tracked += self._search(frame, [reading for _, reading in tracked])
        tracked = _without_twins(tracked)
        tracked.sort(key=lambda pair: -pair[1].region.size_px)
        faces = tuple(self._face(person, reading, frame) for person, reading in tracked)
        self._people = [person for person, _ in tracked]
        for (person, reading), face in zip(tracked, faces, strict=True):
            person.region = self._network.next_region(reading)
            person.box_xyxy, person.seen_s = face.box_xyxy, frame.time_s
        return faces

    def _search(self, frame: Frame, known: list[FaceReading]) -> list[tuple[_Person, FaceReading]]:
        """Faces that overlap none of the known ones: the largest, for the best score may be a bystander's."""
        taken = [_box(reading.landmarks_xy) for reading in known]
        found: list[tuple[_Person, FaceReading]] = []
        detections = self._detector.detect(frame.image_rgb)
        for detection in sorted(detections, key=lambda d: float(d.box_xyxy[0] - d.box_xyxy[2])):
            if len(known) + len(found) >= self.max_faces:
                break
            if any(overlap(detection.box_xyxy, box) > SAME_FACE for box in taken):
                continue
            region = FaceRegion.from_box(detection.box_xyxy, LANDMARK_MARGIN)
            for _ in range(LOOKS_AT_NEW):
                reading = self._network.read(frame.image_rgb, [region])[0]
                region = self._network.next_region(reading)
            if reading.score >= TAKE_SCORE:
                found.append((self._person(_box(reading.landmarks_xy), region, frame.time_s), reading))
        return found

    def _person(self, box_xyxy: FloatArray, region: FaceRegion, time_s: float) -> _Person:
        """The lost person whose face was there, or a new one."""
        for person in self._lost:
            if overlap(person.box_xyxy, box_xyxy) > SAME_FACE:
                self._lost.remove(person)
                return person
        self._next_id += 1
        return _Person(self._next_id - 1, region, box_xyxy, time_s)

    def _face(self, person: _Person, reading: FaceReading, frame: Frame) -> Face:
        height, width = frame.image_rgb.shape[:2]
        pose = head_pose(reading.landmarks, reading.rotation, reading.region, (width, height))
        values = np.concatenate([reading.weights, pose])
        if self.smooth:
            values = person.smoothing.update(values, frame.time_s)
        points = reading.landmarks_xy
        return Face(
            person.track_id,
            reading.score,
            _box(points),
            points,
            self._network.next_region(reading).corners(),
            FaceState(values),
            self._network.reliability * np.float32(reading.score),
            np.asarray(self._network.landmark_numbers, np.int32),
        )


def _box(points: FloatArray) -> FloatArray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _without_twins(tracked: list[tuple[_Person, FaceReading]]) -> list[tuple[_Person, FaceReading]]:
    """Drop the younger of two tracks that have slid onto one face."""
    kept: list[tuple[_Person, FaceReading]] = []
    for pair in sorted(tracked, key=lambda p: p[0].track_id):
        box = _box(pair[1].landmarks_xy)
        if all(overlap(box, _box(other.landmarks_xy)) < 0.5 for _, other in kept):
            kept.append(pair)
    return kept
