#!/usr/bin/env bash
# FFmpeg's gray floats of a video go from 0.06 to 0.92, and its gray bytes of the same picture from 0 to 255: faces get pale.
#
# Versions:  av 18.1.0 (FFmpeg 8.0), numpy 2.2.6; Python 3.11 or newer.
# Behaviour: an H.264 video shows black, white and a middle gray. to_ndarray() gives 0, 255, 128 as "gray" and 0, 65535, 32917
#            as "gray16le". As "grayf32le" it gives 0.063, 0.918, 0.492: black is no longer 0, and the contrast is 14% less. The
#            same picture as MJPEG, as webcams send it, gives 0, 0.996, 0.5 in floats, so contrast depends on the codec.
#            "gbrpf32le", in colours, begins at 0 for both. dst_color_range changes nothing.
# Source:    pixfmt.h calls gray and grayf32 alike "Y", and its AVColorRange knows both 16 to 235 and 0 to 255 for Y. libswscale
#            takes gray of 8 to 16 bits for 0 to 255 whatever is asked: handle_jpeg() in utils.c lists GRAY8 to GRAY16, and not
#            GRAYF32, which so keeps the 16 to 235 of the video, divided by 256.
# For users: a network that learns from gray pictures of 0 to 1 sees paler faces in videos. Take "gray", and divide by 255. Our
#            code takes colours as bytes and makes them gray itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
import numpy as np
from av.video.reformatter import ColorRange

av.logging.set_level(av.logging.PANIC)
picture = np.zeros((64, 96, 3), np.uint8)
picture[:, 32:64], picture[:, 64:] = 255, 128


def first_frame(codec, pixels):
    with av.open("clip.mkv", "w") as file:
        stream = file.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixels)))
        file.mux(stream.encode(None))
    with av.open("clip.mkv") as file:
        return next(file.decode(video=0))


def shown(name, array):
    found = np.round(array[32, [16, 48, 80]].astype(float), 3)
    print(f"{name:28} black, white, gray: {', '.join(str(value) for value in found.tolist())}")
    return found


expected = {
    ("libx264", "gray"): [0, 255, 128],
    ("libx264", "gray16le"): [0, 65535, 32917],
    ("libx264", "grayf32le"): [0.063, 0.918, 0.492],
    ("mjpeg", "gray"): [0, 255, 128],
    ("mjpeg", "grayf32le"): [0, 0.996, 0.5],
}
frames = {"libx264": first_frame("libx264", "yuv420p"), "mjpeg": first_frame("mjpeg", "yuvj420p")}
for (codec, pixels), values in expected.items():
    found = shown(f"{codec}, {pixels}", frames[codec].to_ndarray(format=pixels))
    assert np.allclose(found, values, rtol=0.02, atol=0.004), f"expected {values}"
for codec, frame in frames.items():
    found = shown(f"{codec}, gbrpf32le, red", frame.to_ndarray(format="gbrpf32le")[..., 0])
    assert np.allclose(found, [0, 1, 0.5], atol=0.015), "colours have changed"
asked = frames["libx264"].reformat(format="grayf32le", dst_color_range=ColorRange.JPEG).to_ndarray()
assert np.allclose(shown("libx264, 0 to 255 asked", asked), [0.063, 0.918, 0.492], atol=0.004), "the range is heard now"
PYTHON
