"""The rig: where every point of the drawing is, and how opaque each layer is, for given parameters.

``serve/static/puppet.js`` has the same formulas; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visavis.avatar.rig_keys import Floats, KeyTable
from visavis.channels import AVATAR_PARAMETERS

PARAMETER_INDEX = {name: index for index, name in enumerate(AVATAR_PARAMETERS)}


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """How an area is filled.

    Attributes:
        kind: ``solid``, ``linear`` (2 anchor points) or ``radial`` (centre and the ends of two half axes).
        stops: (N, 5) rows of position 0..1, red, green, blue 0..255 and alpha 0..1; one row when solid.
    """

    kind: str
    stops: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """An inked line along an outline.

    Attributes:
        color: (4,) red, green, blue 0..255 and alpha 0..1.
        width: in drawing units, at the middle of each stroke.
        taper: relative width at the start and at the end of each stroke.
        runs: (first segment, number of segments) of each stroke.
    """

    color: Floats
    width: float
    taper: tuple[float, float]
    runs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One shape of the drawing; its points are ``points[start:stop]`` of the rig.

    Attributes:
        segments: cubic segments of the outline; 3 * segments + 1 control points come first, then the
            anchor points of the paint.
        clip: index of the layer whose area bounds this one, or None.
        opacity: at rest, 0..1.
        fades: (parameter index, values, opacities), piecewise linear; they multiply.
        backdrop: whether the layer belongs to the scene behind the character.
    """

    name: str
    start: int
    stop: int
    segments: int
    fill: Paint | None
    line: Line | None
    clip: int | None
    opacity: float
    fades: tuple[tuple[int, tuple[float, ...], tuple[float, ...]], ...]
    backdrop: bool

    @property
    def outline_stop(self) -> int:
        """One past the outline's last control point in the rig's points; the paint's anchors follow."""
        return self.start + 3 * self.segments + 1


@dataclass(frozen=True, slots=True)
class Spring:
    """Hair or an accessory that lags behind the head: a damped oscillator in drawing units.

    Attributes:
        axis: 0 moves points across, 1 along the screen's height.
        follow: parameter index -> units: how the head moves the root.
        hang: parameter index -> units: how gravity moves it at rest.
    """

    name: str
    axis: int
    frequency_hz: float
    damping: float
    follow: tuple[tuple[int, float], ...]
    hang: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """A drawing and its movements.

    Attributes:
        name: name of the character.
        size: side of the square drawing in its own units; y points down.
        head, body: the constants of :func:`turn_head` and :func:`lean_body`.
        keys: keys of all layers.
        points: (P, 2) at rest.
        depth, bulge: (P,) distance in front of the head's axis, and share of the head's roundness.
        follow: (P,) 0..1, how much of the head's motion a point takes.
        carried: (P,) 0..1, how much of the body's motion a point takes.
        sway: (P, number of springs), how much of each spring's motion a point takes.
    """

    name: str
    size: float
    head: Mapping[str, tuple[float, ...]]
    body: Mapping[str, tuple[float, ...]]
    layers: tuple[Layer, ...]
    keys: KeyTable
    springs: tuple[Spring, ...]
    points: Floats
    depth: Floats
    bulge: Floats
    follow: Floats
    carried: Floats
    sway: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """A drawing in one pose: points (P, 2) in drawing units and opacities (number of layers,)."""

    points: Floats
    opacities: tuple[float, ...]


def pose_rig(rig: Rig, values: Floats, springs: Floats) -> Posed:
    """Pose the drawing.

    Args:
        rig: the drawing.
        values: (24,) in the order of ``AVATAR_PARAMETERS``.
        springs: (number of springs,) in drawing units, from :class:`Springs`.
    """
    numbers = [float(value) for value in values]
    x, y = rig.points.T + rig.keys.offsets(values)
    for index, spring in enumerate(rig.springs):
        axis = (x, y)[spring.axis]
        axis += rig.sway[:, index] * springs[index]
    turned_x, turned_y = turn_head(rig, x, y, numbers)
    x += rig.follow * (turned_x - x)
    y += rig.follow * (turned_y - y)
    points = np.stack(lean_body(rig, x, y, numbers), axis=1)
    return Posed(points, tuple(layer_opacity(layer, numbers) for layer in rig.layers))


def layer_opacity(layer: Layer, values: list[float]) -> float:
    """Opacity 0..1 of a layer in this pose."""
    opacity = layer.opacity
    for index, at, to in layer.fades:
        opacity *= float(np.interp(values[index], at, to))
    return opacity


