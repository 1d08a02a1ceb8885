#!/usr/bin/env bash
# OpenCV's warpAffine takes INTER_AREA and does INTER_LINEAR: a face that is aligned from a large picture is full of moire.
#
# Versions:  opencv-python-headless 5.0.0.93, numpy 2.2.6; Python 3.10 or newer. The same with 4.13.0.92.
# Behaviour: a picture of random black and white pixels is shrunk eightfold. resize() with INTER_AREA gives grays that spread
#            by 16 (standard deviation), the mean of 64 pixels each. warpAffine(), warpPerspective() and remap() with
#            INTER_AREA, and the same scale, give a spread of 63, and bit for bit the picture of INTER_LINEAR, which looks at 4
#            of the 64 pixels. Nothing is said. INTER_CUBIC and INTER_LANCZOS4 are worse: 80 and 86.
# Source:    OpenCV, warpAffine: flags is a "combination of interpolation methods (see InterpolationFlags)", and there
#            INTER_AREA "gives moire'-free results". Only remap's page says that it does not support INTER_AREA.
# For users: halve the picture with resize() and INTER_AREA until the warp shrinks it at most twofold. Our crops do; our stills
#            of movements took INTER_AREA at its word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import cv2
import numpy as np

picture = (255 * np.random.default_rng(0).integers(0, 2, (512, 512))).astype(np.uint8)
# Pixel x of the small picture has its centre at 8 x + 3.5 of the large one.
matrix = np.array([[1 / 8, 0, (1 / 8 - 1) / 2], [0, 1 / 8, (1 / 8 - 1) / 2]])
x, y = np.meshgrid(np.arange(64, dtype=np.float32) * 8 + 3.5, np.arange(64, dtype=np.float32) * 8 + 3.5)
ways = {
    "warpAffine": lambda how: cv2.warpAffine(picture, matrix, (64, 64), flags=how),
    "warpPerspective": lambda how: cv2.warpPerspective(picture, np.vstack([matrix, [0, 0, 1]]), (64, 64), flags=how),
    "remap": lambda how: cv2.remap(picture, x, y, how),
}
means = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
print(f"resize, INTER_AREA: the grays spread by {means.std():.0f}")
assert 14 < means.std() < 18, "resize does something else now"
for name, warp in ways.items():
    area, linear = warp(cv2.INTER_AREA), warp(cv2.INTER_LINEAR)
    print(f"{name}, INTER_AREA: {area.std():.0f}; equal to INTER_LINEAR: {np.array_equal(area, linear)}")
    assert np.array_equal(area, linear) and area.std() > 55, f"{name} does something else now"
PYTHON
