#!/usr/bin/env bash
# OpenCV's estimateAffinePartial2D aligns a turned face by two of its five points, and the crop jumps as the head turns.
#
# Versions:  opencv-python-headless 5.0.0.93, numpy 2.2.6; Python 3.10 or newer. The same with 4.13.0.92.
# Behaviour: eyes, nose and mouth corners of a head that turns by a degree per frame are aligned to the usual template of
#            112 x 112 pixels. Up to 10 degrees all five points count, from 11 on not the nose, from 29 on only an eye and the
#            opposite mouth corner. At 26 and 29 degrees, the crop jumps by 1.7 px, and at 40 it is tilted by -4.6 degrees. Least
#            squares, as in scikit-image and so in InsightFace, move it by 0.3 px at most, and tilt it by +2.4 degrees. For
#            224 x 224, two points are left from 20 degrees on. No point is wrong, and no call is random.
# Source:    the default method is RANSAC, and ransacReprojThreshold is 3 pixels of the template (OpenCV's documentation).
#            The points that agree best with the template are kept, and any two agree perfectly.
# For users: ransacReprojThreshold=1e6 keeps all points, and gives least squares. Our crops do not use this function.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import cv2
import numpy as np

TEMPLATE = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])  # Of 112 x 112.
NEARER = np.array([0, 0, 20, 4, 4])  # Nose and mouth lie before the eyes.


def turned(degrees: float) -> np.ndarray:
    """The five points of the template's face, turned about its vertical axis and seen from afar."""
    angle = np.radians(degrees)
    x = 56 + (TEMPLATE[:, 0] - 56) * np.cos(angle) + NEARER * np.sin(angle)
    return np.stack([x, TEMPLATE[:, 1]], axis=1)


def least_squares(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The similarity, 2 x 3, with the least sum of squared errors."""
    (x, y), one, zero = points.T, np.ones(5), np.zeros(5)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(rows, wanted.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def aligned(side: int, threshold: float) -> tuple[list[int], list[float], float]:
    """At 0 to 45 degrees: the number of points that count, and the crop's tilt; and the largest jump between frames."""
    wanted = TEMPLATE * side / 112
    counts, tilts, places = [], [], []
    for degrees in range(46):
        points = turned(degrees)
        matrix, used = cv2.estimateAffinePartial2D(points, wanted, ransacReprojThreshold=threshold)
        counts.append(int(used.sum()))
        tilts.append(float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))))
        places.append(points @ matrix[:, :2].T + matrix[:, 2])
        if threshold > side:
            assert np.allclose(matrix, least_squares(points, wanted), atol=1e-3), "all points do not give least squares"
    return counts, tilts, float(np.linalg.norm(np.diff(places, axis=0), axis=2).max())


for side, threshold in ((112, 3), (112, 1e6), (224, 3), (224, 1e6)):
    counts, tilts, jump = aligned(side, threshold)
    seen = ", ".join(f"{degrees}: {counts[degrees]} points, {tilts[degrees]:+.1f}" for degrees in (10, 11, 20, 29, 40))
    print(f"{side} px, threshold {threshold:7g}: largest jump {jump:.2f} px; degrees: points, tilt: {seen}")
    if threshold == 3:
        assert counts.index(2) == (29 if side == 112 else 20) and set(counts[29:]) == {2}, "other points count"
        assert jump > 1.5 and tilts[40] < -4, "the crop no longer jumps"
    else:
        assert set(counts) == {5} and jump < 0.6, "all points no longer count"
PYTHON
