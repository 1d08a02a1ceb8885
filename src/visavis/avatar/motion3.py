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

from visavis.avatar.motion import TARGETS, Curve, Kind, Motion, Segment
from visavis.base.files import PathText, as_path, whole_file
from visavis.base.reading import json_type, parse_json, regular
from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError
from visavis.types import AvatarPose

VERSION = 3
# A key may be left out if the straight line misses it by less than this share of the parameter's range.
TOLERANCE = 0.005


def write_motion3(path: PathText, poses: Sequence[AvatarPose], fps: float) -> None:
    """Write poses as a motion file; it appears complete or not at all.

    A key is left out if a straight line between its neighbours is within 0.5% of the parameter's range. Times
    are counted from the first pose.

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
    time_s = np.asarray([pose.time_s for pose in poses]) - poses[0].time_s
    if (np.diff(time_s) <= 0).any() or not np.isfinite(time_s).all():
        raise InputError(f"{path}: the times of a motion's poses must increase")
    values = np.asarray([pose.values for pose in poses], np.float64)
    curves = tuple(
        _linear_curve(name, time_s, values[:, column], TOLERANCE * (high - low))
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
    try:
        data = parse_json(regular(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable motion3.json: {error}") from error
    version = data.get("Version") if isinstance(data, dict) else None
    if version != VERSION:
        found = reprlib.repr(version) if isinstance(data, dict) else json_type(data)
        raise InputError(f"{path}: a motion3.json says Version {VERSION}; found {found}")
    meta, curves = data.get("Meta"), data.get("Curves")
    if not isinstance(meta, dict) or not isinstance(curves, list):
        raise InputError(f"{path}: a motion3.json holds the object Meta and the list Curves")
    numbers = {key: _number(meta.get(key)) for key in ("Duration", "Fps")}
    for key, value in numbers.items():
        if value is None or value <= 0:
            raise InputError(
                f"{path}: Meta.{key} must be a positive number; found {reprlib.repr(meta.get(key))}"
            )
    return Motion(
        duration_s=numbers["Duration"] or 0.0,
        fps=numbers["Fps"] or 0.0,
        loop=bool(meta.get("Loop", False)),
        restricted=bool(meta.get("AreBeziersRestricted", False)),
        curves=tuple(_curve(f"{path}: curve {i}", curve) for i, curve in enumerate(curves)),
    )


def _curve(where: str, data: Any) -> Curve:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected an object; found {type(data).__name__}")
    target, name, flat = data.get("Target"), data.get("Id"), data.get("Segments")
    if target not in TARGETS or not isinstance(name, str) or not isinstance(flat, list):
        raise InputError(f"{where} needs a Target ({', '.join(TARGETS)}), an Id and the list Segments")
    where = f"{where} ({name})"
    numbers = [_number(value) for value in flat]
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
        segments.append(Segment(kind, points))
        last_s, position = points[-1][0], stop
    return Curve(target, name, (values[0], values[1]), tuple(segments))


def _number(value: Any) -> float | None:
    """A finite number as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _linear_curve(
    name: str, time_s: NDArray[np.float64], values: NDArray[np.float64], tolerance: float
) -> Curve:
    keys = [
        (round(float(time_s[i]), 4), round(float(values[i]), 5)) for i in _kept(time_s, values, tolerance)
    ]
    return Curve("Parameter", name, keys[0], tuple(Segment(Kind.LINEAR, (key,)) for key in keys[1:]))


def _kept(time_s: NDArray[np.float64], values: NDArray[np.float64], tolerance: float) -> list[int]:
    """Indices of the keys that stay: Ramer (1972), Douglas & Peucker (1973), with vertical distances."""
    kept = {0, len(values) - 1}
    open_spans = [(0, len(values) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        line = np.interp(time_s[inner], time_s[[first, last]], values[[first, last]])
        missed = np.abs(values[inner] - line)
        worst = int(missed.argmax())
        if missed[worst] > tolerance:
            split = first + 1 + worst
            kept.add(split)
            open_spans += [(first, split), (split, last)]
    return sorted(kept)


def _to_json(motion: Motion) -> dict[str, Any]:
    return {
        "Version": VERSION,
        "Meta": {
            "Duration": round(motion.duration_s, 4),
            "Fps": motion.fps,
            "Loop": motion.loop,
            "AreBeziersRestricted": motion.restricted,
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
