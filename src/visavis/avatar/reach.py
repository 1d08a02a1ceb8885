"""Gains that fit a person's own range of movement to the avatar's range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visavis.avatar.easing import ease
from visavis.avatar.idle import RELAXED_OPEN

# The share of the avatar's range that a person's usual largest movement should reach; average people reach it
# without any gain.
REACHED = 0.8
# Movements below the first value are ignored; up to the second, the gain grows from 1 (noise stays).
ACTIVE = 0.25
# The level is this quantile of the moments in which there is a movement.
QUANTILE = 0.9
# Gains fade in between these two times since the person was first seen.
TRUST_FROM_S, TRUST_TO_S = 15.0, 45.0
# A blink is over before this lag has followed it; looking down for a long time is not a blink.
LINGER_S = 0.7


@dataclass(frozen=True, slots=True)
class Movement:
    """Limits for fitting one movement.

    Attributes:
        gains: the smallest and the largest gain.
        per_s: how far the level changes in a second of movement, in shares of the avatar's range over the
            quantile; larger for short movements.
        short: whether only the first moments of the movement count.
    """

    gains: tuple[float, float] = (0.8, 1.8)
    per_s: float = 1.0
    short: bool = False


MOVEMENTS: Mapping[str, Movement] = {
    "smile": Movement(),
    "browUp": Movement(),
    "browDown": Movement(),
    "mouth": Movement(),
    "lids": Movement((1.0, 1.4), 3.0, short=True),
}
EYES = ("ParamEyeLOpen", "ParamEyeROpen")
BROWS = ("ParamBrowLY", "ParamBrowRY")


def movements(parameters: Mapping[str, float]) -> dict[str, float]:
    """How far a face moves the avatar, in shares of its range: 0 at rest, 1 at the range's end.

    Args:
        parameters: parameters of the mapping before any gain; they may be beyond their ranges.

    Returns:
        Values of 0 or more by the names of :data:`MOVEMENTS`.
    """
    brow = (parameters[BROWS[0]] + parameters[BROWS[1]]) / 2
    shut = 1.0 - (parameters[EYES[0]] + parameters[EYES[1]]) / 2 / RELAXED_OPEN
    amounts = {
        "smile": parameters["ParamMouthForm"],
        "browUp": brow,
        "browDown": -brow,
        "mouth": parameters["ParamMouthOpenY"],
        "lids": shut,
    }
    return {name: max(amount, 0.0) for name, amount in amounts.items()}


class Reach:
    """Slowly learns how far one person moves, starting from the usual range of people."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._levels = dict.fromkeys(MOVEMENTS, REACHED)
        self._seen_s = 0.0
        self._last_s: float | None = None
        self._lagging: dict[str, float] = {}

    @property
    def levels(self) -> dict[str, float]:
        """The person's largest movements, as learned so far."""
        return dict(self._levels)

    def set(self, levels: Mapping[str, float]) -> None:
        """Use these as the person's largest movements at once; see :func:`movements`."""
        self._levels = {name: _within(level, name) for name, level in levels.items()}
        self._seen_s = TRUST_TO_S

    def fit(self, parameters: Mapping[str, float], time_s: float) -> dict[str, float]:
        """Learn from one moment; returns its parameters with this person's gains."""
        elapsed_s = 0.0 if self._last_s is None else min(max(time_s - self._last_s, 0.0), 0.5)
        self._last_s = time_s
        self._seen_s += elapsed_s
        for name, amount in movements(parameters).items():
            self._learn(name, amount, elapsed_s)
        gains = {name: self.gain(name) for name in MOVEMENTS}
        fitted = dict(parameters)
        fitted["ParamMouthForm"] = _raised(parameters["ParamMouthForm"], gains["smile"])
        for brow in BROWS:
            height = parameters[brow]
            fitted[brow] = _raised(height, gains["browUp"]) - _raised(-height, gains["browDown"])
            fitted[brow] -= height
        for opening in ("ParamMouthOpenY", "ParamJawOpen"):
            fitted[opening] = _raised(parameters[opening], gains["mouth"])
        for eye in EYES:
            shut = _raised(1.0 - parameters[eye] / RELAXED_OPEN, gains["lids"])
            fitted[eye] = RELAXED_OPEN * (1.0 - shut)
        return fitted

    def gain(self, name: str) -> float:
        """The current gain of a movement."""
        trust = ease((self._seen_s - TRUST_FROM_S) / (TRUST_TO_S - TRUST_FROM_S))
        return 1.0 + trust * (REACHED / self._levels[name] - 1.0)

    def _learn(self, name: str, amount: float, elapsed_s: float) -> None:
        movement = MOVEMENTS[name]
        if movement.short:
            lagging = self._lagging.get(name, amount)
            self._lagging[name] = lagging + (amount - lagging) * min(elapsed_s / LINGER_S, 1.0)
            amount -= lagging
        if amount > ACTIVE:
            share = QUANTILE if amount > self._levels[name] else QUANTILE - 1.0
            self._levels[name] = _within(self._levels[name] + elapsed_s * movement.per_s * share, name)


def _within(level: float, name: str) -> float:
    """The level, limited so that its gain is within its bounds."""
    least, most = MOVEMENTS[name].gains
    return min(max(level, REACHED / most), REACHED / least)


def _raised(value: float, gain: float) -> float:
    """The value, multiplied by the gain if it is above 0."""
    return value * (1.0 + (gain - 1.0) * ease(value / ACTIVE))
