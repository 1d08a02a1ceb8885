#!/usr/bin/env bash
# A value that is set in pylivelinkface is not the value that is sent: it is a mean that begins with 0.
#
# Versions:  pylivelinkface 0.1, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: set_blendshape(JawOpen, 1.0) sends 0.5; the fifth call sends 1.0. A blink of two frames stays half open.
# Source:    pylivelinkface.py, set_blendshape: the mean of the last five values, of which the first is 0.
# For users: call set_blendshape(name, value, no_filter=True), or read a receiver's values and not the sender's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pylivelinkface==0.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
from pylivelinkface import FaceBlendShape, PyLiveLinkFace

sender = PyLiveLinkFace()
sent = []
for _ in range(6):
    sender.set_blendshape(FaceBlendShape.JawOpen, 1.0)
    _, received = PyLiveLinkFace.decode(sender.encode())
    sent.append(round(received.get_blendshape(FaceBlendShape.JawOpen), 3))
print("set to 1.0 in each frame, sent:", sent)
assert sent[:4] == [0.5, 0.667, 0.75, 0.8], f"the first values are {sent[:4]}"
assert sent[4:] == [1.0, 1.0], f"the later values are {sent[4:]}"
sender = PyLiveLinkFace()
sender.set_blendshape(FaceBlendShape.JawOpen, 1.0, no_filter=True)
print("with no_filter:", PyLiveLinkFace.decode(sender.encode())[1].get_blendshape(FaceBlendShape.JawOpen))
PYTHON
