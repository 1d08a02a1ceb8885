"""Live2D parameters as JSON lines: ``python examples/drive_your_avatar.py [CLIP] | your_program``."""

import json
import sys

import visavis


def main() -> None:
    """Print a line for each frame of the clip or the camera: its time, and the parameters by their ids."""
    source = sys.argv[1] if len(sys.argv) > 1 else 0
    for moment in visavis.watch(source):
        parameters = {name: round(value, 3) for name, value in moment.pose.as_dict().items()}
        print(json.dumps({"time_s": moment.frame.time_s, "parameters": parameters}), flush=True)


if __name__ == "__main__":
    main()
