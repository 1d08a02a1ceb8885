#!/usr/bin/env bash
# FFmpeg's mono is the mean of left and right as 16-bit samples, and 3 dB louder as floats: a voice goes beyond full scale.
#
# Versions:  av 18.1.0 (FFmpeg 8.0), numpy 2.2.6; Python 3.11 and newer.
# Behaviour: a voice with a peak of 0.8 in both channels goes through AudioResampler(layout="mono"). With format="s16" its
#            peak stays 0.8. With "flt", "fltp" or "dbl", it is 1.13, whatever the format of the input. Only the format of
#            the samples was asked to change. In stereo, all four give 0.8. The command ffmpeg (9.0.2) does the same:
#            with -ac 1, out.m4a is 3 dB louder than out.wav.
# Source:    FFmpeg, "Resampler Options": rematrix_maxval, of which "a value of 1.0 prevents clipping", is 0, and nothing is
#            said of formats. libswresample/rematrix.c, auto_matrix(): left and right count 0.707 each; they are scaled to a
#            sum of 1 where the output, or the work inside, is in integers.
# For users: a model that hears floats in training and 16 bits live hears two loudnesses, for stereo files only. Take floats
#            in the file's own layout and average the rows, as our training does, or the filter pan=mono|c0=.5*c0+.5*c1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
import numpy as np

RATE_HZ = 16_000
VOICE = (0.8 * np.sin(2 * np.pi * 220 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
STEREO = {"fltp": np.stack([VOICE, VOICE]), "s16": np.repeat(np.round(VOICE * 32767).astype(np.int16), 2)[None]}


def peak(given: str, wanted: str, layout: str) -> float:
    """The loudest sample, full scale at 1, of the voice in both channels."""
    frame = av.AudioFrame.from_ndarray(STEREO[given], format=given, layout="stereo")
    frame.sample_rate = RATE_HZ
    resampler = av.AudioResampler(format=wanted, layout=layout, rate=RATE_HZ)
    samples = np.concatenate([part.to_ndarray() for part in resampler.resample(frame) + resampler.resample(None)], axis=1)
    return float(abs(samples).max()) / (32767 if wanted == "s16" else 1)


for layout, louder in (("stereo", 1.0), ("mono", 2**0.5)):
    for given in STEREO:
        peaks = {wanted: peak(given, wanted, layout) for wanted in ("s16", "flt", "fltp", "dbl")}
        print(f"{given:4} stereo to {layout:6}", "  ".join(f"{wanted} {value:.3f}" for wanted, value in peaks.items()))
        assert abs(peaks.pop("s16") - 0.8) < 0.001, "16-bit samples have changed"
        assert all(abs(value - 0.8 * louder) < 0.001 for value in peaks.values()), "floats have changed"
PYTHON
