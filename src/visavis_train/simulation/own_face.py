"""The face of GRID's talker over a clip, from sentences whose own tracks are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from visavis.datasets.react import FPS
from visavis.errors import InputError
from visavis.types import FloatArray
from visavis_train.simulation.movements import rise_curve
from visavis_train.simulation.real_faces import Take
from visavis_train.simulation.speaker import Talker
from visavis_train.simulation.voice import Voice

# Longest way from the end of one sentence to the face of the next one, in frames.
CROSSING = 12


def own_face(voice: Voice, takes: Mapping[str, Take], frames: int) -> Talker:
    """Every sentence with its own recorded face; between sentences the face eases to the next one.

    Args:
        voice: a voice of untrimmed sentences, each as long as its take.
        takes: takes by the sentence's name.
        frames: T.

    Raises:
        InputError: a sentence has no take, or the voice has no sentences.
    """
    names = [one.utterance.name for one in voice.said]
    if missing := [name for name in names if name not in takes]:
        raise InputError(f"no track belongs to the sound {missing[0]}; track its video first")
    if not names:
        raise InputError("a clip in which nothing is said has no face of its own")
    face = np.empty((frames, takes[names[0]].face.shape[1]), np.float32)
    # Before the first sentence, the face is the first face of that sentence.
    at, last = 0, takes[names[0]].face[0]
    for one in voice.said:
        start = round(FPS * one.start_s)
        own = takes[one.utterance.name].face
        _bridge(face[at:start], last, own[0])
        count = min(len(own), frames - start)
        face[start : start + count] = own[:count]
        _soften(face, start, last if start == at else face[start - 1])
        at, last = start + count, own[count - 1]
    face[at:] = last
    rest = np.median(np.concatenate([takes[name].face for name in names]), axis=0)
    return Talker(face, rest, {"rest": "grid_s1", "small_movements": "grid_s1", "mouth": " ".join(names)})


def _bridge(gap: FloatArray, before: FloatArray, after: FloatArray) -> None:
    """Hold the face, then ease to the next one."""
    gap[:] = before
    count = min(len(gap), CROSSING)
    if count:
        gap[len(gap) - count :] = before + rise_curve(count)[:, None] * (after - before)


def _soften(face: FloatArray, start: int, before: FloatArray) -> None:
    """Blend the start of an immediately following sentence with the face before it."""
    rest = before - face[start]
    count = min(CROSSING, len(face) - start)
    face[start : start + count] += (1 - rise_curve(count))[:, None] * rest
