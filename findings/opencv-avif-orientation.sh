#!/usr/bin/env bash
# OpenCV turns a JPEG as its file says, but gives an AVIF as it is stored: turned or mirrored.
#
# Versions:  opencv-python-headless 4.13.0.92, Pillow 12.0.0, av 16.0.1, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: one picture, white in its top left quarter, is stored with orientation 6 (turn it clockwise to show it) as
#            JPEG, by EXIF, and as AVIF, by the property irot. cv2.imdecode(IMREAD_COLOR) gives the JPEG turned, white at the
#            top right, and the AVIF not turned. FFmpeg does not turn the AVIF either, but a display matrix says how.
# Source:    OpenCV's reader of AVIF calls libavif, which leaves irot and imir to its caller; the flags
#            IMREAD_COLOR and IMREAD_IGNORE_ORIENTATION are about EXIF alone.
# For users: read AVIF by another library, or apply irot and imir yourself. Cameras of phones lie on their side.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==4.13.0.92 pillow==12.0.0 av==16.0.1 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io

import av
import cv2
import numpy as np
from PIL import Image

stored = np.zeros((96, 160, 3), np.uint8)
stored[:48, :80] = 255
exif = Image.Exif()
exif[0x112] = 6
found = {}
for kind in ("JPEG", "AVIF"):
    file = io.BytesIO()
    Image.fromarray(stored).save(file, kind, exif=exif, quality=90)
    data = file.getvalue()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    corner = "left" if image[height // 4, width // 4].mean() > 128 else "right"
    found[kind] = (width, height, corner)
    print(f"{kind} by OpenCV: {width} x {height}, white at the top {corner}")
with av.open(io.BytesIO(data)) as container:
    frame = next(container.decode(video=0))
    matrix = frame.side_data.get("DISPLAYMATRIX")
    print("AVIF by FFmpeg:", frame.width, "x", frame.height, "with", matrix)
assert b"irot" in data
assert found["JPEG"] == (96, 160, "right"), "OpenCV does not turn the JPEG"
assert found["AVIF"] == (160, 96, "left"), "OpenCV turns AVIF now"
PYTHON
