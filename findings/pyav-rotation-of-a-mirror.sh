#!/usr/bin/env bash
# PyAV's frame.rotation calls a video that is mirrored left-right "turned by 180 degrees".
#
# Versions:  av 16.0.1, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: the display matrix of an MP4 is set to a mirror, (-1, 0, 0, 1), as front cameras may write it. frame.rotation is
#            -180, as for (-1, 0, 0, -1). Who turns the picture by it shows it upside down. The side data have the matrix.
# Source:    frame.rotation is FFmpeg's av_display_rotation_get, whose documentation warns of matrices that mirror:
#            an angle cannot say it.
# For users: read the nine numbers of frame.side_data["DISPLAYMATRIX"]; a picture is mirrored if a d - b c < 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==16.0.1 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct

import av
import numpy as np

with av.open("a.mp4", "w") as output:
    stream = output.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
    output.mux(stream.encode(None))
data = bytearray(open("a.mp4", "rb").read())
at = data.index(b"tkhd") + 44
found = {}
for name, (a, d) in {"as it is": (1, 1), "mirror": (-1, 1), "half turn": (-1, -1)}.items():
    data[at : at + 36] = struct.pack(">9i", a << 16, 0, 0, 0, d << 16, 0, 0, 0, 1 << 30)
    open("b.mp4", "wb").write(data)
    with av.open("b.mp4") as container:
        frame = next(container.decode(video=0))
        matrix = frame.side_data.get("DISPLAYMATRIX")
        numbers = None if matrix is None else np.frombuffer(bytes(matrix), np.int32)[[0, 4]] // 65536
        found[name] = abs(frame.rotation)
        print(f"{name}: rotation {frame.rotation}, a and d of the matrix {numbers}")
assert found == {"as it is": 0, "mirror": 180, "half turn": 180}, "rotation tells a mirror now"
PYTHON
