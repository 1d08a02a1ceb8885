#!/usr/bin/env bash
# Reading frame.side_data of PyAV keeps the frame's picture in memory until Python's garbage collection.
#
# Versions:  av 16.0.1; Python 3.11 and newer; Linux.
# Behaviour: 150 frames of 1280 x 720 are decoded one by one, and none is kept. Memory does not grow. If the program also
#            reads frame.side_data, memory grows by about 100 MB; with gc.collect() after each frame, it does not.
# Source:    frame.side_data makes a container that holds its frame, and the frame holds the container. The cycle is small for
#            Python, which collects after hundreds of objects and does not see the pictures that they keep.
# For users: read the side data of one frame only, such as the display matrix of the first, or call gc.collect().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==16.0.1
cd "$folder"
cat > read.py <<'PYTHON'
import gc
import sys

import av


def memory_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


with av.open("a.mp4") as container:
    container.streams.video[0].thread_type = "NONE"
    frames = container.decode(video=0)
    for _ in range(20):
        next(frames)
    gc.collect()
    before_mb = memory_mb()
    for _ in range(150):
        frame = next(frames)
        if sys.argv[1] != "pictures alone":
            frame.side_data
        if sys.argv[1] == "side data, gc.collect()":
            gc.collect()
    print(round(memory_mb() - before_mb))
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import av

with av.open("a.mp4", "w") as output:
    stream = output.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt, stream.options = 1280, 720, "yuv420p", {"preset": "ultrafast"}
    for _ in range(180):
        output.mux(stream.encode(av.VideoFrame(1280, 720, "yuv420p")))
    output.mux(stream.encode(None))
grew = {}
for how in ("pictures alone", "side data", "side data, gc.collect()"):
    grew[how] = int(subprocess.run([sys.executable, "read.py", how], check=True, capture_output=True).stdout)
    print(f"{how}: memory grew by {grew[how]} MB in 150 frames")
assert grew["pictures alone"] < 30 < 80 < grew["side data"], "frames are freed at once now"
assert grew["side data, gc.collect()"] < 30, "the garbage collection does not free them"
PYTHON
