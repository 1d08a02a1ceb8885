"""Metrics of face reading: blendshape weights, landmarks and head angles compared with the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.mesh import OUTER_EYE_CORNERS, PARTS
from visavis.types import BoolArray, FloatArray, NumberArray

Doubles = NDArray[np.float64]
# A channel varies in the truth if its standard deviation exceeds the first value, and moves above the second.
VARYING, MOVING = 0.004, 0.03
# A blendshape is full above the first value and at rest below the second; all others must be below the third.
FULL, REST, OTHERS = 0.8, 0.05, 0.3
# A blendshape that rises by less hardly moves.
LEAST_RISE = 0.1
# Eyes are shut from the first value on, and open again below the second.
SHUT, OPEN = 0.5, 0.35
# Blinks whose times differ by at most this are the same.
SAME_BLINK_S = 0.12
GAZE = np.asarray([name.startswith("eyeLook") for name in BLENDSHAPES])
# These are visible only with an open jaw.
WITH_JAW = ("mouthClose", "tongueOut")
# Channels whose rise is counted; the tongue is counted separately.
RISING = ~GAZE & [name != "tongueOut" for name in BLENDSHAPES]


def channel_r(ours: FloatArray, truth: FloatArray) -> Doubles:
    """Pearson correlation of each channel.

    Args:
        ours: (N, C).
        truth: (N, C).

    Returns:
        (C,) -1..1; 0 if ours is constant; NaN if the truth hardly varies (:data:`VARYING`).
    """
    a, b = np.asarray(ours, np.float64), np.asarray(truth, np.float64)
    spread = a.std(axis=0) * b.std(axis=0)
    together = ((a - a.mean(axis=0)) * (b - b.mean(axis=0))).mean(axis=0)
    r = np.divide(together, spread, out=np.zeros(len(spread)), where=spread > 1e-9)
    return np.where(b.std(axis=0) > VARYING, r, np.nan)


def rise_at_full(ours: FloatArray, truth: FloatArray) -> Doubles:
    """How much each weight rises from neutral faces to faces in which it is full and the others are small.

    The others do not include gaze, and not the jaw for mouthClose and tongueOut, which need an open jaw. In
    neutral faces, all weights except gaze are small.

    Args:
        ours: (N, 52).
        truth: (N, 52).

    Returns:
        (52,) mean of ours at full minus the mean at rest; NaN if the truth lacks either.
    """
    result = np.full(len(BLENDSHAPES), np.nan)
    resting = (truth[:, ~GAZE] < REST).all(axis=1)
    for channel, name in enumerate(BLENDSHAPES):
        free = {name, "jawOpen"} if name in WITH_JAW else {name}
        others = ~GAZE & [other not in free for other in BLENDSHAPES]
        full = (truth[:, channel] > FULL) & (truth[:, others] < OTHERS).all(axis=1)
        rest = resting & (truth[:, channel] < REST)
        if full.any() and rest.any():
            result[channel] = ours[full, channel].mean() - ours[rest, channel].mean()
    return result


def landmark_errors(ours: FloatArray, truth: FloatArray, numbers: NumberArray) -> dict[str, float]:
    """Mean distance of landmarks from the truth, as a share of the distance between the outer eye corners.

    Args:
        ours: (N, P, 2) or more coordinates, of which x and y count.
        truth: (N, P, 2) or more, in the same units.
        numbers: (P,) the landmarks' point numbers in MediaPipe's face mesh.

    Returns:
        ``all``, and each part of :data:`~visavis.face.mesh.PARTS`; NaN if a part has no points.

    Raises:
        InputError: the outer eye corners are missing.
    """
    places = {int(number): place for place, number in enumerate(numbers)}
    if not places.keys() >= set(OUTER_EYE_CORNERS):
        raise InputError(f"landmarks without the outer eye corners {OUTER_EYE_CORNERS} cannot be compared")
    left, right = (truth[:, places[corner], :2] for corner in OUTER_EYE_CORNERS)
    wide = np.linalg.norm(left - right, axis=1)[:, None]
    error = np.linalg.norm(ours[..., :2] - truth[..., :2], axis=2) / np.maximum(wide, 1e-6)
    result = {"all": float(error.mean())}
    for part, members in PARTS.items():
        inside = [places[number] for number in members if number in places]
        result[part] = float(error[:, inside].mean()) if inside else np.nan
    return result


def angle_errors_deg(ours_rad: FloatArray, truth_rad: FloatArray) -> Doubles:
    """(3,) mean absolute error of yaw, pitch and roll (N, 3), in degrees, in the shorter direction."""
    difference = np.asarray(ours_rad, np.float64) - truth_rad
    turned: Doubles = np.abs(np.degrees((difference + np.pi) % (2 * np.pi) - np.pi)).mean(axis=0)
    return turned


def blink_times(time_s: NDArray[np.float64], weights: FloatArray) -> Doubles:
    """The times at which the eyes were most shut in each blink.

    Args:
        time_s: (T,).
        weights: (T, 52); NaN where no face was found, which ends a blink.
    """
    shut = (
        weights[:, BLENDSHAPES.index("eyeBlinkLeft")] + weights[:, BLENDSHAPES.index("eyeBlinkRight")]
    ) / 2
    peaks: list[float] = []
    best = -1
    for frame, now in enumerate(shut):
        if best < 0:
            best = frame if now > SHUT else -1
        elif not now >= OPEN:
            peaks.append(float(time_s[best]))
            best = -1
        elif now > shut[best]:
            best = frame
    return np.asarray([*peaks, *([float(time_s[best])] if best >= 0 else [])])


def matched(ours_s: Doubles, truth_s: Doubles, within_s: float = SAME_BLINK_S) -> int:
    """How many events of two increasing lists can be paired within a time, each event once."""
    pairs = ours = 0
    for moment in truth_s:
        while ours < len(ours_s) and ours_s[ours] < moment - within_s:
            ours += 1
        if ours < len(ours_s) and ours_s[ours] <= moment + within_s:
            pairs, ours = pairs + 1, ours + 1
    return pairs


def calm(truth: FloatArray) -> BoolArray:
    """Flags (T - 2,) of the calmer half of all triples of frames, by how far the truth (T, C) moves in them.

    Triples with a frame without a face (NaN) are not calm.
    """
    steps = np.abs(np.diff(truth, axis=0)).mean(axis=1)
    moved = np.maximum(steps[1:], steps[:-1])
    if not np.isfinite(moved).any():
        return np.zeros(len(moved), np.bool_)
    return np.asarray(moved <= np.nanmedian(moved), np.bool_)


def jitter(values: FloatArray, where: BoolArray) -> float:
    """Standard deviation of the second difference of (T, C) in the flagged triples of frames, mean over C."""
    second = np.diff(values, n=2, axis=0)[where]
    second = second[np.isfinite(second).all(axis=1)]
    return float(second.std(axis=0).mean()) if len(second) > 1 else np.nan
