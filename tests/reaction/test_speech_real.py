"""Speech features of real voices: words are found, and men speak lower than women."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import av
import numpy as np
import pytest

from support import sounds
from visavis.base.waveform import mono
from visavis.reaction.spectrum import HISTORY, spectra
from visavis.reaction.speech import speech_features, speech_samples
from visavis.types import FloatArray

pytestmark = pytest.mark.shared


def sound_of(data: bytes) -> FloatArray:
    with av.open(io.BytesIO(data)) as container:
        rate_hz = container.streams.audio[0].rate
        to_float = av.AudioResampler(format="fltp")
        parts = [part.to_ndarray().T for f in container.decode(audio=0) for part in to_float.resample(f)]
    return speech_samples(mono(np.concatenate(parts)), rate_hz)


@pytest.fixture(scope="module")
def grid(shared: Path) -> tuple[FloatArray, np.ndarray]:
    """Sound of twenty clips whose words are known, and for each frame whether its middle is in a word."""
    clips, words = [], []
    with tarfile.open(shared / "data/video/grid_s1_av.tar") as tar:
        for name in sorted(n for n in tar.getnames() if n.endswith(".align"))[80::4]:
            clips.append(sound_of(tar.extractfile(name.replace(".align", ".mp4")).read()))
            middles = 25_000 * (np.arange(len(clips[-1]) // 640) + 0.5) / 25
            rows = [line.split() for line in tar.extractfile(name).read().decode().splitlines()]
            spoken = [(int(a), int(b)) for a, b, word in rows if word not in ("sil", "sp")]
            words.append(np.any([(middles >= a) & (middles < b) for a, b in spoken], axis=0))
    return np.concatenate(clips), np.concatenate(words)


@pytest.mark.parametrize("ratio_db", [None, 10.0])
@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_speech_is_where_the_words_are(
    grid: tuple[FloatArray, np.ndarray], ratio_db: float | None, gain: float
) -> None:
    sound, words = grid
    if ratio_db is not None:
        power = np.mean(sound[np.repeat(words, 640)] ** 2)
        noise = np.random.default_rng(0).normal(size=len(sound))
        sound = (sound + noise * np.sqrt(power) * 10 ** (-ratio_db / 20)).astype(np.float32)
    rows = speech_features(gain * sound, 16_000)
    found = rows[:, sounds.SPEECH] > 0.5
    assert (found == words).mean() > 0.9
    assert 0.3 < words.mean() < 0.7
    if ratio_db is None:  # About zero mean and unit spread in speech; noise fills the weak bands.
        mel = rows[words, :40]
        assert np.abs(mel.mean()) < 0.6
        assert 0.6 < mel.std(axis=0).mean() < 1.4


def test_men_speak_lower_than_women(shared: Path) -> None:
    medians_hz: dict[int, list[float]] = {0: [], 1: []}
    with tarfile.open(shared / "data/speech/ravdess_speech_16k.tar") as tar:
        for name in sorted(tar.getnames()):
            fields = Path(name).stem.split("-")
            if fields[2:6] != ["01", "01", "01", "01"]:
                continue
            sound = sound_of(tar.extractfile(name).read())
            voiced = speech_features(sound, 16_000)[:, sounds.VOICED] > 0.5
            assert 0.1 < voiced.mean() < 0.8
            f0_hz = spectra(np.pad(sound, (HISTORY, 0))).f0_hz[voiced]
            medians_hz[int(fields[6]) % 2].append(float(np.median(f0_hz)))
    women, men = medians_hz[0], medians_hz[1]
    assert len(men) > 5
    assert len(women) > 5
    assert 70 < np.median(men) < 150 < np.median(women) < 260
