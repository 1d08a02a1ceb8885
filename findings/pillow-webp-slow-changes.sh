#!/usr/bin/env bash
# Pillow's animated WebP leaves out 48 of 60 pictures of a slow blush: small changes are waited for, also at quality 100.
#
# Versions:  pillow 12.0.0 (libwebp 1.6.0), opencv-python-headless 5.0.0.93, numpy 2.2.6; Python 3.10 or newer.
# Behaviour: the cheeks of a drawn face get redder by 1 of 255 in each picture. 60 pictures saved as WebP are 12 when they are
#            read, and the blush goes in steps of 5; at quality=100 they are 30. A blush by 5 a picture keeps all 60. Times
#            add up rightly. kmin=kmax=1 (all pictures are key frames) changes nothing. OpenCV's animated WebP is alike.
#            lossless=True, and APNG and AVIF by Pillow, keep 60.
# Source:    Pillow, WebP, save_all: "all frames of the image will be saved". libwebp, src/mux/anim_encode.c: each picture is
#            compared with the one before that was kept, and pixels within QualityToMaxDiff(), 1 to 31, count as equal.
# For users: labels or poses by the number of the picture do not fit; look up by time. For slow movements of flat colors, as
#            drawn avatars have, save with lossless=True. We write no animated WebP.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==12.0.0 opencv-python-headless==5.0.0.93 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import cv2
import numpy as np
from PIL import Image, ImageDraw


def blush(step):
    pictures = []
    for k in range(60):
        picture = Image.new("RGB", (128, 128), (250, 240, 230))
        for x in (16, 80):
            ImageDraw.Draw(picture).ellipse((x, 70, x + 32, 90), fill=(250, 240 - step * k % 200, 230 - step * k % 200))
        pictures.append(picture)
    return pictures


def kept(name, step=1, **options):
    """How many pictures a file has, and how long they are shown together."""
    pictures = blush(step)
    pictures[0].save(name, save_all=True, append_images=pictures[1:], duration=40, **options)
    total_ms = 0
    with Image.open(name) as image:
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            total_ms += image.info["duration"]
        return image.n_frames, round(total_ms)


found = {
    "WebP": kept("a.webp"),
    "WebP, kmin=kmax=1": kept("b.webp", kmin=1, kmax=1),
    "WebP, quality=100": kept("c.webp", quality=100),
    "WebP, steps of 5": kept("d.webp", step=5),
    "WebP, lossless=True": kept("e.webp", lossless=True),
    "APNG": kept("f.png"),
    "AVIF": kept("g.avif"),
}
animation = cv2.Animation()
animation.frames = [np.asarray(picture)[:, :, ::-1].copy() for picture in blush(1)]
animation.durations = np.full(60, 40, np.int32)
assert cv2.imwriteanimation("h.webp", animation)
with Image.open("h.webp") as image:
    by_opencv = image.n_frames
for name, (count, total_ms) in found.items():
    print(f"{name}: {count} pictures of 60, {total_ms} ms of 2400")
print(f"OpenCV's WebP: {by_opencv} pictures of 60")
assert [count for count, _ in found.values()] == [12, 12, 30, 60, 60, 60, 60], "other pictures are kept now"
assert all(total_ms == 2400 for _, total_ms in found.values()), "the times do not add up"
assert by_opencv < 60, "OpenCV keeps all pictures"
PYTHON
