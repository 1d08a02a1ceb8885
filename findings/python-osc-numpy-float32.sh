#!/usr/bin/env bash
# python-osc sends numpy.float64 but refuses numpy.float32, the type that OSC's own floats have.
#
# Versions:  python-osc 1.10.2, numpy 2.2.6; Python 3.10 or newer.
# Behaviour: add_arg(numpy.float64(0.5)) is sent as f; add_arg(numpy.float32(0.5)) raises ValueError. A weight that
#            happens to be the int 1 is sent as i, and numpy.float64(1) as f.
# Source:    pythonosc/osc_message_builder.py asks isinstance(value, float). numpy.float64 is a subclass of float,
#            numpy.float32 is none.
# For users: write message.add_arg(float(weight)), or weights.tolist() for a whole array. An array of weights that was
#            float64 in a trial and is float32 in the program raises at its first frame.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet python-osc==1.10.2 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder


def tag(value):
    builder = OscMessageBuilder("/weight")
    try:
        builder.add_arg(value)
    except ValueError as error:
        return f"refused: {error}"
    return builder.build().dgram[8:].split(b"\0")[0].decode()


found = {repr(value): tag(value) for value in (0.5, np.float64(0.5), np.float64(1), 1, np.float32(0.5))}
for value, result in found.items():
    print(f"{value}: {result}")
assert list(found.values())[:4] == [",f", ",f", ",f", ",i"], "a type tag has changed"
assert list(found.values())[4].startswith("refused"), "numpy.float32 is taken now"
PYTHON
