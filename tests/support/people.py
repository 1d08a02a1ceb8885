"""An invented person who smiles, moves the brows, opens the mouth and blinks, more or less lively."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from support.acting import FPS, face
from visavis.avatar.calibration import WEIGHTS_AT_REST
from visavis.avatar.profile import HEAD, Profile
from visavis.avatar.profile import SHUT as EYES_SHUT
from visavis.avatar.reach import MOVEMENTS
from visavis.channels import BLENDSHAPES, FACE_INDEX, FACE_MEASURES
from visavis.types import Face

# What a face shows in full: weights, and measures in reaches from the usual face.
SMILE = {"mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "mouthWidth": 0.5}
SMILE |= {"mouthCornerLeft": 0.85, "mouthCornerRight": 0.85}
BROWS_UP = {"browLeft": 0.75, "browRight": 0.75, "browInnerUp": 0.5}
BROWS_UP |= {"browOuterUpLeft": 0.5, "browOuterUpRight": 0.5}
BROWS_DOWN = {"browLeft": -0.55, "browRight": -0.55, "browDownLeft": 0.6, "browDownRight": 0.6}
OPEN = {"mouthOpening": 0.8, "jawOpen": 0.7, "mouthCornerLeft": -0.6, "mouthCornerRight": -0.6}
SHUT = {"lidLeft": -0.85, "lidRight": -0.85, "eyeBlinkLeft": 0.55, "eyeBlinkRight": 0.55}
ACTS = (SMILE, BROWS_UP, BROWS_DOWN, OPEN)
ACT_S = 3.0


def seen_face(reliability: float = 1.0, score: float = 1.0, person: int = 0, **channels: float) -> Face:
    """A face of these weights, and of measures that are so many of their reaches from the usual ones."""
    state = face(**{name: value for name, value in channels.items() if name in FACE_INDEX})
    measures = [usual + reach * channels.get(name, 0) for name, (usual, reach) in FACE_MEASURES.items()]
    box = np.asarray([200, 100, 440, 400], np.float32)
    corners = np.asarray([[200, 100], [440, 100], [440, 340], [200, 340]], np.float32)
    believed = np.full(len(BLENDSHAPES), reliability, np.float32)
    seen = np.asarray(measures, np.float32)
    return Face(person, score, box, corners, corners, state, believed, measures=seen)


def acting(what: Mapping[str, float], share: float, rest: Mapping[str, float] | None = None) -> Face:
    """A face that does something by a share of all that it can, on top of another face at rest."""
    rest = rest or {}
    channels = {name: rest.get(name, 0.0) + share * what.get(name, 0.0) for name in rest.keys() | what.keys()}
    return seen_face(**channels)


def lived(seconds: float, share: float, noise: float = 0.0) -> Iterator[tuple[float, Face]]:
    """Times and faces: each act in turn for half of its time, and a blink every third second."""
    random = np.random.default_rng(0)
    for i in range(int(seconds * FPS)):
        time_s = i / FPS
        act = ACTS[int(time_s / ACT_S) % len(ACTS)]
        much = share * max(np.sin(2 * np.pi * (time_s % ACT_S) / ACT_S), 0.0)
        channels = {name: much * value for name, value in act.items()}
        if time_s % 3.0 > 2.84:
            channels |= {name: share * value for name, value in SHUT.items()}
        for name in FACE_MEASURES:
            channels[name] = channels.get(name, 0.0) + noise * random.standard_normal()
        yield time_s, seen_face(**channels)


# What each step of a guided calibration asks for.
STEPS_ACTED = {"rest": {}, "smile": SMILE, "brows": BROWS_UP, "mouth": OPEN, "lids": SHUT}

# A profile of nobody in particular.
PROFILE = Profile(
    weights={name: rest.prior for name, rest in WEIGHTS_AT_REST.items()},
    measures={name: usual for name, (usual, _) in FACE_MEASURES.items()},
    head=dict.fromkeys(HEAD, 1.5),
    shut=dict.fromkeys(EYES_SHUT, 0.4),
    reach=dict.fromkeys(MOVEMENTS, 0.7),
)
