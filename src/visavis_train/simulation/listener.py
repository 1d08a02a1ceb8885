"""The simulated listener: a face that follows from the speaker by rules, chance and a style.

It is causal: the face at frame t follows from the speaker up to t - :data:`REACTION_FRAMES` and from chance
that is drawn by event (:class:`~visavis_train.simulation.seed_stream.SeedStream`). So nothing later can
change it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.datasets.react import FPS
from visavis.reaction.cues import PAUSE, STRESS
from visavis.reaction.style import Style
from visavis.types import FloatArray
from visavis_train.simulation import nods, smiles
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.cues import Cue, Speaker, find_cues, since_speech
from visavis_train.simulation.eyes import (
    BLINKS_LISTENING,
    HEAD_WITH_EYES,
    LOOK_LISTENING,
    gaze_change,
    glances,
    lid_closing,
)
from visavis_train.simulation.movements import add, bump, delayed, follow_smoothly, plateau
from visavis_train.simulation.real_faces import HEAD_AT, Habits, RealFaces, wander
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.styles import scale_of

# Shortest reaction time: the lower end of simple reactions to faces, 0.2 to 1 s. Zygomatic muscles
# answer a smile after 0.3 to 0.4 s: Dimberg and Thunberg 1998, "Rapid facial reactions to emotional facial
# expressions", Scand. J. Psychology 39:39-45.
REACTION_FRAMES = round(0.2 * FPS)
# Heads follow heads slowly, after 600 ms: Hale et al. 2020, "Are you on my wavelength?", J. Nonverbal
# Behavior 44:63-83. How much is our choice.
HEAD_LAG_FRAMES = round(0.6 * FPS)
HEAD_SHARE, BROW_SHARE = 0.4, 0.5
BROWS = ("browInnerUp", "browDownLeft", "browDownRight", "browOuterUpLeft", "browOuterUpRight")
BROWS_AT = np.asarray([FACE_INDEX[name] for name in BROWS])
# Listeners imitate the difference from the speaker's usual face.
USUAL_S = 6.0
# People look away at the start of their own turn (Kendon 1967, "Some functions of gaze-direction in social
# interaction", Acta Psychologica 26:22-63), so listeners may when the speaker stops. Chance: our choice.
OWN_TURN = 0.5
# A silence of 1 s or more asks for an answer, and a silence of 4 s ends the talk: our choice.
ANSWER_S, LEFT_S = 1.0, 4.0
LOOK_IN_SILENCE = 0.6
# Share of blinks that come with a pause of the speaker or a turn of the eyes: our choice.
BLINK_WITH_PAUSE, BLINK_WITH_TURN = 0.15, 0.2
BROW_RAISE = 0.35
# Largest turns of the head, radians of yaw, pitch and roll: at most half of an adult neck's range.
HEAD_LIMITS = np.asarray([0.6, 0.45, 0.4], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedReaction:
    """A listener over a clip.

    Attributes:
        face: (T, 58) float32.
        rest: (58,) the relaxed face.
        parts: names of the real parts.
        events: number of events of each kind.
    """

    face: FloatArray
    rest: FloatArray
    parts: dict[str, str]
    events: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One listener; :meth:`react` may be called any number of times.

    Attributes:
        style: its style.
        faces: real faces for its look and its movements.
        habits: how movements of a face go together.
        coupling: how people smile back.
        verbal_share: share of nods at pauses with a murmured "mm-hm".
        seeds: its randomness.
    """

    style: Style
    faces: RealFaces
    habits: Habits
    coupling: SmileCoupling
    verbal_share: float
    seeds: SeedStream

    def react(self, speaker: Speaker) -> SimulatedReaction:
        """React to a clip."""
        frames, kind = len(speaker), self.style
        cues = find_cues(speaker)
        engaged = self._engaged(speaker)
        at_pauses = tuple(
            cue.frame + REACTION_FRAMES
            for cue in cues
            if cue.kind == PAUSE and self.seeds.at("pause blink", cue.frame).random() < BLINK_WITH_PAUSE
        )
        rest_name, rest = at_rest(self.faces, self.seeds)
        face = np.tile(rest, (frames, 1))
        take_name, small = wander(self.faces.moving, frames, self.seeds.at("small movements"))
        face += scale_of(kind) * small
        nodding = nods.nod_course(cues, kind, self.seeds, frames)
        smile = smiles.own_and_returned(speaker.smile, cues, kind, self.coupling, self.seeds, engaged)
        direction, turned = glances(self._look_share(speaker), self.seeds, self._turns_away(speaker))
        with_turns = tuple(
            frame for frame in turned if self.seeds.at("turn blink", frame).random() < BLINK_WITH_TURN
        )
        rate = BLINKS_LISTENING * (1 - BLINK_WITH_PAUSE - BLINK_WITH_TURN)
        lids = lid_closing(frames, rate, self.seeds, (*at_pauses, *with_turns))
        mirrored = self._mirrored(speaker) * engaged[:, None]
        face += mirrored + gaze_change(direction)
        face += np.outer(smile, self.habits.smile) + np.outer(lids, self.habits.blink)
        self._murmur(face, nodding)
        raises = self._raise_brows(face, cues)
        move_head(face, nodding.depth, direction, self.habits)
        counts = Counter(cue.kind for cue in cues)
        events = {
            "nods": len(nodding.starts),
            "murmurs": len(self._murmurs(nodding)),
            "brow_raises": raises,
            "glances_away": len(turned),
            **{f"cues_{name}": counts[name] for name in sorted(counts)},
        }
        return SimulatedReaction(
            limit_face(face), rest, {"rest": rest_name, "small_movements": take_name}, events
        )

    def _engaged(self, speaker: Speaker) -> FloatArray:
        """(T,) 1 while the speaker is there, falling to 0 after a long silence."""
        silence_s = delayed(since_speech(speaker.speech), REACTION_FRAMES)
        return follow_smoothly((silence_s < LEFT_S).astype(np.float32), 0.4, 2.0)

    def _look_share(self, speaker: Speaker) -> FloatArray:
        silence_s = delayed(since_speech(speaker.speech), REACTION_FRAMES)
        listening = LOOK_LISTENING + 0.4 * (self.style.gaze - 0.5)
        share = np.where(silence_s > ANSWER_S, LOOK_IN_SILENCE * listening / LOOK_LISTENING, listening)
        return np.where(silence_s > LEFT_S, listening, share).astype(np.float32)

    def _turns_away(self, speaker: Speaker) -> tuple[int, ...]:
        silence_s = since_speech(speaker.speech)
        begins = np.flatnonzero((silence_s[1:] >= ANSWER_S) & (silence_s[:-1] < ANSWER_S)) + 1
        shy = OWN_TURN * (1.5 - self.style.gaze)
        return tuple(
            frame + REACTION_FRAMES
            for frame in begins.tolist()
            if self.seeds.at("own turn", frame).random() < shy
        )

    def _mirrored(self, speaker: Speaker) -> FloatArray:
        """(T, 58) the imitation of the speaker's head and brows, as in a mirror."""
        at = np.concatenate([HEAD_AT[:3], BROWS_AT])
        other = speaker.face[:, at] - usual(speaker.face[:, at])
        moved = np.stack(
            [follow_smoothly(delayed(column, HEAD_LAG_FRAMES), 0.5, 0.5) for column in other.T], axis=1
        )
        result = np.zeros((len(speaker), len(FACE_CHANNELS)), np.float32)
        gain = self.style.mirroring * scale_of(self.style)
        # In a mirror, a turn or a lean goes to the other side of the picture.
        result[:, HEAD_AT[:3]] = HEAD_SHARE * gain * moved[:, :3] * np.asarray([-1, 1, -1], np.float32)
        result[:, BROWS_AT] = BROW_SHARE * gain * moved[:, 3:]
        return result

    def _murmurs(self, nodding: nods.Nodding) -> list[int]:
        return [
            start
            for start, cue in zip(nodding.starts, nodding.cues, strict=True)
            if cue.kind != STRESS and self.seeds.at("murmur", cue.frame).random() < self.verbal_share
        ]

    def _murmur(self, face: FloatArray, nodding: nods.Nodding) -> None:
        """Two small openings of the jaw behind lips that stay nearly closed."""
        for start in self._murmurs(nodding):
            draw = self.seeds.at("murmur size", start)
            height = draw.uniform(0.06, 0.14)
            for number in range(2):
                at = start + number * round(0.22 * FPS)
                add(face[:, FACE_INDEX["jawOpen"]], at, bump(6, height * (1 - 0.3 * number)))
                add(face[:, FACE_INDEX["mouthClose"]], at, bump(6, 0.5 * height))

    def _raise_brows(self, face: FloatArray, cues: list[Cue]) -> int:
        """Raised brows at stressed phrases, and their number."""
        free, count = 0, 0
        for cue in (cue for cue in cues if cue.kind == STRESS):
            draw = self.seeds.at("brows", cue.frame)
            start = cue.frame + round(FPS * draw.uniform(0.2, 0.6))
            if draw.random() > BROW_RAISE * 2 * self.style.expressiveness or start < free:
                continue
            height = draw.uniform(0.12, 0.35) * scale_of(self.style)
            course = plateau(5, int(draw.integers(3, 15)), 9, height)
            for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
                add(face[:, FACE_INDEX[name]], start, course)
            free, count = start + len(course), count + 1
        return count


