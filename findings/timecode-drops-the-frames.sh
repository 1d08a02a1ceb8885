#!/usr/bin/env bash
# The package timecode leaves the frames out of Live Link Face's times: 00:00:01:45.250 is read as 1.25 s, not 1.754 s.
#
# Versions:  timecode 1.5.1; Python 3.9 or newer.
# Behaviour: Live Link Face's CSV counts in sixtieths of a second and parts of these: HH:MM:SS:FF.fff. The package takes what
#            follows the point for a part of the second, and forgets FF. Nothing is raised. Rows whose part stays .250 all have
#            one time in each second; rows whose part drifts jump back and forth. Without a part, FF counts.
# Source:    timecode's README knows "HH:MM:SS.sss where SS.sss is seconds and fractions of seconds", and SMPTE's frames. Of
#            both together one expects the sum or an error. timecode.py: parse_timecode() separates the five numbers and
#            returns four; tc_to_frames() asks for a point, and then puts the fraction in the frames' place.
# For users: split at the colons, and divide the last number by 60. Our reader does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet timecode==1.5.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
from timecode import Timecode


def read_s(text):
    """The time that the package reads; frame_number counts from 0."""
    return Timecode("60", text).frame_number / 60


found = {text: read_s(text) for text in ("00:00:01:45", "00:00:01:45.250", "00:00:01.250")}
for text, time_s in found.items():
    print(f"{text} is read as {time_s:.2f} s")
steady = {read_s(f"00:00:01:{frame:02}.250") for frame in range(60)}
print("60 rows of a second, a sixtieth apart, are read as", steady)
drifting = [f"00:00:01:{frame:02}.{part}" for frame, part in ((10, 990), (11, 995), (13, "000"))]
print(", ".join(drifting), "are read as", [round(read_s(text), 3) for text in drifting])
assert found == {"00:00:01:45": 1.75, "00:00:01:45.250": 1.25, "00:00:01.250": 1.25}, "the frames count now"
assert steady == {1.25}, "the frames count now"
PYTHON
