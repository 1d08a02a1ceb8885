#!/usr/bin/env bash
# Live2D's native JSON reader refuses a whole file for one number such as 6e-05, which Python's json writes.
#
# Versions:  live2d-py 1.0.0 (Cubism Native SDK 5 r5, Cubism Core 6.0.1), Python 3.11 or newer, Linux.
# Behaviour: the same model3.json is read with "Weight": 0.00006 and refused with "Weight": 6e-05, as with 1E5.
#            JSON (RFC 8259, section 6) allows both. The same reader reads motion3.json: with one such number in it,
#            LoadExtraMotion still answers 0, the number of the first motion of a new group, StartMotion says
#            nothing, and the model stands still (seen with a sample model, which cannot be given here).
# Source:    CubismJson::ParseNumeric in the framework's Utils/CubismJson.cpp; older versions call strtof instead,
#            which knows exponents.
# For users: json.dumps(6e-05) is "6e-05". Round numbers to four decimals before you write a file for Live2D.
#            Programs on Live2D's Web SDK read such files, as browsers parse them, so the fault is easily missed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet live2d-py==1.0.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import struct
import sys

import live2d

folder = sys.argv[1]
# The head of a model, so that the file is taken for one; it has no content, so nothing can be drawn.
with open(f"{folder}/m.moc3", "wb") as file:
    file.write(b"MOC3\x03".ljust(64, b"\0") + struct.pack("<160I", 704, *[0] * 159))
live2d.init()
live2d.enableLog(True)


def log(number):
    """What the library logs while it reads a model3.json with this number in it."""
    text = json.dumps({"Version": 3, "Weight": "?", "FileReferences": {"Moc": "m.moc3"}}, indent=1)
    sys.stdout.flush()
    shown, file = os.dup(1), os.open(f"{folder}/log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    model = live2d.Model()
    model.LoadFromJsonString(text.replace('"?"', number), False, folder)
    sys.stdout.flush()
    os.dup2(shown, 1)
    with open(f"{folder}/log") as lines:
        return lines.read()


assert json.dumps(6e-05) == "6e-05"
for number, wanted in (("0.00006", True), ("6e-05", False), ("100000.0", True), ("1E5", False)):
    read = "Failed to parse" not in log(number)
    print(f'"Weight": {number:8}  {"read" if read else "the file is refused"}')
    assert read == wanted, f"{number}: the behaviour has changed"
sys.stdout.flush()
os._exit(0)
PYTHON
