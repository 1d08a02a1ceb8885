"""How far each visible part of a face is from this person's neutral face, from landmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from visavis.avatar.calibration import Rest, RestingLevels
from visavis.avatar.easing import follow
from visavis.avatar.idle import RELAXED_OPEN
from visavis.channels import FACE_MEASURES
from visavis.types import Face

# In units of each measure's reach, relative to the usual face.
RESTS = {
    "mouthOpening": Rest(0.1, 0.0, 0.04),
    "mouthWidth": Rest(0.4, 0.0, 0.7),
    "mouthCornerLeft": Rest(0.5, 0.0, 1.0),
    "mouthCornerRight": Rest(0.5, 0.0, 1.0),
    "mouthAside": Rest(0.5, 0.0, 0.5),
    "browLeft": Rest(0.5, 0.0, 1.2),
    "browRight": Rest(0.5, 0.0, 1.2),
    "lidLeft": Rest(0.7, 0.0, 0.6),
    "lidRight": Rest(0.7, 0.0, 0.6),
    "gazeX": Rest(0.5, 0.0, 0.6),
    "gazeY": Rest(0.5, 0.0, 0.6),
}
# What a weight of 1 adds to a measure, in the same units (fitted to eleven clips). It is subtracted before
# the neutral face is learned: if somebody always smiles, the smile is not neutral.
MOVES = {
    "mouthWidth": {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4, "mouthPucker": -0.6},
    "mouthCornerLeft": {"mouthSmileLeft": 1.15, "mouthFrownLeft": -1.0, "jawOpen": -1.0},
    "mouthCornerRight": {"mouthSmileRight": 1.15, "mouthFrownRight": -1.0, "jawOpen": -1.0},
    "mouthAside": {"mouthLeft": 2.0, "mouthRight": -2.0},
}
# The gap of shut lids as a share of the open gap: its maximum, and its value before a blink was seen.
SHUT_SHARE = 0.3
FORGET_S = 30.0
EYE_WIDTH = 0.295
# The first face counts as this many tenths of a second: most people look calmly into the camera at first.
FIRST_SAMPLES = 15
# A part that is less visible does not show what is neutral.
MOSTLY = 0.7
# A part that is hidden, or visible again, is believed with this time constant.
FADE_S = 0.15


class Seen(NamedTuple):
    """Visible movements of a face relative to its neutral face.

    Attributes:
        opening: opening of the mouth; this and the next four are in shares of the resting mouth's width.
        width: how much wider the mouth is.
        corner_left, corner_right: how far the person's own corner of the mouth is raised.
        aside: how far the mouth is moved to the image's right.
        brow_left, brow_right: how far the brow is raised, in shares of its height above the eye.
        lid_left, lid_right: 0 is shut, 1 is as open as at rest, more is wider.
        gaze_x, gaze_y: gaze of both eyes to the image's right and upward, in shares of an eye's width.
    """

    opening: float
    width: float
    corner_left: float
    corner_right: float
    aside: float
    brow_left: float
    brow_right: float
    lid_left: float
    lid_right: float
    gaze_x: float
    gaze_y: float


def in_reaches(measures: Mapping[str, float]) -> dict[str, float]:
    """Differences of measures from the usual face by name, in reaches."""
    return {name: (measures[name] - usual) / reach for name, (usual, reach) in FACE_MEASURES.items()}


def calmed(measures: Mapping[str, float], face: Face) -> dict[str, float]:
    """Measures in reaches, minus the part that the face's weights explain."""
    return dict(measures) | {
        name: measures[name] - sum(much * face.state[channel] for channel, much in weights.items())
        for name, weights in MOVES.items()
    }


def _share(measure: str, face: Face) -> float:
    """How far the part that shows a measure is visible."""
    right, left, mouth = face.visible.tolist()
    if measure.startswith("mouth"):
        return float(mouth)
    return float(
        max(left, right) if measure.startswith("gaze") else left if measure.endswith("Left") else right
    )


