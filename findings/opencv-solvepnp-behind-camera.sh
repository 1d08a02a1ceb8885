#!/usr/bin/env bash
# OpenCV's solvePnP, started from zeros, puts a face behind the camera; OpenSeeFace's packets are made like this.
#
# Versions:  opencv-python-headless 4.12.0.88, numpy 2.2.6; Python 3.9 and newer.
# Behaviour: a face 60 units in front of the camera is projected, with image points as (row, column) as in OpenSeeFace.
#            solvePnP with SOLVEPNP_ITERATIVE and a start of zeros succeeds, and gives a translation of z = -75: behind
#            the camera, where the picture is about the same (16 px off). The Euler angles are 180, 0, 90. Without a
#            start, it gives z = +60 and other angles.
# Source:    OpenSeeFace, tracker.py, estimate_depth: useExtrinsicGuess=True, rvec and tvec of zeros.
# For users: in OpenSeeFace's packets x and y of the translation point up and to the image's left, and z is negative;
#            a sender that computes the pose itself must turn it accordingly. Ours does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==4.12.0.88 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

# x to the person's right, y up, z out of the face: jaw, nose, eyes, mouth.
head = np.array(
    [[7.4, 3.2, -9.4], [7.3, 1.1, -9.1], [0, -8, -2.6], [-7.3, 1.1, -9.1], [-7.4, 3.2, -9.4], [0, 3.3, -2.3]]
    + [[0, 2.2, -1.5], [0, 1.2, -0.7], [0, 0, 0], [1.2, -1.5, -2.2], [0, -1.6, -1.5], [-1.2, -1.5, -2.2]],
    np.float64,
)
size = 1000.0
camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]])
# The camera sees the person's right on the left: columns are -x, rows are -y, and the depth is 60 - z.
depth = 60 - head[:, 2]
pixels = np.stack([size / 2 - size * head[:, 1] / depth, size / 2 - size * head[:, 0] / depth], axis=1)


def solve(**start):
    found, turn, shift = cv2.solvePnP(head, pixels, camera, np.zeros(4), flags=cv2.SOLVEPNP_ITERATIVE, **start)
    assert found
    drawn = cv2.projectPoints(head, turn, shift, camera, np.zeros(4))[0][:, 0]
    error = np.abs(drawn - pixels).max()
    angles = cv2.RQDecomp3x3(cv2.Rodrigues(turn)[0])[0]
    print(f"z {shift.ravel()[2]:6.1f}, angles {np.round(angles)}, largest error {error:.1f} px")
    return shift.ravel()[2], angles


print("started from zeros: ", end="")
z, angles = solve(useExtrinsicGuess=True, rvec=np.zeros(3), tvec=np.zeros(3))
assert z < -50, f"the face is at z = {z}, not behind the camera"
assert abs(abs(angles[0]) - 180) < 5, f"the angles are {angles}"
assert abs(angles[2] - 90) < 5, f"the angles are {angles}"
print("without a start:    ", end="")
z, _ = solve()
assert abs(z - 60) < 1, f"the face is at z = {z}, not 60"
PYTHON
