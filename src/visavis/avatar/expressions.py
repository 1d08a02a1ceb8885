"""Emotions in, an expression laid over the avatar's parameters out.

Expressions own the brows and cheeks (and lean the head and body a little); tracking keeps mouth and eyes.
"""

from __future__ import annotations

from collections.abc import Mapping

from visavis.avatar.easing import ease
from visavis.channels import EXPRESSIONS
from visavis.types import Emotion

# An expression starts at this probability, ends below that one, and lasts at least so long.
ENTER, LEAVE = 0.4, 0.25
HOLD_S = 1.0
BLEND_S = 0.3
# What stays of the tracked brows and cheeks under a full expression: a face that stops moving looks dead.
TRACKED_SHARE = 0.35

NEUTRAL = EXPRESSIONS[0]


def _both(**brow: float) -> dict[str, float]:
    return {f"ParamBrow{side}{key}": value for side in "LR" for key, value in brow.items()}


# Brows after Ekman & Friesen, Facial Action Coding System (1978): sadness AU1+4, surprise AU1+2,
# fear AU1+2+4, anger AU4, disgust AU9 (which lowers the brows); contempt raises one brow.
LOOKS: Mapping[str, Mapping[str, float]] = {
    NEUTRAL: {},
    "happy": _both(Y=0.3, Angle=0.1, Form=0.5) | {"ParamCheek": 0.7, "ParamBodyAngleY": 1.0},
    "sad": _both(Y=-0.1, Angle=0.9, Form=-0.3, X=0.3)
    | {"ParamAngleY": -3.0, "ParamAngleZ": -2.0, "ParamBodyAngleY": -2.5},
    "surprise": _both(Y=0.95, Angle=0.15, Form=0.9) | {"ParamAngleY": 2.0, "ParamBodyAngleY": 2.5},
    "fear": _both(Y=0.6, Angle=0.85, Form=-0.2, X=0.5) | {"ParamAngleY": -1.5, "ParamBodyAngleY": -2.0},
    "disgust": _both(Y=-0.45, Angle=-0.45, Form=-0.5, X=0.5) | {"ParamAngleY": 2.0, "ParamAngleZ": 2.0},
    "anger": _both(Y=-0.7, Angle=-1.0, Form=-0.7, X=0.8) | {"ParamAngleY": -2.0, "ParamCheek": 0.15},
    "contempt": {
        "ParamBrowLY": 0.6,
        "ParamBrowLForm": 0.7,
        "ParamBrowRY": -0.35,
        "ParamBrowRAngle": -0.35,
        "ParamBrowRForm": -0.3,
        "ParamAngleY": 2.0,
        "ParamAngleZ": 2.5,
    },
}
OWNED = (*_both(X=0.0, Y=0.0, Angle=0.0, Form=0.0), "ParamCheek")


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

    def update(self, emotion: Emotion | None, time_s: float) -> None:
        """Take in one reading; None (no face, or reading is off) counts as neutral."""
        elapsed_s = 0.0 if self._last_s is None else max(time_s - self._last_s, 0.0)
        self._last_s = time_s
        if self.current == NEUTRAL or time_s - self._since_s >= HOLD_S:
            chosen = self._choose(emotion)
            if chosen != self.current:
                self.current, self._since_s = chosen, time_s
        for name, progress in self._progress.items():
            step = elapsed_s / BLEND_S if name == self.current else -elapsed_s / BLEND_S
            self._progress[name] = min(max(progress + step, 0.0), 1.0)

    def _choose(self, emotion: Emotion | None) -> str:
        if emotion is None:
            return NEUTRAL
        best, current = emotion.label, EXPRESSIONS.index(self.current)
        if best != NEUTRAL and float(emotion.expressions.max()) >= ENTER:
            return best
        return self.current if float(emotion.expressions[current]) >= LEAVE else NEUTRAL

    def apply(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Parameters with the expression laid over them."""
        shares = {name: ease(p) for name, p in self._progress.items() if p > 0}
        tracked = 1.0 - (1.0 - TRACKED_SHARE) * min(sum(shares.values()), 1.0)
        result = dict(parameters)
        for name in OWNED:
            result[name] = tracked * result.get(name, 0.0)
        for look, share in shares.items():
            for name, value in LOOKS[look].items():
                result[name] = result.get(name, 0.0) + share * value
        return result
