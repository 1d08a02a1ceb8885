"""Metrics of the mirror: how well the drawn avatar copies the landmarks of a face.

Face and drawing have the same measures. Left and right are the person's and the character's own; x grows to
the right of the picture, which is the left side of both; heights grow upward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visavis.errors import InputError
from visavis.face.measures import BROWS, DEPTH, EYE_POINTS, LIPS, MOUTH_CORNERS, Doubles, to_front
from visavis.types import FloatArray, NumberArray

# The measures, with the smallest standard deviation of a moving face: in distances between the outer eye
# corners, but eye widths for the gaze and radians for the roll. Chosen on eleven clips: below it, two
# trackers often disagree.
LEAST = {
    "mouth_opening": 0.015,
    "mouth_width": 0.015,
    "mouth_corner_left": 0.015,
    "mouth_corner_right": 0.015,
    "mouth_aside": 0.015,
    "brow_left": 0.01,
    "brow_right": 0.01,
    "lid_left": 0.01,
    "lid_right": 0.01,
    "gaze_x": 0.015,
    "gaze_y": 0.015,
    "head_yaw": 0.015,
    "head_pitch": 0.02,
    "head_roll": 0.01,
}
# A drawing that moves by a smaller share of the face's movement counts as still.
STILL = 0.05
# Share of an eye's resting gap from which its gaze is visible.
HALF_OPEN = 0.5
# Layers of the drawing that are measured.
LAYERS = ("mouth", "eyewhite_L", "eyewhite_R", "iris_L", "iris_R", "brow_L", "brow_R", "nose")
NOSE_TIP = 4
# Number of points of an outline for each segment.
STEPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Movements:
    """The movements of a face or a drawing.

    Attributes:
        values: (T, 14) in the order of :data:`LEAST` and its units, a drawing's in its own units of length;
            NaN if not visible: the gaze of a face with an eye less than half open.
        rest: (14,) the resting size that belongs to each measure, in the same units: median width of the
            mouth, height of a brow and gap of the lids; 1 for gaze and head, which have none; NaN if it is
            not above 0, as for mostly shut eyes.
    """

    values: Doubles
    rest: Doubles

    @classmethod
    def of(cls, columns: Mapping[str, Doubles]) -> Movements:
        """From each measure (T,) by name."""
        sizes = [_size(name) for name in LEAST]
        rest = np.asarray([1.0 if size is None else np.median(columns[size]) for size in sizes])
        return cls(np.stack([columns[name] for name in LEAST], axis=1), np.where(rest > 0, rest, np.nan))


def _size(name: str) -> str | None:
    """The measure whose median is the resting size of another."""
    if name.startswith("mouth"):
        return "mouth_width"
    return name if name.startswith(("brow", "lid")) else None


@dataclass(frozen=True, slots=True, eq=False)
class MirrorScores:
    """How well a drawing copies a face, for each measure in the order of :data:`LEAST`.

    Attributes:
        r: (14,) correlation, -1..1; 0 if the drawing is still (amplitude below :data:`STILL`), NaN if the
            face is still (standard deviation or range not above :data:`LEAST`).
        amplitude: (14,) the drawing's range (2nd to 98th percentile) divided by the face's range, each
            relative to its own resting size; NaN if the face is still or has no resting size.
    """

    r: Doubles
    amplitude: Doubles

    @classmethod
    def of(cls, drawn: Movements, face: Movements) -> MirrorScores:
        """Compare two motions of the same frames."""
        scale = drawn.rest / face.rest
        least = list(LEAST.values())
        columns = zip(drawn.values.T, face.values.T, scale.tolist(), least, strict=True)
        r, amplitude = np.asarray([_compare(*each) for each in columns]).T
        return cls(r, amplitude)


def _compare(drawn: Doubles, face: Doubles, scale: float, least: float) -> tuple[float, float]:
    """Correlation and amplitude of one measure (T,); ``scale`` is the drawing's size over the face's."""
    seen = np.isfinite(face)
    drawn, face = drawn[seen], face[seen]
    if len(face) == 0 or not min(face.std(), _spread(face)) > least:
        return np.nan, np.nan
    amplitude = _spread(drawn) / _spread(face) / scale
    still = amplitude < STILL or drawn.std() == 0
    return 0.0 if still else float(np.corrcoef(drawn, face)[0, 1]), amplitude


def _spread(values: Doubles) -> float:
    """The range from the 2nd to the 98th percentile."""
    low, high = np.percentile(values, [2, 98])
    return float(high - low)


def face_motion(points: FloatArray, numbers: NumberArray) -> Movements:
    """The movements of a face in pictures.

    All measures except the head's angles use points that an affine camera turns to the front; it is fitted in
    each frame to points that expressions hardly move.

    Args:
        points: (T, N, 2) landmarks in pixels, one face a frame, T at least 1.
        numbers: (N,) the landmarks' point numbers in MediaPipe's face mesh.

    Raises:
        InputError: points are missing or coincide.
    """
    places = {int(number): place for place, number in enumerate(numbers)}
    if missing := sorted(DEPTH.keys() - places.keys()):
        found = ", ".join(map(str, missing[:8]))
        raise InputError(f"landmarks without the points {found} of MediaPipe's mesh; give all 146 or 478")
    seen = np.asarray(points, np.float64) * (1, -1)
    faces = to_front(seen[:, [places[number] for number in DEPTH]])
    place = {number: index for index, number in enumerate(DEPTH)}

    def front(*these: int) -> Doubles:
        return faces[:, [place[number] for number in these]]

    corners, lips = front(*MOUTH_CORNERS), front(*LIPS)
    columns = _mouth(corners, lips[:, 0, 1] - lips[:, 1, 1])
    gaze = []
    for side, eye, brow in zip(("right", "left"), EYE_POINTS, BROWS, strict=True):
        start, end, upper, lower, iris = np.moveaxis(front(*eye), 1, 0)
        middle = (start + end) / 2
        columns[f"brow_{side}"] = front(*brow)[..., 1].mean(axis=1) - middle[:, 1]
        columns[f"lid_{side}"] = upper[:, 1] - lower[:, 1]
        opened = columns[f"lid_{side}"] > HALF_OPEN * np.median(columns[f"lid_{side}"])
        looks = (iris - middle) / np.linalg.norm(end - start, axis=1)[:, None]
        gaze.append(np.where(opened[:, None], looks, np.nan))
    right, left, nose = np.moveaxis(seen[:, [places[number] for number in (33, 263, NOSE_TIP)]], 1, 0)
    return Movements.of(columns | _gaze(gaze) | _head(right, left, nose))


def drawing_motion(still: Mapping[str, Doubles], turned: Mapping[str, Doubles]) -> Movements:
    """The movements of a drawing.

    Args:
        still: for each of :data:`LAYERS` its outline (T, K, 2) by :func:`outline`, y upward, drawn with the
            head straight.
        turned: the same, drawn with only the head's and the body's angles.
    """
    mouth = still["mouth"]
    frames = np.arange(len(mouth))
    ends = mouth[..., 0].argmin(axis=1), mouth[..., 0].argmax(axis=1)
    corners = np.stack([mouth[frames, end] for end in ends], axis=1)
    columns = _mouth(corners, _gap(mouth, corners[..., 0].mean(axis=1)))
    gaze, outer = [], []
    for side, letter in (("right", "R"), ("left", "L")):
        eye = still[f"eyewhite_{letter}"]
        # The lids move the outline, not the eye, so the eye's corners come from its usual shape.
        usual = np.median(eye, axis=0)
        first, last = usual[:, 0].argmin(), usual[:, 0].argmax()
        middle, width = (usual[first] + usual[last]) / 2, usual[last, 0] - usual[first, 0]
        columns[f"brow_{side}"] = still[f"brow_{letter}"][..., 1].mean(axis=1) - middle[1]
        columns[f"lid_{side}"] = _gap(eye, np.full(len(eye), middle[0]))
        gaze.append((still[f"iris_{letter}"].mean(axis=1) - middle) / width)
        outer.append(turned[f"eyewhite_{letter}"][:, first if side == "right" else last])
    return Movements.of(columns | _gaze(gaze) | _head(outer[0], outer[1], turned["nose"].mean(axis=1)))


def outline(points: Doubles) -> Doubles:
    """Points (..., 8 S, 2) along a curve of S cubic segments, from its control points (..., 3 S + 1, 2)."""
    segments = (points.shape[-2] - 1) // 3
    t = np.arange(STEPS)[:, None] / STEPS
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    knots = [points[..., i : i + 3 * segments : 3, None, :] for i in range(4)]
    curve = np.sum([w * p for w, p in zip(weights, knots, strict=True)], axis=0)
    return np.asarray(curve.reshape((*points.shape[:-2], segments * STEPS, 2)), np.float64)


def _gap(closed: Doubles, x: Doubles) -> Doubles:
    """(T,) height of closed outlines (T, K, 2) at x (T,)."""
    after = np.roll(closed, -1, axis=1)
    start, end = closed[..., 0] - x[:, None], after[..., 0] - x[:, None]
    crosses = (start <= 0) != (end <= 0)
    share = np.divide(start, start - end, out=np.zeros_like(start), where=crosses)
    y = closed[..., 1] + share * (after[..., 1] - closed[..., 1])
    top, bottom = np.where(crosses, y, -np.inf).max(axis=1), np.where(crosses, y, np.inf).min(axis=1)
    return np.asarray(np.maximum(top - bottom, 0.0), np.float64)


def _mouth(corners: Doubles, opening: Doubles) -> dict[str, Doubles]:
    """From the mouth's corners (T, 2, 2), the person's right one first, and its opening (T,)."""
    right, left = corners[:, 0], corners[:, 1]
    return {
        "mouth_opening": opening,
        "mouth_width": np.linalg.norm(left - right, axis=1),
        "mouth_corner_left": left[:, 1],
        "mouth_corner_right": right[:, 1],
        "mouth_aside": (left[:, 0] + right[:, 0]) / 2,
    }


def _gaze(eyes: list[Doubles]) -> dict[str, Doubles]:
    x, y = np.mean(eyes, axis=0).T
    return {"gaze_x": x, "gaze_y": y}


def _head(right: Doubles, left: Doubles, nose: Doubles) -> dict[str, Doubles]:
    """From the outer eye corners and the tip of the nose (T, 2), y upward, in the picture."""
    line = left - right
    wide = np.linalg.norm(line, axis=1)
    if not (wide > 0).all():
        raise InputError("the eye corners of a frame coincide; expected landmarks in pixels")
    along = line / wide[:, None]
    upward = along[:, ::-1] * (-1, 1)
    offset = (nose - (right + left) / 2) / wide[:, None]
    return {
        "head_yaw": (offset * along).sum(axis=1),
        "head_pitch": (offset * upward).sum(axis=1),
        "head_roll": -np.unwrap(np.arctan2(line[:, 1], line[:, 0])),
    }
