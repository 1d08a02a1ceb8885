"""Writing and reading Live2D motion files (motion3.json, version 3).

Format: Live2D Inc., CubismSpecs, ``FileFormats/motion3.json.md``. A curve's ``Segments`` are a flat list: the
first point (time, value), then segments, each a kind followed by its points: 0 linear (1 point), 1 cubic
Bezier (3), 2 stepped (1: holds the earlier value), 3 inverse stepped (1: takes the later one at once).
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path, whole_file
from visavis.base.reading import finite_number, read_json_object
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError
from visavis.motion.curves import TARGETS, Curve, Kind, Motion, Segment
from visavis.motion.fitting import fit_segments
from visavis.types import AvatarPose

VERSION = 3
# Hours of movement.
MAX_BYTES = 1 << 28
# Largest distance of a written curve from a pose, as a share of the parameter's range. A little of it is
# left for the rounding of the numbers in the file.
TOLERANCE = 0.01
FIT = 0.98
# More would give numbers such as 6e-05, for which Live2D's native reader refuses the whole file.
DECIMALS = 4


def write_motion3(path: PathText, poses: Sequence[AvatarPose], fps: float) -> None:
    """Write poses as a motion file; it appears complete or not at all.

    The curves are straight lines and Beziers with as few points as a tolerance of 1% of the parameter's range
    allows. They have no fades: a player's fade would weaken the movement, and live2d-py's fade depends on its
    frame rate. Times are counted from the first pose.

    Args:
        path: the file, usually ``*.motion3.json``.
        poses: at least one, in order of time.
        fps: nominal frames per second, written into the file.

    Raises:
        InputError: there are no poses, times do not increase, fps is not positive, or the file cannot be
            written.
    """
    path = as_path(path)
    if not poses:
        raise InputError(f"{path}: a motion needs at least one pose; found none")
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"{path}: a motion's fps must be positive; found {fps}")
    time_s = np.round(np.asarray([pose.time_s for pose in poses]) - poses[0].time_s, DECIMALS)
    if (np.diff(time_s) <= 0).any() or not np.isfinite(time_s).all():
        raise InputError(f"{path}: the times of a motion's poses must increase")
    values = np.asarray([pose.values for pose in poses], np.float64)
    curves = tuple(
        _fitted(name, time_s, values[:, column], high - low)
        for column, (name, (low, high, _)) in enumerate(AVATAR_PARAMETERS.items())
    )
    motion = Motion(float(time_s[-1]) + 1 / fps, fps, False, True, curves)
    with whole_file(path) as partial:
        partial.write_text(json.dumps(_to_json(motion), indent=1) + "\n", "utf-8")


def read_motion3(path: PathText) -> Motion:
    """Read a motion file.

    Raises:
        InputError: the file is missing, not JSON, of another version, or malformed (with its curve).
    """
    path = as_path(path)
    data = read_json_object(path, MAX_BYTES)
    if data.get("Version") != VERSION:
        found = reprlib.repr(data.get("Version"))
        raise InputError(f"{path}: a motion3.json says Version {VERSION}; found {found}")
    meta, curves = data.get("Meta"), data.get("Curves")
    if not isinstance(meta, dict) or not isinstance(curves, list):
        raise InputError(f"{path}: a motion3.json holds the object Meta and the list Curves")
    numbers = {key: finite_number(meta.get(key)) for key in ("Duration", "Fps")}
    for key, value in numbers.items():
        if value is None or value <= 0:
            raise InputError(
                f"{path}: Meta.{key} must be a positive number; found {reprlib.repr(meta.get(key))}"
            )
    restricted = bool(meta.get("AreBeziersRestricted", False))
    return Motion(
        duration_s=numbers["Duration"] or 0.0,
        fps=numbers["Fps"] or 0.0,
        loop=bool(meta.get("Loop", False)),
        restricted=restricted,
        curves=tuple(_curve(f"{path}: curve {i}", curve, restricted) for i, curve in enumerate(curves)),
    )


def _curve(where: str, data: Any, restricted: bool) -> Curve:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected an object; found {type(data).__name__}")
    target, name, flat = data.get("Target"), data.get("Id"), data.get("Segments")
    if target not in TARGETS or not isinstance(name, str) or not isinstance(flat, list):
        raise InputError(f"{where} needs a Target ({', '.join(TARGETS)}), an Id and the list Segments")
    where = f"{where} ({name})"
    numbers = [finite_number(value) for value in flat]
    if len(numbers) < 2 or None in numbers:
        raise InputError(f"{where}: Segments must be finite numbers, first the time and value of a point")
    values = [value for value in numbers if value is not None]
    segments: list[Segment] = []
    last_s, position = values[0], 2
    while position < len(values):
        code = values[position]
        if code not in tuple(Kind):
            raise InputError(f"{where}: segment {len(segments)} is of kind {code:g}; known are 0 to 3")
        kind = Kind(int(code))
        stop = position + 1 + 2 * kind.points
        flat_points = values[position + 1 : stop]
        if len(flat_points) < 2 * kind.points:
            raise InputError(f"{where}: segment {len(segments)} is cut off")
        points = tuple(zip(flat_points[::2], flat_points[1::2], strict=True))
        if points[-1][0] < last_s:
            raise InputError(f"{where}: segment {len(segments)} ends before it begins")
        if kind is Kind.BEZIER and restricted:
            points = _at_thirds(last_s, points)
        segments.append(Segment(kind, points))
        last_s, position = points[-1][0], stop
    return Curve(target, name, (values[0], values[1]), tuple(segments))


def _at_thirds(start_s: float, points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """A restricted Bezier's points: players ignore the times of its handles and take thirds of the time."""
    times_s = (start_s + (points[-1][0] - start_s) * share for share in (1 / 3, 2 / 3))
    return (*((time_s, value) for time_s, (_, value) in zip(times_s, points, strict=False)), points[-1])


def _fitted(name: str, time_s: NDArray[np.float64], values: NDArray[np.float64], size: float) -> Curve:
    """A curve through the samples of one parameter, whose range has this size."""
    segments = fit_segments(time_s, values, FIT * TOLERANCE * size)
    rounded = tuple(
        Segment(segment.kind, tuple((round(t, DECIMALS), round(v, DECIMALS)) for t, v in segment.points))
        for segment in segments
    )
    return Curve("Parameter", name, (float(time_s[0]), round(float(values[0]), DECIMALS)), rounded)


def _to_json(motion: Motion) -> dict[str, Any]:
    return {
        "Version": VERSION,
        "Meta": {
            "Duration": round(motion.duration_s, DECIMALS),
            "Fps": motion.fps,
            "Loop": motion.loop,
            "AreBeziersRestricted": motion.restricted,
            "FadeInTime": 0.0,
            "FadeOutTime": 0.0,
            "CurveCount": len(motion.curves),
            "TotalSegmentCount": motion.segment_count,
            "TotalPointCount": motion.point_count,
            "UserDataCount": 0,
            "TotalUserDataSize": 0,
        },
        "Curves": [
            {
                "Target": curve.target,
                "Id": curve.name,
                "Segments": [
                    *curve.start,
                    *(v for s in curve.segments for v in (int(s.kind), *(x for p in s.points for x in p))),
                ],
            }
            for curve in motion.curves
        ],
    }
