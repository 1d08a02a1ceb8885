"""Random ARKit weights, with rare movements as frequent as common ones.

A face is put together from regions: brows, eyes, cheeks and nose, mouth. Each region has several states,
about equally frequent. Some faces are near rest, some show a single shape, some are random mixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.types import FloatArray
from visavis_train.face.rendering.bending import LOOK_SIDEWAYS_RAD, LOOK_UP_RAD, set_gaze

Rng = np.random.Generator
Weights = dict[str, float]
NEAR_REST, SINGLE, MIXTURE = 0.12, 0.16, 0.12
LOOKS = tuple(name for name in BLENDSHAPES if name.startswith("eyeLook"))
# mouthClose reverses jawOpen: without jawOpen it would push the lips through each other.
OTHERS = tuple(name for name in BLENDSHAPES if name not in (*LOOKS, "mouthClose", "tongueOut"))


def sample_expression(rng: Rng, turned: bool = False) -> FloatArray:
    """Weights (52,) from 0 to 1 of one face.

    Args:
        rng: source of randomness.
        turned: whether the head is turned far; then the eyes are closed more often.
    """
    kind = rng.random()
    if kind < NEAR_REST:
        found = dict.fromkeys(BLENDSHAPES, 0.0)
        for name in OTHERS:
            found[name] = float(rng.uniform(0, 0.1)) if rng.random() < 0.5 else 0.0
        weights = _packed(found)
        gaze(rng, weights, 0.3)
        return weights
    if kind < NEAR_REST + SINGLE:
        name = str(rng.choice([*OTHERS, "mouthClose", "tongueOut"]))
        found = {name: _full(rng)}
        if rng.random() < 0.4:
            found = both_sides(rng, found)
    elif kind < NEAR_REST + SINGLE + MIXTURE:
        names = rng.choice(OTHERS, int(rng.integers(2, 7)), replace=False)
        found = {str(name): _full(rng) for name in names}
    else:
        found = _regions(rng, (BROWS, EYES, CHEEKS, MOUTHS))
    if turned and rng.random() < 0.25:
        found |= {"eyeBlinkLeft": _full(rng), "eyeBlinkRight": _full(rng)}
    weights = _packed(found)
    gaze(rng, weights, float(rng.choice([0.15, 0.6, 1.0])))
    return weights


def gaze(rng: Rng, weights: FloatArray, reach: float) -> None:
    """Turn both eyes to one point, in place.

    Args:
        rng: source of randomness.
        weights: (52,), written.
        reach: used share of the full look.
    """
    yaw = reach * LOOK_SIDEWAYS_RAD * rng.uniform(-1, 1)
    pitch = reach * LOOK_UP_RAD * rng.uniform(-1, 1)
    inward = max(float(rng.normal(0.03, 0.03)), 0.0)
    set_gaze(weights, "Left", yaw - inward, pitch)
    set_gaze(weights, "Right", yaw + inward, pitch)


def both_sides(rng: Rng, found: Weights) -> Weights:
    """The same weights on the other side, nearly as strong."""
    out = dict(found)
    for name, value in found.items():
        other = name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        if other not in out and name not in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
            out[other] = float(np.clip(value + rng.normal(0, 0.08), 0, 1))
    return out


def _full(rng: Rng) -> float:
    """The weight of a clear movement, mostly between 0.3 and 1."""
    return float(1 - 0.75 * rng.random() ** 1.3)


def _pair(rng: Rng, *names: str) -> Weights:
    """Shapes on both sides about as strong, or on one side only."""
    sides = [("Left", "Right"), ("Left",), ("Right",)][int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    found = {name: _full(rng) for name in names}
    return {
        name + side: float(np.clip(value + rng.normal(0, 0.06), 0, 1))
        for name, value in found.items()
        for side in sides
    }


def _one(*names: str) -> Callable[[Rng], Weights]:
    return lambda rng: {name: _full(rng) for name in names}


def _paired(*names: str) -> Callable[[Rng], Weights]:
    return lambda rng: _pair(rng, *names)


def _none(_: Rng) -> Weights:
    return {}


def _speech(rng: Rng) -> Weights:
    """Lips and jaw of a speech sound."""
    jaw = float(rng.beta(1.3, 2.5))
    return {
        "jawOpen": jaw,
        "mouthFunnel": float(rng.random() ** 2) * 0.8,
        "mouthPucker": float(rng.random() ** 3) * 0.8,
        "mouthClose": jaw * float(rng.random() ** 2),
        "mouthRollLower": float(rng.random() ** 4),
        "mouthShrugUpper": 0.4 * float(rng.random() ** 2),
    } | both_sides(
        rng,
        {"mouthLowerDownLeft": 0.7 * float(rng.random()), "mouthUpperUpLeft": 0.5 * float(rng.random() ** 2)},
    )


def _tongue(rng: Rng) -> Weights:
    return {"tongueOut": _full(rng)} | (_pair(rng, "mouthSmile") if rng.random() < 0.3 else {})


def _aside(*names: str) -> Callable[[Rng], Weights]:
    """One of two directions, the same for all names."""

    def draw(rng: Rng) -> Weights:
        side = str(rng.choice(["Left", "Right"]))
        return {name + side: _full(rng) for name in names}

    return draw


def _blinks(rng: Rng) -> Weights:
    value = float(rng.choice([rng.uniform(0.1, 0.6), rng.uniform(0.6, 1.0), 1.0]))
    return both_sides(rng, {"eyeBlinkLeft": value})


def _wink(rng: Rng) -> Weights:
    side, other = ("Left", "Right") if rng.random() < 0.5 else ("Right", "Left")
    found = {f"eyeBlink{side}": float(rng.uniform(0.6, 1.0)), f"eyeBlink{other}": 0.3 * float(rng.random())}
    if rng.random() < 0.5:
        found |= {f"cheekSquint{side}": _full(rng), f"mouthSmile{side}": 0.6 * _full(rng)}
    return found


BROWS = (
    _none,
    _paired("browDown"),
    _one("browInnerUp"),
    _paired("browOuterUp"),
    lambda rng: {"browInnerUp": _full(rng)} | _pair(rng, "browOuterUp"),
    lambda rng: {"browInnerUp": _full(rng)} | _pair(rng, "browDown"),
)
EYES = (_none, _blinks, _blinks, _wink, _paired("eyeSquint"), _paired("eyeWide"), _none)
CHEEKS = (
    _none,
    _none,
    _paired("cheekSquint"),
    _paired("noseSneer"),
    _one("cheekPuff"),
    _paired("noseSneer", "cheekSquint"),
)
MOUTHS = (
    _none,
    _speech,
    _speech,
    _speech,
    _paired("mouthSmile"),
    lambda rng: _pair(rng, "mouthSmile", "mouthDimple", "mouthUpperUp") | {"jawOpen": 0.5 * rng.random()},
    lambda rng: _speech(rng) | _pair(rng, "mouthSmile"),
    _paired("mouthFrown"),
    lambda rng: _pair(rng, "mouthFrown") | {"mouthShrugLower": _full(rng)},
    _aside("mouth"),
    _aside("jaw"),
    _aside("mouth", "mouthSmile"),
    _one("jawForward"),
    _one("mouthFunnel"),
    _one("mouthPucker"),
    _one("mouthFunnel", "mouthPucker"),
    _one("mouthRollLower", "mouthRollUpper"),
    _one("mouthRollLower"),
    _one("mouthRollUpper"),
    _one("mouthShrugLower", "mouthShrugUpper"),
    _one("mouthShrugLower"),
    _paired("mouthPress"),
    _paired("mouthDimple"),
    _paired("mouthStretch"),
    lambda rng: _pair(rng, "mouthStretch") | {"jawOpen": _full(rng)},
    _paired("mouthUpperUp"),
    _paired("mouthLowerDown"),
    _paired("mouthUpperUp", "mouthLowerDown"),
    _one("jawOpen"),
    _one("jawOpen", "mouthClose"),
    _tongue,
    _tongue,
)


# Movements that open neither lips nor lids.
CLOSED_MOUTHS = (
    _none,
    _none,
    _paired("mouthFrown"),
    lambda rng: _pair(rng, "mouthFrown") | {"mouthShrugLower": _full(rng)},
    _aside("mouth"),
    _aside("mouth"),
    _aside("jaw"),
    _one("mouthPucker"),
    _one("mouthRollLower", "mouthRollUpper"),
    _one("mouthShrugLower", "mouthShrugUpper"),
    _paired("mouthPress"),
    _paired("mouthDimple"),
    _paired("mouthStretch"),
    _paired("mouthSmile"),
)
CLOSED_CHEEKS = (
    _none,
    _paired("cheekSquint"),
    _paired("noseSneer"),
    _one("cheekPuff"),
    _one("cheekPuff"),
    _paired("noseSneer", "cheekSquint"),
)


def closed_expression(rng: Rng) -> FloatArray:
    """Weights (52,) of a movement that opens neither lips nor lids, most often of cheeks and nose."""
    return _packed(_regions(rng, (BROWS if rng.random() < 0.5 else (_none,), CLOSED_CHEEKS, CLOSED_MOUTHS)))


def _regions(rng: Rng, regions: Sequence[Sequence[Callable[[Rng], Weights]]]) -> Weights:
    found: Weights = {}
    for states in regions:
        for name, value in states[int(rng.integers(len(states)))](rng).items():
            found[name] = max(found.get(name, 0.0), value)
    return found


def _packed(found: Weights) -> FloatArray:
    """Weights (52,), made consistent: mouthClose and tongueOut need an open jaw."""
    weights = np.zeros(len(BLENDSHAPES), np.float32)
    for name, value in found.items():
        weights[FACE_INDEX[name]] = min(max(value, 0.0), 1.0)
    jaw, close, tongue = FACE_INDEX["jawOpen"], FACE_INDEX["mouthClose"], FACE_INDEX["tongueOut"]
    if weights[close] > 0.1:
        weights[jaw] = max(weights[jaw], weights[close])
    weights[close] = min(weights[close], weights[jaw])
    if weights[tongue] > 0:
        weights[jaw] = max(weights[jaw], 0.15 + 0.2 * weights[tongue])
        for name in ("mouthClose", "mouthRollLower", "mouthRollUpper", "mouthPucker"):
            weights[FACE_INDEX[name]] = 0.0
        for name in ("mouthPressLeft", "mouthPressRight", "cheekPuff", "mouthFunnel"):
            weights[FACE_INDEX[name]] *= 0.3
    weights[FACE_INDEX["mouthPucker"]] *= 1 - 0.4 * weights[FACE_INDEX["mouthFunnel"]]
    return weights
