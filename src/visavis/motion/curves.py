"""A motion: curves of parameters over time, from which the avatar's pose at any moment follows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum

from visavis.channels import AVATAR_PARAMETERS
from visavis.types import AvatarPose

TARGETS = ("Model", "Parameter", "PartOpacity")


class Kind(IntEnum):
    """How a segment runs from its first point to its last."""

    LINEAR = 0
    BEZIER = 1
    STEPPED = 2
    INVERSE_STEPPED = 3

    @property
    def points(self) -> int:
        """How many points follow the kind."""
        return 3 if self is Kind.BEZIER else 1


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a curve.

    Attributes:
        kind: how it runs.
        points: (time in seconds, value), as many as the kind has; the last point ends the segment.
    """

    kind: Kind
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The values of one parameter over time.

    Attributes:
        target: one of :data:`TARGETS`.
        name: the parameter's, part's or model property's id.
        start: the first point, (time in seconds, value).
        segments: in order of time.
    """

    target: str
    name: str
    start: tuple[float, float]
    segments: tuple[Segment, ...]

    def at(self, time_s: float) -> float:
        """The value at a moment; the first or last value outside the curve."""
        index = bisect_right(self.segments, time_s, key=lambda segment: segment.points[-1][0])
        before = self.segments[index - 1].points[-1] if index else self.start
        if index == len(self.segments) or time_s <= before[0]:
            return before[1]
        return _within(self.segments[index], before, time_s)


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion file.

    Attributes:
        duration_s: duration in seconds.
        fps: frames per second at which the motion was made.
        loop: whether it repeats.
        restricted: whether Bezier handles stand at thirds of the time (``AreBeziersRestricted``).
        curves: in the file's order.
    """

    duration_s: float
    fps: float
    loop: bool
    restricted: bool
    curves: tuple[Curve, ...]

    @property
    def segment_count(self) -> int:
        """Of all curves."""
        return sum(len(curve.segments) for curve in self.curves)

    @property
    def point_count(self) -> int:
        """Of all curves, first points included."""
        return sum(1 + sum(len(s.points) for s in curve.segments) for curve in self.curves)

    def pose(self, time_s: float) -> AvatarPose:
        """The avatar at a moment; curves of parameters that are not standard are left out."""
        values = {
            c.name: c.at(time_s)
            for c in self.curves
            if c.target == "Parameter" and c.name in AVATAR_PARAMETERS
        }
        return AvatarPose.from_mapping(values, time_s)


def _within(segment: Segment, before: tuple[float, float], time_s: float) -> float:
    end = segment.points[-1]
    match segment.kind:
        case Kind.STEPPED:
            return before[1]
        case Kind.INVERSE_STEPPED:
            return end[1]
        case Kind.LINEAR:
            share = (time_s - before[0]) / (end[0] - before[0])
            return before[1] + share * (end[1] - before[1])
        case Kind.BEZIER:
            return _bezier((before, *segment.points), time_s)


def _bezier(points: tuple[tuple[float, float], ...], time_s: float) -> float:
    """The value where the cubic's time, which increases, is ``time_s``; found by bisection."""

    def cubic(axis: int, t: float) -> float:
        a, b, c, d = (point[axis] for point in points)
        u = 1.0 - t
        return u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if cubic(0, middle) < time_s else (low, middle)
    return cubic(1, low)
