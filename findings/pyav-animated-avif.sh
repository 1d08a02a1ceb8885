#!/usr/bin/env bash
# PyAV gives one picture of an animated AVIF of 20: its first video stream is a still, and is marked as default as well.
#
# Versions:  av 18.1.0 (FFmpeg 8.0), pillow 12.0.0, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: Pillow saves 20 pictures, 40 ms each, as AVIF, GIF and PNG, and reads 20 of each. PyAV's decode(video=0) gives 20
#            of the GIF and the PNG, and 1 of the AVIF, without a word. Of the AVIF's two video streams, both "default", the
#            first has 1 frame and the second 20; decode() without a choice gives 21. streams.best("video") is the second.
# Source:    PyAV's examples read a video by decode(video=0). The AVIF specification (Image Sequence) lets a file hold a still
#            item and a track of all pictures, and Pillow, by libavif, writes both. FFmpeg makes a stream of each.
# For users: decode(container.streams.best("video")), or leave out streams whose frames is 1 where another has more. imageio's
#            pyav plugin reads the still, too, and so did our reader.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 pillow==12.0.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
from av.stream import Disposition
from PIL import Image

pictures = [Image.new("RGB", (64, 64), (12 * k, 0, 100)) for k in range(20)]
counts = {}
for name in ("a.gif", "a.png", "a.avif"):
    pictures[0].save(name, save_all=True, append_images=pictures[1:], duration=40)
    with av.open(name) as file:
        counts[name] = len(list(file.decode(video=0)))
    with Image.open(name) as image:
        print(f"{name}: {image.n_frames} pictures by Pillow, {counts[name]} by decode(video=0)")
        assert image.n_frames == 20, f"Pillow reads {image.n_frames} pictures"
with av.open("a.avif") as file:
    streams = [(stream.frames, bool(stream.disposition & Disposition.default)) for stream in file.streams.video]
    best = file.streams.best("video")
    print(f"(frames, default) of its video streams: {streams}; the best is number {best.index}")
    counts["best"] = len(list(file.decode(best)))
assert counts == {"a.gif": 20, "a.png": 20, "a.avif": 1, "best": 20}, f"found {counts}"
assert streams == [(1, True), (20, True)], f"found {streams}"
PYTHON
