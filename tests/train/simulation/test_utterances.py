"""Reading the sound of utterances."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.base.waveform import mono
from visavis.capture.sound import Soundtrack
from visavis.types import FloatArray
from visavis_train.simulation.utterances import decode


def flac(path: Path, channels: list[FloatArray]) -> Path:
    """A file of 16 bits with one or two channels."""
    layout = "mono" if len(channels) == 1 else "stereo"
    samples = np.round(32767 * np.stack(channels, axis=1)).astype(np.int16).reshape(1, -1)
    with av.open(str(path), "w") as output:
        sound = output.add_stream("flac", rate=16000, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
        frame.sample_rate, frame.pts = 16000, 0
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("right", [None, 1.0, 0.0])
def test_training_hears_a_voice_as_loud_as_the_listener_does(tmp_path: Path, right: float | None) -> None:
    voice = (0.8 * np.sin(np.arange(8000) / 12)).astype(np.float32)
    file = flac(tmp_path / "a.flac", [voice] if right is None else [voice, right * voice])
    heard = decode(io.BytesIO(file.read_bytes()), "a.flac")
    with Soundtrack(file) as live:
        assert heard == pytest.approx(live.rest(), abs=1e-4)
    assert heard == pytest.approx(mono(voice * (1 if right is None else (1 + right) / 2)), abs=1e-4)
