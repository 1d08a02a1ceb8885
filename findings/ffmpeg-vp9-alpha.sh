#!/usr/bin/env bash
# FFmpeg decodes a transparent VP9 video as opaque, without a word, unless its libvpx decoder is named.
#
# Versions:  av 18.1.0 (FFmpeg 8.0), numpy 2.2.6; Python 3.11 and newer.
# Behaviour: a WebM of yuva420p, alpha 0 on the left and 255 on the right, is written by libvpx-vp9. The file says
#            alpha_mode=1. Opened as usual, its pixel format is yuv420p, and every pixel has alpha 255. The same packets
#            through the decoder libvpx-vp9 give yuva420p and alpha 0 and 255.
# Source:    WebM puts alpha into a second stream in BlockAdditional; FFmpeg's own decoder "vp9" reads the first one only.
# For users: with the ffmpeg command, put -c:v libvpx-vp9 before -i. OBS and browsers read alpha by themselves.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np

image = np.full((64, 64, 4), (200, 80, 60, 0), np.uint8)
image[:, 32:, 3] = 255
with av.open("a.webm", "w") as output:
    stream = output.add_stream("libvpx-vp9", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuva420p"
    stream.options = {"auto-alt-ref": "0", "lag-in-frames": "0", "crf": "10"}
    for index in range(5):
        frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format="yuva420p")
        frame.pts = index
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def shown(name, frame):
    alpha = frame.to_ndarray(format="rgba")[32, [8, 56], 3].tolist()
    print(f"{name}: {frame.format.name}, alpha {alpha}")
    return alpha


with av.open("a.webm") as container:
    stream = container.streams.video[0]
    assert stream.metadata["alpha_mode"] == "1"
    usual = shown("as usual      ", next(container.decode(stream)))
with av.open("a.webm") as container:
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    frames = [frame for packet in container.demux(video=0) if packet.size for frame in decoder.decode(packet)]
    named = shown("by libvpx-vp9 ", frames[0])
assert usual == [255, 255], "FFmpeg reads alpha now"
assert max(named[0], 255 - named[1]) <= 2, f"alpha is {named}"
PYTHON