class Watcher:
    """Learns one person's neutral face."""

    def __init__(self) -> None:
        self._levels = RestingLevels(RESTS)
        self.reset()

    def reset(self) -> None:
        """Forget the person."""
        self._levels.reset()
        self._shut = {"lidLeft": SHUT_SHARE, "lidRight": SHUT_SHARE}
        self._usually_shut = dict(self._shut)
        self._held = False
        self._last: dict[str, float] | None = None
        self._last_s: float | None = None

    @property
    def learned(self) -> tuple[dict[str, float], dict[str, float]]:
        """The neutral face's measures (none before the first face) and its lids, for :meth:`hold`."""
        if self._last is None and not self._held:
            return {}, self._shut
        rest = self._levels.levels
        usual = FACE_MEASURES.items()
        return {name: middle + rest[name] * reach for name, (middle, reach) in usual}, self._shut

    def hold(self, measures: Mapping[str, float], shut: Mapping[str, float]) -> None:
        """Use these as the neutral face and its lids; see :class:`~visavis.avatar.profile.Profile`."""
        self._shut = {name: shut[name] for name in self._shut}
        self._usually_shut = dict(self._shut)
        if measures:
            self._held = True
            self._levels.hold(in_reaches(measures))

    def calibrate(self) -> None:
        """Use the last seen face as the person's neutral face."""
        if self._last is not None:
            self._levels.set(self._last)

    def update(self, face: Face, time_s: float) -> Seen | None:
        """Process the next face; returns None if it has no measures."""
        if not len(face.measures):
            return None
        now = in_reaches(dict(zip(FACE_MEASURES, face.measures.tolist(), strict=True)))
        calm = calmed(now, face)
        if face.visible.min() < MOSTLY:  # Hidden parts show no rest: what is known of them stays.
            calm |= {
                name: level for name, level in self._levels.levels.items() if _share(name, face) < MOSTLY
            }
        if self._last is None and not self._held:
            self._levels.begin(calm, FIRST_SAMPLES)
        rest = self._levels.update(calm, time_s)
        elapsed_s = 0.0 if self._last_s is None else time_s - self._last_s
        self._last, self._last_s = calm, time_s
        moved = {name: (now[name] - rest[name]) * reach for name, (_, reach) in FACE_MEASURES.items()}
        level = {name: usual + rest[name] * reach for name, (usual, reach) in FACE_MEASURES.items()}
        mouth = level["mouthWidth"]
        return Seen(
            moved["mouthOpening"] / mouth,
            moved["mouthWidth"] / mouth,
            moved["mouthCornerLeft"] / mouth,
            moved["mouthCornerRight"] / mouth,
            moved["mouthAside"] / mouth,
            moved["browLeft"] / level["browLeft"],
            moved["browRight"] / level["browRight"],
            self._lid("lidLeft", 1 + moved["lidLeft"] / level["lidLeft"], elapsed_s),
            self._lid("lidRight", 1 + moved["lidRight"] / level["lidRight"], elapsed_s),
            moved["gazeX"] / EYE_WIDTH,
            moved["gazeY"] / EYE_WIDTH,
        )

    def _lid(self, name: str, share: float, elapsed_s: float) -> float:
        """How open a lid is, from its gap as a share of the gap at rest."""
        shut = min(follow(self._shut[name], self._usually_shut[name], elapsed_s, FORGET_S), max(share, 0.0))
        self._shut[name] = shut
        return (share - shut) / (1 - shut)


class VisibleParts:
    """Fades the parameters of hidden parts to rest; a hidden eye does as the other one."""

    def __init__(self) -> None:
        self._shares = [1.0, 1.0, 1.0]
        self._time_s: float | None = None

    def update(self, tracked: Face | None, time_s: float) -> None:
        """Follow what is visible of the face; without a face, all is."""
        wanted = [1.0, 1.0, 1.0] if tracked is None else tracked.visible.tolist()
        elapsed_s = math.inf if self._time_s is None else time_s - self._time_s
        self._time_s = time_s
        self._shares = [
            follow(now, then, elapsed_s, FADE_S) for now, then in zip(self._shares, wanted, strict=True)
        ]

    def fade(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """The parameters of a face of which not everything is visible."""
        right, left, mouth_share = self._shares
        if min(self._shares) > 0.999:
            return dict(parameters)
        faded = dict(parameters)
        for name, value in parameters.items():
            if name.startswith(("ParamMouth", "ParamJaw", "ParamTongue", "ParamCheekPuff")):
                faded[name] = mouth_share * value
            elif name.startswith("ParamEyeBall"):
                faded[name] = max(left, right) * value
            elif name.startswith("ParamBrow"):
                faded[name] = (left if name.startswith("ParamBrowL") else right) * value
        lids = {side: parameters[f"ParamEye{side}Open"] for side in "LR"}
        for side, other, share, others in (("L", "R", left, right), ("R", "L", right, left)):
            instead = RELAXED_OPEN + others * (lids[other] - RELAXED_OPEN)
            faded[f"ParamEye{side}Open"] = instead + share * (lids[side] - instead)
        return faded
