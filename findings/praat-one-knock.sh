#!/usr/bin/env bash
# Praat, also as parselmouth: one knock on the table, and a quiet voice has no pitch in the whole recording.
#
# Versions:  praat-parselmouth 0.4.7, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: 10 s of a steady voice of 160 Hz, with peaks at 0.02. Sound.to_pitch() finds its pitch in all frames. With one
#            knock of 20 ms at 0.9, it finds a pitch in none, also 8 s after the knock. The same samples, cut out of the
#            recording, have it in all frames again. The harmonics-to-noise ratio of all frames is lost as well.
# Source:    Praat's manual, "Sound: To Pitch (raw ac)...": frames without amplitudes above the silence threshold, "relative to
#            the global maximum amplitude", "are probably silent". Its default is 0.03, 30 dB below the loudest sample of the
#            sound, and 0.1 for harmonicity. parselmouth's to_pitch() has no argument for it, and its help does not name it.
# For users: a person who sits further from a microphone, or who listens while another one talks, gets unvoiced frames in
#            place of pitch, and voiced time depends on how a file was cut. Use to_pitch_ac(silence_threshold=0.0), which finds
#            no pitch in noise either, or limit the peaks first. Our features read only the moment and what came before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet praat-parselmouth==0.4.7 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
import parselmouth

RATE_HZ, SECONDS = 16000, 10
random = np.random.default_rng(0)
time_s = np.arange(RATE_HZ * SECONDS) / RATE_HZ
voice = sum(np.sin(2 * np.pi * 160 * k * time_s) / k for k in range(1, 8))
quiet = 0.02 * voice / np.abs(voice).max() + 1e-5 * random.standard_normal(len(voice))
knocked = quiet.copy()
knocked[RATE_HZ : RATE_HZ + RATE_HZ // 50] += random.uniform(-0.9, 0.9, RATE_HZ // 50)


def voiced(samples, **options):
    sound = parselmouth.Sound(samples, RATE_HZ)
    pitch = sound.to_pitch_ac(**options) if options else sound.to_pitch()
    return (pitch.selected_array["frequency"] > 0).mean()


def harmonic(samples):
    return (parselmouth.Sound(samples, RATE_HZ).to_harmonicity().values > 0).mean()


found = {
    "pitch, no knock": voiced(quiet),
    "pitch, one knock": voiced(knocked),
    "pitch, one knock, from 2 s on": voiced(knocked[2 * RATE_HZ :]),
    "pitch, one knock, silence_threshold=0": voiced(knocked, silence_threshold=0.0),
    "harmonics, no knock": harmonic(quiet),
    "harmonics, one knock": harmonic(knocked),
}
for name, part in found.items():
    print(f"{name}: found in {part:.0%} of the frames")
expected = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0]
assert np.allclose(list(found.values()), expected, atol=0.02), "other parts are found now"
PYTHON
