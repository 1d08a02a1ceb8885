"""Live2D parameters as JSON lines: ``python examples/drive_your_avatar.py CLIP|0 | your_program``."""

import json
import sys

import visavis
from visavis.cli import run_plainly


def main() -> None:
    """Print a line for each frame of the clip, or of camera 0: its time, and the parameters by their ids."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    source = sys.argv[1]
    for moment in visavis.watch(source):
        parameters = {name: round(value, 3) for name, value in moment.pose.as_dict().items()}
        print(json.dumps({"time_s": moment.frame.time_s, "parameters": parameters}), flush=True)


if __name__ == "__main__":
    sys.exit(run_plainly(main))
