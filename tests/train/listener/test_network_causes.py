"""Causes in a real network: results from a memory equal results from the whole clip."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from support import tiny_tokenizer
from visavis.reaction.causes import explain_gestures
from visavis.reaction.cues import HEARD_CHANNELS, CuedSpeech
from visavis.reaction.gestures import SMILE, Gesture
from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Heard
from visavis.reaction.sampling import Sampling
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.style import CONTROLS, Style
from visavis.reaction.tokenizer import FaceTokenizer
from visavis_train.listener.network import ListenerConfig, ListenerNet
from visavis_train.listener.release import export_listener

FRAMES = 96


def networks(folder: Path, patch: int) -> ListenerModel:
    torch.manual_seed(0)
    sizes = {"width": 16, "heads": 2, "layers": 2, "context": 9, "patch": patch}
    config = ListenerConfig(
        levels=(4, 4), sound_channels=len(HEARD_CHANNELS), controls=len(CONTROLS), **sizes
    )
    net = ListenerNet(config)
    with torch.no_grad():  # Gates start at 0, where they would hide what they let through.
        for weights in net.parameters():
            weights += 0.3 * torch.randn_like(weights)
    notes = {"frame_rate_hz": 25.0, "speaks": "faces", "tokenizer": "1-1"}
    return ListenerModel(
        export_listener(net, folder, notes), FaceTokenizer.load(*tiny_tokenizer.write(folder)), Sampling()
    )


@pytest.mark.parametrize("patch", [1, 4])
def test_going_on_from_a_memory_is_going_through_the_clip(tmp_path: Path, patch: int) -> None:
    listener, mood = networks(tmp_path, patch), Style(nodding=0.9)
    rng = np.random.default_rng(0)
    face = rng.random((FRAMES, 58)).astype(np.float32)
    speech = rng.normal(size=(FRAMES, len(SPEECH_CHANNELS))).astype(np.float32)
    tokens = listener.react(face, speech, seed=2, style=mood)[0]

    def bits(without: str, start: int, stop: int, said: range) -> float:
        """Of the tokens of some frames, position by position, as a stream goes."""
        seen, heard_speech = face.copy(), speech.copy()
        if without in ("face", "both"):
            seen[start:stop] = np.nan
        if without in ("speech", "both"):
            heard_speech[start:stop] = np.nan
        speaker, sound = listener.tokenizer.encode(seen), CuedSpeech().updated(heard_speech)
        memory, total = listener.predictor.memory(1), 0.0
        for first in range(0, FRAMES, patch):
            frames = np.arange(first - patch + 1, first + 1)
            own = np.arange(first - patch, first)
            heard = Heard(
                np.where(frames < 0, -1, speaker[frames])[None, None],
                np.where(own < 0, -1, tokens[own])[None, None],
                np.where(frames[:, None] < 0, np.nan, sound[frames])[None, None].astype(np.float32),
                mood.values[None, None],
            )
            hidden = listener.predictor.predict(heard, memory)[0, 0]
            for place, frame in enumerate(range(first, min(first + patch, FRAMES))):
                nats = listener.predictor.head.nats(hidden[place : place + 1], tokens[frame : frame + 1])
                total += float(nats[0]) / math.log(2) if frame in said else 0.0
        return total

    gestures = [Gesture(SMILE, 22, 26, 0.2), Gesture(SMILE, 71, 77, 0.2)]
    explained = explain_gestures(listener, face, speech, tokens, gestures, mood)
    for found in explained:
        said = range(found.gesture.start + 1, found.gesture.peak + 1)
        start, stop = found.blocks[0].start, found.blocks[-1].end
        as_it_was = bits("nothing", 0, 0, said)
        for value, hidden in (
            (found.face_bits, "face"),
            (found.speech_bits, "speech"),
            (found.together_bits, "both"),
        ):
            assert value == pytest.approx(bits(hidden, start, stop, said) - as_it_was, abs=3e-3)
        for block in found.blocks[::3]:
            expected = bits("face", block.start, block.end, said) - as_it_was
            assert block.face_bits == pytest.approx(expected, abs=3e-3)
            expected = bits("speech", block.start, block.end, said) - as_it_was
            assert block.speech_bits == pytest.approx(expected, abs=3e-3)
    # Else nothing was compared.
    assert max(abs(found.together_bits) for found in explained) > 0.05
