#!/usr/bin/env bash
# Sound that PyAV encodes from arrays is 64 ms late in the file, two pictures, unless each frame is given its time.
#
# Versions:  av 18.1.0, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: 3 s at 16 kHz with a click at 1.000 s are written as AAC into an MP4, from AudioFrame.from_ndarray. Without
#            frame.pts the click is at 1.064 s when the file is read. With pts, the number of the first sample, it is at
#            1.000 s. At 48 kHz it is 21 ms; Opus in WebM is 7 ms late. FLAC refuses frames without a time; these do not.
# Source:    not documented; seen in 18.1.0. An AAC encoder puts 1024 samples of its own first, at a time before 0, and
#            the file says how much a player must skip. With frames that have no time there is nothing to be said.
# For users: count the samples and set frame.pts, also for a single long frame. Our writer does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import av
import numpy as np


def click_s(name, codec, rate_hz, timed):
    """The time at which a click at 1 s is heard after writing and reading."""
    sound = np.zeros((1, 3 * rate_hz), np.float32)
    sound[0, rate_hz : rate_hz + rate_hz // 100] = 0.8 * np.sin(np.arange(rate_hz // 100) * 2 * np.pi * 1000 / rate_hz)
    with av.open(name, "w") as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        for first in range(0, sound.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(sound[:, first : first + 1024], format="fltp", layout="mono")
            frame.sample_rate = rate_hz
            if timed:
                frame.pts = first
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(name) as file:
        frames = list(file.decode(audio=0))
    heard = np.abs(np.concatenate([frame.to_ndarray().astype(float).ravel() for frame in frames]))
    return frames[0].time + float(np.argmax(heard > 0.3 * heard.max())) / frames[0].sample_rate


late_ms = {}
for name, codec, rate_hz in (("a.mp4", "aac", 16000), ("b.mp4", "aac", 48000), ("c.webm", "libopus", 48000)):
    without, timed = (1000 * (click_s(name, codec, rate_hz, timed) - 1) for timed in (False, True))
    print(f"{codec} at {rate_hz} Hz: {without:.0f} ms late without times, {timed:.0f} ms with")
    assert abs(timed) < 2, f"with times it is {timed:.1f} ms late"
    late_ms[codec, rate_hz] = round(without)
assert late_ms == {("aac", 16000): 64, ("aac", 48000): 21, ("libopus", 48000): 7}, f"found {late_ms}"
PYTHON