def turn_head(rig: Rig, x: Floats, y: Floats, values: list[float]) -> tuple[Floats, Floats]:
    """Points (P,), (P,) of the head turned as on a rounded body, seen with slight perspective, then tilted.

    Each point is ``depth + bulge / (1 + r^2)`` in front of the head's axis, where r is its distance from the
    head's centre in head radii: near points move further, and the far side shortens. A head nods about its
    neck, ``nod`` behind its centre, so the whole head sinks.
    """
    head = rig.head
    yaw, pitch, tilt = (
        math.radians(most * values[PARAMETER_INDEX[name]] / 30)
        for most, name in zip(head["turn_deg"], ("ParamAngleX", "ParamAngleY", "ParamAngleZ"), strict=True)
    )
    center, radii, distance = head["center"], head["radii"], head["distance"][0]
    x, y = x - center[0], y - center[1]
    u, v = x / radii[0], y / radii[1]
    z = rig.depth + rig.bulge / (1 + u * u + v * v)
    x1 = x * math.cos(yaw) + z * math.sin(yaw)
    z1 = z * math.cos(yaw) - x * math.sin(yaw)
    y1 = y * math.cos(pitch) - z1 * math.sin(pitch)
    z2 = z1 * math.cos(pitch) + y * math.sin(pitch)
    nearer = (distance - z) / (distance - z2)
    turned = x1 * nearer + center[0], y1 * nearer - head["nod"][0] * math.sin(pitch) + center[1]
    return rotate_points(*turned, head["pivot"], tilt)


def lean_body(rig: Rig, x: Floats, y: Floats, values: list[float]) -> tuple[Floats, Floats]:
    """Points (P,), (P,) carried by the body: shifted, turned about its height, raised by breath, leaning."""
    body = rig.body
    turn = values[PARAMETER_INDEX["ParamBodyAngleX"]] / 10
    bow = values[PARAMETER_INDEX["ParamBodyAngleY"]] / 10
    lean = values[PARAMETER_INDEX["ParamBodyAngleZ"]] / 10
    breath = values[PARAMETER_INDEX["ParamBreath"]]
    moves = np.sign(rig.carried)
    nearness = moves * (1 - rig.follow) * rig.depth
    x = x + turn * (rig.carried * body["shift"][0] + nearness * body["turn"][0])
    y = y - rig.carried * (bow * body["shift"][1] + breath * body["breath"][0])
    leaning_x, leaning_y = rotate_points(x, y, body["pivot"], math.radians(lean * body["lean_deg"][0]))
    return x + moves * (leaning_x - x), y + moves * (leaning_y - y)


def rotate_points(x: Floats, y: Floats, pivot: tuple[float, ...], angle_rad: float) -> tuple[Floats, Floats]:
    """Points (P,), (P,) turned about a pivot; positive is clockwise on a screen whose y axis points down."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    x, y = x - pivot[0], y - pivot[1]
    return c * x - s * y + pivot[0], s * x + c * y + pivot[1]


class Springs:
    """The moving springs of a rig; they start at rest, and :meth:`reset` stops them.

    Args:
        springs: springs of the rig.
    """

    LONGEST_GAP_S = 1.0

    def __init__(self, springs: tuple[Spring, ...]) -> None:
        self._springs = springs
        self.reset()

    def reset(self) -> None:
        """Forget all motion."""
        self._time_s: float | None = None
        self._root = [0.0] * len(self._springs)
        self._lag = [0.0] * len(self._springs)
        self._speed = [0.0] * len(self._springs)

    def advance(self, values: Floats, time_s: float) -> Floats:
        """Positions (number of springs,) in drawing units at a later moment.

        The root moves at once; the rest then swings for the elapsed time (the closed form of a damped
        oscillator, stable at any frame rate). After a step back in time, or a gap of more than a second,
        everything is at rest.
        """
        passed_s = None if self._time_s is None else time_s - self._time_s
        still = passed_s is None or not 0 <= passed_s <= self.LONGEST_GAP_S
        self._time_s = time_s
        out = np.empty(len(self._springs))
        for i, spring in enumerate(self._springs):
            root = sum(float(values[index]) * gain for index, gain in spring.follow)
            hang = sum(float(values[index]) * gain for index, gain in spring.hang)
            if still or passed_s is None:
                self._lag[i] = self._speed[i] = 0.0
            else:
                lag = self._lag[i] + self._root[i] - root
                self._lag[i], self._speed[i] = swing(spring, lag, self._speed[i], passed_s)
            self._root[i] = root
            out[i] = self._lag[i] + hang
        return out


def swing(spring: Spring, lag: float, speed: float, time_s: float) -> tuple[float, float]:
    """Position and speed of a free damped oscillator after some time (damping < 1)."""
    omega = 2 * np.pi * spring.frequency_hz
    decay = spring.damping * omega
    ringing = omega * np.sqrt(1 - spring.damping**2)
    c, s, e = np.cos(ringing * time_s), np.sin(ringing * time_s), np.exp(-decay * time_s)
    drive = (speed + decay * lag) / ringing
    position = e * (lag * c + drive * s)
    return float(position), float(e * (drive * ringing * c - lag * ringing * s) - decay * position)
