"""Print what a face does: ``python examples/watch_a_face.py [CLIP]``."""

import sys

import visavis
from visavis.capture.portrait import PortraitClip
from visavis.cli import run_plainly


def main() -> None:
    """Watch the clip, or the embedded portrait."""
    if len(sys.argv) > 1:
        moments = visavis.watch(sys.argv[1])
    else:
        pipeline = visavis.Pipeline()
        moments = (pipeline.step(frame) for frame in PortraitClip(2.0))
    for moment in moments:
        print(f"{moment.frame.time_s:6.2f} s  {moment.faces}")


if __name__ == "__main__":
    sys.exit(run_plainly(main))