def move_head(face: FloatArray, depth: FloatArray, direction: FloatArray, habits: Habits) -> None:
    """Nod by ``depth`` (T,), and turn with the eyes (T, 2); the head's place follows its angles."""
    turned = np.zeros((len(face), 3), np.float32)
    for column, reach in enumerate(HEAD_WITH_EYES):
        turned[:, column] = reach * follow_smoothly(direction[:, column], 0.35, 0.35)
    turned[:, 1] -= depth
    face[:, HEAD_AT[:3]] += turned
    face[:, HEAD_AT[3:]] += turned @ habits.head_shift


def at_rest(faces: RealFaces, seeds: SeedStream) -> tuple[str, FloatArray]:
    """Name and face (58,) of a real relaxed face, near the place of a real head before the camera."""
    draw = seeds.at("rest")
    names, rests = faces.rests
    chosen = int(draw.integers(len(names)))
    rest = rests[chosen].copy()
    place = faces.places[int(draw.integers(len(faces.places)))]
    rest[HEAD_AT[3:]] = place + draw.normal(0, [0.5, 0.5, 1.5])
    # A picture shows only one moment, so its head angles are halved.
    rest[HEAD_AT[:3]] *= 0.5
    return names[chosen], rest


def usual(track: FloatArray) -> FloatArray:
    """(T, C) the usual value of each channel so far."""
    keep = np.exp(-1 / (FPS * USUAL_S))
    result = np.empty_like(track)
    state = track[0].astype(np.float64)
    for frame, now in enumerate(track):
        state = keep * state + (1 - keep) * now
        result[frame] = state
    return result


def limit_face(face: FloatArray) -> FloatArray:
    """Limit a face (T, 58): weights to 0..1, and head angles to a neck's range."""
    result = face.copy()
    np.clip(result[:, : HEAD_AT[0]], 0, 1, out=result[:, : HEAD_AT[0]])
    angles = result[:, HEAD_AT[:3]]
    result[:, HEAD_AT[:3]] = np.clip(angles, -HEAD_LIMITS, HEAD_LIMITS)
    return result
