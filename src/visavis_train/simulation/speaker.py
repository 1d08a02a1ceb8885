"""The simulated speaker's face: the mouth follows the sound, moods colour the face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.datasets.react import FPS
from visavis.reaction.cues import STRESS
from visavis.reaction.style import Style
from visavis.types import BoolArray, FloatArray
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.cues import Speaker, find_cues
from visavis_train.simulation.eyes import (
    BLINKS_TALKING,
    LOOK_LISTENING,
    LOOK_TALKING,
    gaze_change,
    glances,
    lid_closing,
)
from visavis_train.simulation.listener import at_rest, limit_face, move_head
from visavis_train.simulation.mouth import Mouths, string_together, wanted_opening
from visavis_train.simulation.movements import add, bump, follow_smoothly, plateau, reach
from visavis_train.simulation.real_faces import Habits, RealFaces, wander
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.smiles import LARGEST, TIMES, WOBBLE, own_smiles, wobble
from visavis_train.simulation.voice import Voice

# Factors on each mood's difference from a neutral face, for normal and for strong intensity. The
# differences are means over press photographs with noisy labels, so weaker than one acted face. Our choice.
SHOWN = (1.5, 2.5)
# Chance of a smile in a happy utterance, and of a small smile in a calm one. Our choice; sizes are measured.
SMILES: Mapping[str, float] = MappingProxyType(
    {"happy": 0.95, "surprised": 0.3, "calm": 0.25, "neutral": 0.1}
)
# Speakers also smile a little without a known reason: half as often and half as much as real people.
# Our choice.
UNCAUSED, UNCAUSED_SIZE = 0.25, 0.5
# Heads move more while talking than while listening: our choice.
TALKING_HEAD = 1.8
BEAT, BEAT_BROW = 0.5, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Talker:
    """A speaker's face over a clip.

    Attributes:
        face: (T, 58) float32.
        rest: (58,) the relaxed face.
        parts: names of the real parts that it was made from.
    """

    face: FloatArray
    rest: FloatArray
    parts: dict[str, str]


def talk(
    voice: Voice,
    features: Speaker,
    faces: RealFaces,
    habits: Habits,
    coupling: SmileCoupling,
    seeds: SeedStream,
) -> Talker:
    """Give a voice a face; ``features`` are of the voice, without a face."""
    frames = len(features)
    rest_name, rest = at_rest(faces, seeds)
    face = np.tile(rest, (frames, 1))
    mouths = Mouths.of(faces.talking, seeds.at("mouths"))
    wanted = wanted_opening(features.energy, speaking(voice, frames), mouths)
    face += seeds.at("mouth size").uniform(0.9, 1.3) * string_together(wanted, mouths)
    take_name, small = wander(faces.moving, frames, seeds.at("small movements"))
    face += TALKING_HEAD * small
    face += np.outer(smile_track(voice, frames, coupling, seeds), habits.smile)
    face += mood_of(voice, frames, habits)
    share = np.where(features.speech, LOOK_TALKING, LOOK_LISTENING).astype(np.float32)
    direction, _ = glances(share, seeds)
    face += gaze_change(direction) + np.outer(lid_closing(frames, BLINKS_TALKING, seeds), habits.blink)
    move_head(face, _beats(face, features, seeds), direction, habits)
    parts = {"rest": rest_name, "small_movements": take_name, "mouth": " ".join(mouths.names)}
    return Talker(limit_face(face), rest, parts)


def speaking(voice: Voice, frames: int) -> BoolArray:
    """(T,) whether an utterance is going on: known here earlier than by the features' voice activity."""
    result = np.zeros(frames, np.bool_)
    for one in voice.said:
        result[round(FPS * one.start_s) : round(FPS * one.end_s)] = True
    return result


def _beats(face: FloatArray, features: Speaker, seeds: SeedStream) -> FloatArray:
    """(T,) small downward beats of the head at stressed phrases, some with raised brows; radians."""
    depth = np.zeros(len(features), np.float32)
    for cue in (cue for cue in find_cues(features) if cue.kind == STRESS):
        draw = seeds.at("beat", cue.frame)
        if draw.random() < BEAT:
            add(depth, cue.frame, bump(int(draw.integers(7, 13)), draw.uniform(0.03, 0.08)))
        if draw.random() < BEAT_BROW:
            course = plateau(4, int(draw.integers(3, 12)), 8, draw.uniform(0.15, 0.4))
            for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
                add(face[:, FACE_INDEX[name]], cue.frame, course)
    return depth


def smile_track(voice: Voice, frames: int, coupling: SmileCoupling, seeds: SeedStream) -> FloatArray:
    """(T,) smiles of happy, and some of calmer, utterances, strong ones larger; and a few small others."""
    result = UNCAUSED_SIZE * own_smiles(frames, Style(smiling=UNCAUSED), coupling, seeds)
    for number, one in enumerate(voice.said):
        draw = seeds.at("smile", number)
        chance = SMILES.get(one.utterance.emotion, 0.0)
        if draw.random() >= chance:
            continue
        share = draw.uniform(0.5, 1) if one.utterance.strong else draw.uniform(0, 0.75)
        height = coupling.rise.at(share) + coupling.level.at(share)
        times = zip((coupling.rise_s, coupling.fall_s), draw.uniform(*TIMES, 2), strict=True)
        rise, fall = (round(FPS * spread.at(tempo)) for spread, tempo in times)
        hold = round(FPS * one.utterance.length_s)
        reach(result, max(round(FPS * one.start_s) - rise // 2, 0), plateau(rise, hold, fall, height))
    result *= 1 + WOBBLE * wobble(frames, seeds)
    return np.asarray(LARGEST * np.tanh(result / LARGEST), np.float32)


def mood_of(voice: Voice, frames: int, habits: Habits) -> FloatArray:
    """(T, 58) the change that sad, angry, fearful, disgusted and surprised utterances make to the face."""
    result = np.zeros((frames, len(FACE_CHANNELS)), np.float32)
    for emotion, difference in habits.emotions.items():
        strength = np.zeros(frames, np.float32)
        for one in voice.said:
            if one.utterance.emotion == emotion:
                part = slice(round(FPS * one.start_s), round(FPS * one.end_s))
                strength[part] = SHOWN[one.utterance.strong]
        result += np.outer(follow_smoothly(strength, 0.35, 0.8), difference)
    return result
