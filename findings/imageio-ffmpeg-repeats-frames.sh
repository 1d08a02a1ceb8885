#!/usr/bin/env bash
# imageio-ffmpeg counts 60 frames in a video of varying rate and then reads 90, so labels by number fit no more.
#
# Versions:  imageio-ffmpeg 0.8.1 (with the ffmpeg that it brings), av 18.1.0, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: phones record fewer frames per second when it is dark. In this MP4 each second of 30 frames is followed by
#            two of 15 per second: 60 pictures. count_frames_and_secs() says 60, PyAV decodes 60. read_frames() gives 90:
#            frame 31 comes three times, later ones twice. metadata["fps"] is 20.69, so number / fps is no time, either.
# Source:    read_frames() lets ffmpeg write raw video, for which ffmpeg makes a constant rate ("-fps_mode auto": FFmpeg,
#            "Advanced Video options"); count_frames_and_secs() writes to the format "null", which keeps the frames.
# For users: give read_frames(path, output_params=["-fps_mode", "passthrough"]). imageio's FFMPEG plugin and MoviePy read
#            in the same way. Our reader uses the times of the frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np

PER_S = 90000
times_s = [k / 30 for k in range(30)] + [1 + k / 15 for k in range(30)]
with av.open("a.mp4", "w") as output:
    stream = output.add_stream("libx264", rate=30, options={"crf": "5"})
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    stream.codec_context.time_base = Fraction(1, PER_S)
    for number, time_s in enumerate(times_s):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 4 * number, np.uint8), format="rgb24")
        frame.pts, frame.time_base = round(time_s * PER_S), Fraction(1, PER_S)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def number_in(picture):
    return round(float(np.mean(picture)) / 4)


def read(**options):
    frames = imageio_ffmpeg.read_frames("a.mp4", **options)
    metadata = next(frames)
    return metadata["fps"], [number_in(np.frombuffer(each, np.uint8)) for each in frames]


with av.open("a.mp4") as container:
    decoded = [number_in(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
counted, _ = imageio_ffmpeg.count_frames_and_secs("a.mp4")
fps, usual = read()
_, kept = read(output_params=["-fps_mode", "passthrough"])
print(f"PyAV decodes {len(decoded)} frames; imageio-ffmpeg counts {counted}, says {fps} frames per second, and reads {len(usual)}")
print("numbers of the frames read as number 30, 31, and so on:", usual[30:42])
print(f"with -fps_mode passthrough it reads {len(kept)}")
assert decoded == list(range(60)), f"the file has frames {decoded}"
assert counted == 60, f"counted {counted}"
assert len(usual) > 80, f"read {len(usual)} frames"
assert kept == decoded, f"with passthrough: {kept}"
PYTHON
