"""Emotional expressions, laid over the avatar's parameters.

An expression only uses the range that tracking leaves free; it never reduces a person's movement. A face
whose parts are measured shows its expression by itself, so little more than the blush is added, and its mouth
is never opened. Weights alone tell little about brows, so then the expression controls the brows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visavis.avatar.easing import ease
from visavis.avatar.idle import RELAXED_OPEN
from visavis.base.files import PathText, as_path
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS, FACE_INDEX
from visavis.motion.exp3 import BlendMode, Change, Exp3, write_exp3
from visavis.types import Expression, FaceState

# An expression starts at the first probability, ends below the second one, and lasts at least this long.
ENTER, LEAVE = 0.4, 0.25
HOLD_S = 1.0
BLEND_S = 0.3
# Share of the tracked brows and cheeks that remains under a full expression: a still face looks dead.
TRACKED_SHARE = 0.35
# Share of an expression that is added to a measured face. Cheeks blush fully; the mouth stays shut.
MEASURED_SHARE = 0.2
OPENS = frozenset(
    ("ParamMouthOpenY", "ParamMouthFunnel", "ParamMouthPressLipOpen", "ParamJawOpen", "ParamTongueOut")
)

NEUTRAL = EXPRESSIONS[0]
BLUSH = "ParamCheek"


def _both(**values: float) -> dict[str, float]:
    """Values of both brows or eyes: ``BrowY=1`` means ParamBrowLY and ParamBrowRY."""
    return {
        f"Param{name[: len(part)]}{side}{name[len(part) :]}": value
        for name, value in values.items()
        for part in ("Brow", "Eye")
        if name.startswith(part)
        for side in "LR"
    }


def _sides(**weights: float) -> dict[str, float]:
    """Weights of both sides: ``browDown=1`` means browDownLeft and browDownRight."""
    return {f"{name}{side}": weight for name, weight in weights.items() for side in ("Left", "Right")}


# Brows, lids and mouths after Ekman & Friesen, Facial Action Coding System (1978): happiness AU6+12, sadness
# AU1+4+15, surprise AU1+2+5+26, fear AU1+2+4+5+20+25, disgust AU9+15+16, anger AU4+7+23, contempt AU14 on one
# side.
LOOKS: Mapping[str, Mapping[str, float]] = {
    NEUTRAL: {},
    "happy": _both(BrowY=0.3, BrowAngle=0.1, BrowForm=0.5, EyeSmile=0.65)
    | {"ParamCheek": 0.8, "ParamMouthForm": 0.95, "ParamMouthPressLipOpen": 0.6, "ParamBodyAngleY": 1.0},
    "sad": _both(BrowY=-0.1, BrowAngle=0.9, BrowForm=-0.3, BrowX=-0.3, EyeOpen=-0.3)
    | {"ParamMouthForm": -0.85, "ParamMouthShrug": 0.3, "ParamEyeBallY": -0.3}
    | {"ParamAngleY": -3.0, "ParamAngleZ": -2.0, "ParamBodyAngleY": -2.5},
    "surprise": _both(BrowY=0.95, BrowAngle=0.15, BrowForm=0.9, EyeOpen=0.11)
    | {"ParamMouthOpenY": 0.6, "ParamJawOpen": 0.6, "ParamMouthFunnel": 0.35}
    | {"ParamAngleY": 2.0, "ParamBodyAngleY": 2.5},
    "fear": _both(BrowY=0.6, BrowAngle=0.85, BrowForm=-0.2, BrowX=-0.5, EyeOpen=0.11)
    | {"ParamMouthForm": -0.75, "ParamMouthPressLipOpen": 0.7, "ParamMouthPuckerWiden": 0.5}
    | {"ParamMouthOpenY": 0.1, "ParamAngleY": -1.5, "ParamBodyAngleY": -2.0},
    "disgust": _both(BrowY=-0.75, BrowAngle=-0.5, BrowForm=-0.7, BrowX=-0.8, EyeOpen=-0.4, EyeSmile=0.5)
    | {"ParamNoseSneer": 1.0, "ParamMouthForm": -0.5, "ParamMouthOpenY": 0.22, "ParamTongueOut": 0.26}
    | {"ParamAngleY": 2.0, "ParamAngleZ": 2.0},
    "anger": _both(BrowY=-0.7, BrowAngle=-1.0, BrowForm=-0.7, BrowX=-0.8, EyeOpen=-0.12)
    | {"ParamMouthForm": -0.7, "ParamMouthPressLipOpen": -1.0, "ParamNoseSneer": 0.4}
    | {"ParamAngleY": -2.0, "ParamCheek": 0.15},
    "contempt": _both(EyeOpen=-0.3)
    | {"ParamBrowLY": 0.6, "ParamBrowLForm": 0.7}
    | {"ParamBrowRY": -0.35, "ParamBrowRAngle": -0.35, "ParamBrowRForm": -0.3}
    | {"ParamMouthLForm": 0.9, "ParamMouthX": 0.3, "ParamEyeLSmile": 0.4}
    | {"ParamAngleY": 2.0, "ParamAngleZ": 2.5},
}
# The same expressions as blendshapes, for avatars that are not ours.
SHAPES: Mapping[str, Mapping[str, float]] = {
    NEUTRAL: {},
    "happy": _sides(mouthSmile=0.8, cheekSquint=0.6, eyeSquint=0.4, mouthUpperUp=0.2),
    "sad": _sides(mouthFrown=0.7, browDown=0.2) | {"browInnerUp": 0.8, "mouthShrugLower": 0.4},
    "surprise": _sides(browOuterUp=0.8, eyeWide=0.8) | {"browInnerUp": 0.8, "jawOpen": 0.4},
    "fear": _sides(browOuterUp=0.4, browDown=0.3, eyeWide=0.8, mouthStretch=0.6)
    | {"browInnerUp": 0.8, "jawOpen": 0.15},
    "disgust": _sides(noseSneer=0.8, mouthFrown=0.4, browDown=0.5, mouthUpperUp=0.4, eyeSquint=0.4),
    "anger": _sides(browDown=0.9, eyeSquint=0.4, noseSneer=0.3, mouthPress=0.7, mouthFrown=0.2),
    "contempt": {"mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.7, "browOuterUpLeft": 0.3},
}
OWNED = (*_both(BrowX=0.0, BrowY=0.0, BrowAngle=0.0, BrowForm=0.0), BLUSH)


class ExpressionOverlay:
    """Chooses one expression at a time, without flicker, and blends it in and out."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to neutral, at once."""
        self.current = NEUTRAL
        self._since_s = 0.0
        self._last_s: float | None = None
        self._progress = dict.fromkeys(EXPRESSIONS[1:], 0.0)

    def update(self, expression: Expression | None, time_s: float) -> None:
        """Take the next reading; None (no face, or reading is off) counts as neutral."""
        elapsed_s = 0.0 if self._last_s is None else max(time_s - self._last_s, 0.0)
        self._last_s = time_s
        if self.current == NEUTRAL or time_s - self._since_s >= HOLD_S:
            chosen = self._choose(expression)
            if chosen != self.current:
                self.current, self._since_s = chosen, time_s
        for name, progress in self._progress.items():
            step = elapsed_s / BLEND_S if name == self.current else -elapsed_s / BLEND_S
            self._progress[name] = min(max(progress + step, 0.0), 1.0)

    @property
    def shares(self) -> dict[str, float]:
        """How far each expression is blended in, 0..1; those that are not, are left out."""
        return {name: ease(progress) for name, progress in self._progress.items() if progress > 0}

    def _choose(self, expression: Expression | None) -> str:
        if expression is None:
            return NEUTRAL
        best, current = expression.label, EXPRESSIONS.index(self.current)
        if best != NEUTRAL and float(expression.probabilities.max()) >= ENTER:
            return best
        return self.current if float(expression.probabilities[current]) >= LEAVE else NEUTRAL

    def apply(self, parameters: Mapping[str, float], *, measured: bool = False) -> dict[str, float]:
        """Parameters with the expression laid over them.

        Args:
            parameters: values by name; unnamed parameters are at rest.
            measured: whether the parameters follow a face whose parts are measured.
        """
        shares = self.shares
        result = dict(parameters)
        if not measured:
            tracked = 1.0 - (1.0 - TRACKED_SHARE) * min(sum(shares.values()), 1.0)
            result |= {name: tracked * result.get(name, 0.0) for name in OWNED}
        for look, share in shares.items():
            for name, value in LOOKS[look].items():
                _, _, rest = AVATAR_PARAMETERS[name]
                if measured:
                    value *= {BLUSH: 1.0}.get(name, 0.0 if name in OPENS else MEASURED_SHARE)
                result[name] = added(name, result.get(name, rest), share * value)
        return result


