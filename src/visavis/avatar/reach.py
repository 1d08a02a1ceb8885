"""Gains that fit a person's own range of movement to the avatar's range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visavis.avatar.easing import ease
from visavis.avatar.idle import RELAXED_OPEN

# The share of the avatar's range that a person's usual largest movement shall reach; also how far usual
# people move it without any gain.
REACHED = 0.8
# A movement of less than this is none; up to here a gain grows from 1, so that noise stays what it is.
ACTIVE = 0.25
# The level is this quantile of the moments in which there is a movement.
QUANTILE = 0.9
# Gains come in between these two times for which the person has been seen.
TRUST_FROM_S, TRUST_TO_S = 15.0, 45.0
# A blink is over before this lag has followed it; who looks down for long does not blink.
LINGER_S = 0.7


@dataclass(frozen=True, slots=True)
class Movement:
    """How one movement may be fitted.

    Attributes:
        gains: the smallest and the largest.
        per_s: how far the level goes in a second of movement, in shares of the avatar's range over the
            quantile: more for what is short.
        short: whether only its first moments count.
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
        parameters: as the mapping gives them before any gain; they may be beyond their ranges.

    Returns:
        By the names of :data:`MOVEMENTS`, 0 or more.
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
    """Learns how far one person moves, slowly, from how far people usually do."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._levels = dict.fromkeys(MOVEMENTS, REACHED)
        self._seen_s = 0.0
        self._last_s: float | None = None
        self._lagging: dict[str, float] = {}

    def set(self, levels: Mapping[str, float]) -> None:
        """Take these for the person's largest movements, at once; see :func:`movements`."""
        self._levels = {name: _within(level, name) for name, level in levels.items()}
        self._seen_s = TRUST_TO_S

    def fit(self, parameters: Mapping[str, float], time_s: float) -> dict[str, float]:
        """Learn from one moment, and give it with this person's gains."""
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
        """By how much a movement is multiplied now."""
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
    """A level whose gain is within its bounds."""
    least, most = MOVEMENTS[name].gains
    return min(max(level, REACHED / most), REACHED / least)


def _raised(value: float, gain: float) -> float:
    """A value with the gain where it is above 0."""
    return value * (1.0 + (gain - 1.0) * ease(value / ACTIVE))
