#!/usr/bin/env bash
# MediaPipe's Image reads a crop of a picture as the bytes lie in memory: its rows shear, and no error is raised.
#
# Versions:  mediapipe 1.2.3, numpy 2.2.6; Python 3.11 or newer. 0.10.32 does the same; 0.10.21 raises a TypeError.
# Behaviour: mp.Image(SRGB, picture[100:200, 120:220]) has the right width and height, and the 30,000 bytes after the crop's
#            corner: each 100 pixels of the picture's rows one below another. A picture whose sides are swapped by
#            transpose() is not swapped. No error, no warning. Copies are taken rightly.
# Source:    mediapipe/tasks/python/vision/core/image.py, Image.__init__(): it hands on the array's pointer, width and height,
#            never its strides. The documentation says "data: A numpy ndarray containing the image data". Up to 0.10.21 it was
#            a pybind11 class that refused such arrays: issue 5251 of google-ai-edge/mediapipe, "can't deal with numpy array
#            views". Code that ran into that error made a copy; code that is written now finds out by bad landmarks.
# For users: mp.Image(SRGB, numpy.ascontiguousarray(view)), also for video frames that you cut.
#            Our tracker "mediapipe" makes such an array of each picture.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile mediapipe==1.2.3 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import mediapipe as mp
import numpy as np

down, right = np.mgrid[:360, :480]
picture = np.stack([right // 2, down // 2, (right + down) // 4], axis=2).astype(np.uint8)
crop = picture[100:200, 120:220]
views = {
    "a crop": crop,
    "rows and columns swapped": picture.transpose(1, 0, 2),
}


def difference(view):
    image = mp.Image(mp.ImageFormat.SRGB, view)
    seen = image.numpy_view()
    assert seen.shape == view.shape, f"{seen.shape} of {view.shape}"
    return np.abs(seen.astype(int) - view).mean()


for name, view in views.items():
    wrong, right = difference(view), difference(np.ascontiguousarray(view))
    print(f"{name}: pixels are off by {wrong:.1f} of 255 on average, and by {right:.1f} as a copy")
    assert wrong > 5, "the view is read rightly now"
    assert right == 0, "the copy is read wrongly"
image = mp.Image(mp.ImageFormat.SRGB, crop)
first = image.numpy_view().reshape(-1)
start = picture.reshape(-1)[(100 * 480 + 120) * 3 :][: first.size]
assert np.array_equal(first, start), "no longer the bytes in their order in memory"
PYTHON