def expressed(state: FaceState, shares: Mapping[str, float]) -> FaceState:
    """A face that shows expressions; a movement that it makes more strongly itself stays.

    Args:
        state: the face.
        shares: expression -> how far it is shown, 0..1.
    """
    values = state.values.copy()
    for look, share in shares.items():
        for name, weight in SHAPES[look].items():
            values[FACE_INDEX[name]] = max(values[FACE_INDEX[name]], share * weight)
    return FaceState(values)


def worn(expression: str) -> dict[str, float]:
    """Parameters of a neutral avatar with a full expression; unnamed parameters are at rest."""
    calm = {"ParamEyeLOpen": RELAXED_OPEN, "ParamEyeROpen": RELAXED_OPEN}
    look = LOOKS[expression]
    return calm | {name: added(name, calm.get(name, AVATAR_PARAMETERS[name][2]), look[name]) for name in look}


def added(name: str, tracked: float, value: float) -> float:
    """A tracked parameter plus an expression: fully added at rest, not at all at the end of the range."""
    low, high, rest = AVATAR_PARAMETERS[name]
    if high == rest:  # Shut eyes stay shut.
        return tracked * (1 + value)
    end = high if value > 0 else low
    room = (end - tracked) / (end - rest) if end != rest else 0.0
    return tracked + value * min(max(room, 0.0), 1.0)


def as_exp3(expression: str) -> Exp3:
    """A full expression as a Live2D expression: it multiplies how open the eyes are, and adds to the rest."""
    changes = (
        Change(name, 1 + value, BlendMode.MULTIPLY)
        if AVATAR_PARAMETERS[name][1] == AVATAR_PARAMETERS[name][2]
        else Change(name, value)
        for name, value in LOOKS[expression].items()
    )
    return Exp3(tuple(changes), BLEND_S, BLEND_S)


def write_expressions(folder: PathText) -> list[Path]:
    """Write all expressions into a folder that exists, as ``happy.exp3.json`` and so on.

    Raises:
        InputError: a file cannot be written.
    """
    paths = [as_path(folder) / f"{name}.exp3.json" for name in LOOKS]
    for name, path in zip(LOOKS, paths, strict=True):
        write_exp3(path, as_exp3(name))
    return paths
