#!/usr/bin/env bash
# OneEuroFilter takes a first timestamp of 0.0 for a missing one, so a clip that starts at 0 is filtered otherwise.
#
# Versions:  OneEuroFilter 0.2.1, by the authors of the 1 Euro filter; Python 3.8 or newer.
# Behaviour: the same samples, 1/30 s apart, are filtered from time 0 and from time 1. The second output differs:
#            0.1275 and 0.3489 of a step of 1. The filter from time 0 uses the constructor's frequency (here 120 Hz)
#            once, and the difference fades over the next samples. From times 1 and 1000 the outputs are equal.
# Source:    OneEuroFilter.py, __call__(): "if self.__lasttime and timestamp" asks whether the times are true, and
#            0.0 is not.
# For users: add 1 s to all timestamps of a file, or give the file's own frame rate to the constructor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet OneEuroFilter==0.2.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
from OneEuroFilter import OneEuroFilter


def outputs(first_s):
    smooth = OneEuroFilter(freq=120, mincutoff=1.0, beta=0.3)
    return [round(smooth(value, first_s + frame / 30), 4) for frame, value in enumerate([0, 1, 1, 1, 1])]


found = {first_s: outputs(first_s) for first_s in (0.0, 1.0, 1000.0)}
for first_s, values in found.items():
    print(f"first timestamp {first_s} s: {values}")
assert found[1.0] == found[1000.0], "the outputs depend on the clock in another way"
assert found[1.0][1] > 2 * found[0.0][1], "a first timestamp of 0.0 is a timestamp now"
PYTHON
