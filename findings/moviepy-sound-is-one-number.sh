#!/usr/bin/env bash
# MoviePy's to_soundarray(fps=16000) gives one number for the whole voice: the sample at 1.0 s, again and again.
#
# Versions:  moviepy 2.2.1, imageio-ffmpeg 0.6.0, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: a stereo WAV file of 44.1 kHz with a voice. AudioFileClip(file).to_soundarray(fps=16000) has the right shape, and
#            all samples are equal, if the file lasts 2, 3, 5, 10 or 60 s; with 4 or 6.5 s it is right. A file of 2 s
#            at fps=22050, and AudioFileClip(file, fps=16000).to_soundarray() of it, are one number as well. No warning.
#            At the default, 44.1 kHz, all are right. Each way raises an error about "time t=1.00" if the file lasts 1 s.
# Source:    moviepy/audio/io/readers.py, FFMPEG_AudioReader.get_frame(): if the times span more than half of the buffer, they
#            are split, and the method calls itself with in_time_head and in_time_tail. These are not times, but masks: True
#            is read as 1.0 s. Documentation, to_soundarray, fps: "Frame rate of the sound for the conversion". It has no
#            limit, and 16000 is what speech networks take. Video clips have the same reader: VideoFileClip(file).audio.
# For users: speech features of such a sound are those of silence, and many files pass, because it depends on the length.
#            to_soundarray(fps=16000, buffersize=2000) is right for all of these; another decoder is safer. Check numpy.ptp().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet moviepy==2.2.1 imageio-ffmpeg==0.6.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import wave

import numpy as np
from moviepy import AudioFileClip

RATE_HZ = 44100


def write_voice(seconds):
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 160 * k * time_s + k) / k for k in range(1, 8))
    voice *= 0.15 * (1 + np.sin(2 * np.pi * 3 * time_s))
    with wave.open("voice.wav", "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.repeat(32767 * voice, 2).astype("<i2").tobytes())
    return voice


def levels(opened, **read):
    with AudioFileClip("voice.wav", **opened) as clip:
        return clip.to_soundarray(**read)[:, 0]


ways = {
    "fps=16000": ({}, {"fps": 16000}),
    "fps=22050": ({}, {"fps": 22050}),
    "opened at 16000": ({"fps": 16000}, {}),
    "no fps": ({}, {}),
    "fps=16000, buffersize=2000": ({}, {"fps": 16000, "buffersize": 2000}),
}
broken = {way: [] for way in ways}
for seconds in (2, 3, 4, 5, 6.5, 10, 60):
    voice = write_voice(seconds)
    for way, (opened, read) in ways.items():
        sound = levels(opened, **read)
        rate_hz = opened.get("fps") or read.get("fps") or RATE_HZ
        assert len(sound) == round(seconds * rate_hz), f"{len(sound)} samples"
        if np.ptp(sound) == 0:
            broken[way].append(seconds)
            assert abs(sound[0] - voice[RATE_HZ]) < 1e-3, "a number, but not the sample at 1.0 s"
        else:
            assert abs(sound.std() / voice.std() - 1) < 0.05, "neither one number nor the voice"
for way, seconds in broken.items():
    print(f"{way}: one number for a file of {', '.join(map(str, seconds)) or 'no'} s")
expected = [[2, 3, 5, 10, 60], [2], [2, 3], [], []]
assert list(broken.values()) == expected, "other lengths are broken now"
PYTHON
