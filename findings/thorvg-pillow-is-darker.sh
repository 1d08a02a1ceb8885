#!/usr/bin/env bash
# thorvg-python gives Pillow colours that are multiplied by alpha: soft edges of a drawn avatar become dark.
#
# Versions:  thorvg-python 1.1.3, pillow 12.0.0; Python 3.10 and newer.
# Behaviour: a rectangle of (255, 64, 0) with alpha 128 is drawn into a canvas as set_target(w, h) makes it. Pillow's RGBA
#            is not multiplied by alpha, so one expects (255, 64, 0, 128) from get_pillow(). It gives (128, 32, 0, 128),
#            and over white Pillow shows (191, 143, 127) instead of (255, 159, 127). With Colorspace.ARGB8888, red and
#            blue are exchanged, too. Only ABGR8888S is right.
# Source:    thorvg_python/canvas/sw.py: get_pillow() reads the buffer as "RGBA", whatever Colorspace it has, and the
#            default, ABGR8888, is "alpha-premultiplied" (thorvg_python/base.py).
# For users: set_target(w, h, cs=Colorspace.ABGR8888S) before get_pillow(). Our code divides by alpha itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet thorvg-python==1.1.3 pillow==12.0.0
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import thorvg_python as tvg
from PIL import Image

engine = tvg.Engine(threads=0)


def drawn(**options):
    canvas = tvg.SwCanvas(engine)
    canvas.set_target(64, 64, **options)
    shape = tvg.Shape(engine)
    shape.append_rect(0, 0, 64, 64, 0, 0, True)
    shape.set_fill_color(255, 64, 0, 128)
    canvas.add(shape)
    canvas.draw(True)
    canvas.sync()
    return canvas.get_pillow()


pixel = {"as it is": drawn().getpixel((32, 32))}
for name in ("ARGB8888", "ARGB8888S", "ABGR8888S"):
    pixel[name] = drawn(cs=tvg.Colorspace[name]).getpixel((32, 32))
for name, found in pixel.items():
    print(f"{name}: (255, 64, 0, 128) is {found}")
over_white = Image.alpha_composite(Image.new("RGBA", (64, 64), "white"), drawn()).getpixel((32, 32))
print("as it is, over white:", over_white[:3])
assert pixel["as it is"] == (128, 32, 0, 128), "the default is no longer multiplied by alpha"
assert over_white[:3] == (191, 143, 127), "over white the colour has changed"
assert pixel["ARGB8888"] == (0, 32, 128, 128), "ARGB8888 has changed"
assert pixel["ABGR8888S"][0] == 255, "ABGR8888S has changed"
PYTHON
