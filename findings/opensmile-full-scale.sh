#!/usr/bin/env bash
# openSMILE for Python turns a sample of 1.0 into -1.0: a voice that just reaches full scale seems twice as loud.
#
# Versions:  opensmile 2.6.0, numpy 2.2.6; Python 3.10 to 3.12, x86-64.
# Behaviour: process_signal() of eGeMAPSv02 takes floats from -1 to 1. The same voice gives a mean loudness of 2.1 if its
#            peaks are 0.999, and 4.4 if they are 1.0. mfcc3 changes its sign. Nothing is said. Values above 1, as decoders
#            of MP3 and AAC give them, behave alike.
# Source:    opensmile/core/smile.py, _extract(): the signal is multiplied by 32768 and cast to int16. 32768 does not fit,
#            and becomes -32768. Files of 16 bits read as floats never reach 1.0, so the fault comes with normalising.
# For users: after "signal / abs(signal).max()", multiply by 0.999 or numpy.clip(signal, -1, 32767 / 32768).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile opensmile==2.6.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import opensmile

RATE_HZ = 16000
time_s = np.arange(2 * RATE_HZ) / RATE_HZ
voice = sum(np.sin(2 * np.pi * 160 * k * time_s) / k for k in range(1, 8))
voice /= np.abs(voice).max()
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
found = {}
for peak in (0.999, 1.0, 1.02):
    features = smile.process_signal((peak * voice).astype(np.float32), RATE_HZ).iloc[0]
    found[peak] = features["loudness_sma3_amean"], features["mfcc3_sma3_amean"]
    print(f"peak {peak}: mean loudness {found[peak][0]:.2f}, mean mfcc3 {found[peak][1]:.1f}")
assert 1.8 < found[1.0][0] / found[0.999][0] < 2.4, "the loudness at 1.0 is no longer about twice that at 0.999"
assert found[0.999][1] < 0 < found[1.0][1], "mfcc3 no longer changes its sign"
PYTHON
