#!/usr/bin/env bash
# pydub and MoviePy make 16 kHz of a voice without a filter: an "s" at 11 kHz becomes a whistle at 5 kHz, in the vowels' range.
#
# Versions:  pydub 0.25.1, moviepy 2.2.1, imageio-ffmpeg 0.6.0, numpy 2.2.6; Python 3.11 or newer.
# Behaviour: a WAV file of 44.1 kHz with a tone of 11 kHz, which 16 kHz cannot hold: nothing of it should be left. FFmpeg leaves
#            0.0% of its amplitude. AudioSegment.set_frame_rate(16000) of pydub leaves 82%, and MoviePy's
#            clip.write_audiofile(fps=16000) 100%, both at 5 kHz. Of hiss of 9 to 20 kHz, as in an "s", 72% and 100% are left.
# Source:    pydub/audio_segment.py, set_frame_rate(): audioop.ratecv(), which draws straight lines between samples. MoviePy
#            reads at 44.1 kHz, its default, and FFMPEG_AudioReader.get_frame() takes the nearest sample for each time.
#            API.markdown of pydub, set_frame_rate: reducing "definitely does cause a loss in quality. Higher frame rate means
#            larger frequency response". Both leave out that the lost frequencies come back as others.
# For users: both lines are in many recipes for speech networks, which take 16 kHz. Features of the voice, and lips that
#            follow them, then contain sounds that nobody made. AudioFileClip(file, fps=16000).write_audiofile(...) lets
#            FFmpeg filter; pydub's low_pass_filter takes only 6 dB per octave. We use FFmpeg's resampler, which filters.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydub==0.25.1 moviepy==2.2.1 imageio-ffmpeg==0.6.0 numpy==2.2.6 \
  "audioop-lts==0.2.2; python_version >= '3.13'"
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import wave

import numpy as np
from moviepy import AudioFileClip
from pydub import AudioSegment

RATE_HZ, SPEECH_HZ, SECONDS = 44100, 16000, 4
time_s = np.arange(RATE_HZ * SECONDS) / RATE_HZ


def band(low_hz, high_hz):
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    spectrum, pitch_hz = np.fft.rfft(noise), np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    return np.fft.irfft(np.where((pitch_hz > low_hz) & (pitch_hz < high_hz), spectrum, 0), len(noise))


def write(name, samples):
    with wave.open(name, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.repeat(3000 * samples / samples.std(), 2).astype("<i2").tobytes())


def read(name):
    with wave.open(name, "rb") as file:
        assert (file.getframerate(), file.getnchannels()) == (SPEECH_HZ, 2), "another form"
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[::2].astype(float)


def by_pydub(name):
    AudioSegment.from_wav(name).set_frame_rate(SPEECH_HZ).export("pydub.wav", format="wav")
    return read("pydub.wav")


def by_moviepy(name, **opened):
    with AudioFileClip(name, **opened) as clip:
        clip.write_audiofile("moviepy.wav", fps=SPEECH_HZ, logger=None)
    return read("moviepy.wav")


ways = {
    "pydub, set_frame_rate(16000)": by_pydub,
    "MoviePy, write_audiofile(fps=16000)": by_moviepy,
    "MoviePy, opened with fps=16000": lambda name: by_moviepy(name, fps=SPEECH_HZ),
}
sounds = {"a tone of 11 kHz": np.sin(2 * np.pi * 11000 * time_s), "hiss of 9 to 20 kHz": band(9000, 20000)}
found = {}
for sound, samples in sounds.items():
    write("sound.wav", samples)
    for way, resampled in ways.items():
        heard = resampled("sound.wav")[SPEECH_HZ : 3 * SPEECH_HZ]
        found[sound, way] = heard.std() / 3000
        loudest_hz = np.abs(np.fft.rfft(heard)).argmax() / 2
        where = f", at {loudest_hz:.0f} Hz" if "tone" in sound and found[sound, way] > 0.1 else ""
        print(f"{sound}: {way}: {found[sound, way]:.1%} is left{where}")
        if "tone" in sound and found[sound, way] > 0.1:
            assert loudest_hz == 5000, "the tone is elsewhere now"
expected = [0.82, 1.0, 0.0, 0.72, 1.0, 0.0]
assert np.allclose(list(found.values()), expected, atol=0.05), "other parts are left now"
PYTHON
