"""Draw Mira with a face that you choose: ``python examples/draw_mira.py OUT.png [NAME=WEIGHT ...]``."""

import sys
from pathlib import Path

import numpy as np

import visavis
from visavis.avatar.parameters import Animator
from visavis.avatar.puppet_sheet import write_png
from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.cli import run_plainly


def main() -> None:
    """Draw one picture; the weights are ARKit's, such as mouthSmileLeft=0.8 or jawOpen=0.5."""
    out, *words = sys.argv[1:] or ["mira.png", "mouthSmileLeft=0.8", "mouthSmileRight=0.8"]
    values = np.zeros(len(FACE_CHANNELS), np.float32)
    for word in words:
        name, _, weight = word.partition("=")
        if name not in FACE_INDEX or not weight.replace(".", "", 1).isdecimal():
            sys.exit(f"{word}: expected a movement and its weight, such as jawOpen=0.5")
        values[FACE_INDEX[name]] = float(weight)
    pose = Animator().update(visavis.FaceState(values), None, 0.0)
    write_png(Path(out), visavis.Puppet.load().draw(pose, 512))
    print(f"wrote {out}")


if __name__ == "__main__":
    sys.exit(run_plainly(main))
