#!/usr/bin/env bash
# Pillow's GIF of 30 pictures a second plays 10% too fast, and one of 60 plays at 100: it cuts off what is below 10 ms.
#
# Versions:  pillow 12.0.0, imageio 2.37.0, av 18.1.0 (FFmpeg 8.0), numpy 2.2.6; Python 3.11 or newer.
# Behaviour: 20 s of pictures, saved with duration=1000 / 30, last 18.0 s; with 1000 / 60, 12.0 s; imageio, which writes GIF by
#            Pillow, gives the same. A list of 33, 33 and 34 ms in turn gives 18.0 s as well. FFmpeg's GIF of 30 and of 60
#            pictures a second lasts 20.0 s: its times are 3, 3 and 4 hundredths of a second in turn. 25 and 50 are exact.
# Source:    GIF89a counts hundredths of a second. Pillow, GIF, duration: "the display duration of each frame", "in
#            milliseconds". GifImagePlugin.py, _write_local_header(): int(duration / 10) for each picture, neither rounded nor
#            made up for in the next one.
# For users: a reaction beside its sound is 2 s early after 20 s. Save at 25 or 50 pictures a second, or a list of 30, 30 and
#            40 ms in turn, or by FFmpeg. Our reader takes a GIF's times as they are, and we write none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==12.0.0 imageio==2.37.0 av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
import imageio.v3 as imageio
import numpy as np
from PIL import Image

SECONDS = 20


def pictures(rate):
    return [np.full((16, 16, 3), 8 * (k % 32), np.uint8) for k in range(SECONDS * rate)]


def length_s(name):
    with Image.open(name) as image:
        total_ms = 0
        for number in range(image.n_frames):
            image.seek(number)
            total_ms += image.info["duration"]
    return total_ms / 1000


def by_imageio(rate):
    imageio.imwrite("a.gif", pictures(rate), duration=1000 / rate)
    return length_s("a.gif")


def by_pillow(rate, duration):
    first, *others = (Image.fromarray(picture) for picture in pictures(rate))
    first.save("b.gif", save_all=True, append_images=others, duration=duration)
    return length_s("b.gif")


def by_ffmpeg(rate):
    with av.open("c.gif", "w") as file:
        stream = file.add_stream("gif", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb8"
        for picture in pictures(rate):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="rgb8")))
        file.mux(stream.encode(None))
    return length_s("c.gif")


found = {
    "Pillow, 25 a second": by_pillow(25, 1000 / 25),
    "Pillow, 30 a second": by_pillow(30, 1000 / 30),
    "Pillow, 60 a second": by_pillow(60, 1000 / 60),
    "Pillow, duration=[33, 33, 34, ...]": by_pillow(30, [33, 33, 34] * 200),
    "Pillow, duration=[30, 30, 40, ...]": by_pillow(30, [30, 30, 40] * 200),
    "imageio, 30 a second": by_imageio(30),
    "FFmpeg, 30 a second": by_ffmpeg(30),
    "FFmpeg, 60 a second": by_ffmpeg(60),
}
for way, seconds in found.items():
    print(f"{way}: {SECONDS} s last {seconds:.2f} s")
expected = [20, 18, 12, 18, 20, 18, 20, 20]
assert np.allclose(list(found.values()), expected, atol=0.05), "other lengths now"
PYTHON
