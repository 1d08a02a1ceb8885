#!/usr/bin/env bash
# PyAV shows a phone's HDR video pale and gray, OpenCV does not; what PyAV documents as a mere tag gives the colours back.
#
# Versions:  av 18.1.0 (FFmpeg 8.0), opencv-python-headless 5.0.0.93, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: phones record HDR as HEVC of 10 bits, BT.2020 and HLG. A skin that is (224, 172, 140) in SDR is (171, 152, 127) by
#            to_ndarray(format="rgb24"), lips of (190, 60, 70) are (150, 73, 67), and white is 189. OpenCV's VideoCapture
#            gives (228, 176, 144), (198, 76, 78) and 254 for the same file. Nothing is said. With dst_color_trc and
#            dst_color_primaries, PyAV gives (226, 171, 138), (194, 66, 68) and 254.
# Source:    the file names its curve and primaries, and FFmpeg 8 can convert them: both call sws_scale_frame(). PyAV's
#            reformatter.py hides them from it unless a destination is asked for. It says of dst_color_trc: "This sets frame
#            metadata only; it does not perform a pixel-level transfer function conversion", which was so in 17.1.
# For users: networks learn from SDR. Ask for ColorTrc.IEC61966_2_1 and ColorPrimaries.BT709 if frame.color_trc is 16 or 18;
#            asked for always, they refuse frames whose tags are reserved values. Our reader does so since this finding: in a
#            talk that was made HDR, four of 50 faces had got another expression.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 opencv-python-headless==5.0.0.93 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

BT2020, HLG, LIMITED = 9, 18, 1
SDR = {"dst_color_trc": ColorTrc.IEC61966_2_1, "dst_color_primaries": ColorPrimaries.BT709}
# Skin, lips and white in sRGB, and their Y, Cb, Cr of 10 bits in HLG, of which white has 75%, as ITU-R BT.2408 says.
colors = [(224, 172, 140), (190, 60, 70), (255, 255, 255)]
hlg = np.array([(605, 459, 549), (388, 465, 648), (721, 512, 512)], np.uint16)

planes = [np.tile(np.repeat(values, 64 // small), (64 // small, 1)) for values, small in zip(hlg.T, (1, 2, 2))]
with av.open("phone.mkv", "w") as file:
    stream = file.add_stream("libx265", rate=30, options={"crf": "4", "x265-params": "log-level=none"})
    stream.width, stream.height, stream.pix_fmt = 192, 64, "yuv420p10le"
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = BT2020, BT2020, HLG, LIMITED
    frame = av.VideoFrame.from_ndarray(np.concatenate([plane.ravel() for plane in planes]).reshape(96, 192), "yuv420p10le")
    frame.pts = 0
    file.mux(stream.encode(frame))
    file.mux(stream.encode(None))

with av.open("phone.mkv") as file:
    frame = next(file.decode(video=0))
assert (frame.color_trc, frame.color_primaries) == (HLG, BT2020), "the tags are lost"
ways = {
    "PyAV": (frame.to_ndarray(format="rgb24"), [(171, 152, 127), (150, 73, 67), (189, 189, 189)]),
    "OpenCV": (cv2.VideoCapture("phone.mkv").read()[1][..., ::-1], [(228, 176, 144), (198, 76, 78), (254, 254, 254)]),
    "PyAV with a destination": (
        frame.to_ndarray(format="rgb24", **SDR), [(226, 171, 138), (194, 66, 68), (254, 254, 254)]
    ),
}
print("in SDR:", *colors)
for name, (picture, expected) in ways.items():
    found = picture[32, 32::64]
    print(f"{name}:", *(tuple(color) for color in found.tolist()))
    assert np.allclose(found, expected, atol=3), f"expected {expected}"
PYTHON
