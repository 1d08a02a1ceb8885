"""A guided calibration of 20 s that tells one person what to do and ends with a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from visavis.avatar.calibration import WEIGHTS_AT_REST, ClosedLevel, Rest
from visavis.avatar.mapping import SIDES, FaceMapper, channels_of, head_degrees
from visavis.avatar.profile import HEAD, Profile
from visavis.avatar.reach import EYES, MOVEMENTS, REACHED, movements
from visavis.avatar.seen import RESTS, SHUT_SHARE, calmed, in_reaches
from visavis.channels import FACE_MEASURES
from visavis.types import Face

# Each step begins with time to read the instruction.
READ_S, STEP_S = 1.0, 4.0
WAIT_S = 5.0
# A step's movement is this quantile of its moments.
MOST = 0.9
# The assumption about a person's eyes before they are measured.
PRIOR_SHUT = {f"eyeBlink{side}": ClosedLevel.PRIOR for side in SIDES} | {
    f"lid{side}": SHUT_SHARE for side in SIDES
}
# A face with a lower score than this is half hidden; a face that is turned further (degrees) looks away.
SURE, AWAY_DEG = 0.5, 25.0
# Largest movement at rest, from the 5th to the 95th percentile: parameters, and degrees of the head.
STILL = {"ParamMouthOpenY": 0.12, "ParamMouthForm": 0.5, "ParamBrowLY": 0.4, "ParamBrowRY": 0.4}
STILL_HEAD_DEG = 8.0
# Upper limits of a relaxed face: weights, and the opening of the mouth in reaches.
SMILING, SHUTTING, GAPING, PARTED = 0.4, 0.55, 0.3, 0.1
# Share of the avatar's range that a step must move; and how far shut eyes may still be open.
SEEN, OPEN_STILL = 0.25, 0.5

State = Literal["running", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Guiding:
    """The state of a guided calibration.

    Attributes:
        state: ``running``, ``done`` or ``refused``.
        step: one of :data:`STEPS`.
        number: number of the step, from 1.
        progress: progress of the step, 0..1.
        says: what the person should do now, or how the calibration ended.
        problem: what is wrong now, or was wrong in the last attempt; empty if nothing is.
    """

    state: State
    step: str
    number: int
    progress: float
    says: str
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    face: Face
    parameters: Mapping[str, float]

    @property
    def moved(self) -> dict[str, float]:
        return movements(self.parameters)


Samples = Sequence[_Sample]


def _spread(values: Sequence[float]) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(high - low)


def _middle(samples: Samples, *names: str) -> float:
    """Median of the mean of some weights."""
    return float(np.median([np.mean([s.face.state[name] for name in names]) for s in samples]))


def _most(samples: Samples, movement: str) -> float:
    return float(np.quantile([s.moved[movement] for s in samples], MOST))


def _unrest(samples: Samples) -> str:
    spread = {name: _spread([s.parameters[name] for s in samples]) for name in STILL}
    turned = [_spread(column) for column in np.stack([head_degrees(s.face.state)[:3] for s in samples]).T]
    if _middle(samples, "eyeBlinkLeft", "eyeBlinkRight") > SHUTTING:
        return "Your eyes were shut."
    if spread["ParamMouthOpenY"] > STILL["ParamMouthOpenY"]:
        return "Your mouth moved: do not talk or laugh."
    if _middle(samples, "mouthSmileLeft", "mouthSmileRight") > SMILING:
        return "You smiled: relax your face."
    if _is_open(samples):
        return "Your mouth was open, or something covers it."
    if max(turned) > STILL_HEAD_DEG:
        return "Your head moved."
    if any(spread[name] > most for name, most in STILL.items()):
        return "Your face moved."
    return ""


def _is_open(samples: Samples) -> bool:
    if not all(len(s.face.measures) for s in samples):
        return _middle(samples, "jawOpen") > GAPING
    opening = np.median([s.face.measures[list(FACE_MEASURES).index("mouthOpening")] for s in samples])
    usual, reach = FACE_MEASURES["mouthOpening"]
    return float(opening) > usual + PARTED * reach


def _unmoved(movement: str, part: str) -> Callable[[Samples], str]:
    def check(samples: Samples) -> str:
        if _most(samples, movement) >= SEEN:
            return ""
        return f"I did not see {part}. Is all of your face in the light?"

    return check


def _unshut(samples: Samples) -> str:
    # Each eye by itself: a covered eye does not move.
    if all(np.median([s.parameters[eye] for s in samples]) <= OPEN_STILL for eye in EYES):
        return ""
    return "I did not see your eyes stay closed."


# The instruction of each step, and the function that says why it was not done.
STEPS: Final[Mapping[str, tuple[str, Callable[[Samples], str]]]] = {
    "rest": ("Look at the screen with a relaxed face. Hold still, and do not talk.", _unrest),
    "smile": ("Smile as broadly as you like.", _unmoved("smile", "the corners of your mouth rise")),
    "brows": ("Raise your brows, then pull them down.", _unmoved("browUp", "your brows rise")),
    "mouth": ("Open your mouth wide.", _unmoved("mouth", "your mouth open")),
    "lids": ("Close your eyes, and open them after four seconds.", _unshut),
}


class Guide:
    """Leads one person through the steps; a failed step is repeated once, then the calibration is refused.

    Attributes:
        profile: the result; None until the calibration is done.
    """

    def __init__(self) -> None:
        self.profile: Profile | None = None
        self._mapper = FaceMapper()
        self._names = list(STEPS)
        self._samples: list[_Sample] = []
        self._reach = dict.fromkeys(MOVEMENTS, REACHED)
        self._person: int | None = None
        self._spent_s = self._waited_s = 0.0
        self._last_s: float | None = None
        self._problem = ""
        self._ended: Guiding | None = None

    def update(self, face: Face | None, time_s: float) -> Guiding:
        """Process the face of one moment.

        Args:
            face: the first face; None if there is none.
            time_s: time of the face; must not decrease.
        """
        if self._ended is not None:
            return self._ended
        elapsed_s = 0.0 if self._last_s is None else min(max(time_s - self._last_s, 0.0), 0.5)
        self._last_s = time_s
        if face is None or (problem := self._unusable(face)):
            return self._wait("Your face is not in view." if face is None else problem, elapsed_s)
        self._waited_s = 0.0
        self._person = face.track_id
        self._spent_s += elapsed_s
        parameters = self._mapper.unfitted(face.state, time_s, face)
        if self._spent_s > READ_S:
            self._samples.append(_Sample(face, parameters))
        return self._running() if self._spent_s < STEP_S else self._finish_step()

    def _unusable(self, face: Face) -> str:
        if self._person not in (None, face.track_id):
            return "Somebody else is in front of the camera."
        if face.score < SURE:
            return "Your face is half hidden, or too dark."
        if max(abs(head_degrees(face.state)[:2])) > AWAY_DEG:
            return "Look at the screen."
        return ""

    def _wait(self, problem: str, elapsed_s: float) -> Guiding:
        self._waited_s += elapsed_s
        if self._waited_s > WAIT_S:
            return self._refuse(problem)
        return replace(self._running(), problem=problem)

    def _running(self) -> Guiding:
        step = self._names[0]
        return Guiding("running", step, self._number, self._spent_s / STEP_S, STEPS[step][0], self._problem)

    @property
    def _number(self) -> int:
        return len(STEPS) - len(self._names) + 1

    def _finish_step(self) -> Guiding:
        step, samples = self._names[0], self._samples
        problem = STEPS[step][1](samples) if len(samples) > 1 else "Too few pictures came."
        if problem and self._problem:
            return self._refuse(problem)
        self._problem, self._samples, self._spent_s = problem, [], 0.0
        if not problem:
            self._learn(step, samples)
            if step == "lids":
                return self._end("done", "The avatar knows your face now.")
            del self._names[0]
        return self._running()

    def _learn(self, step: str, samples: Samples) -> None:
        if step == "rest":
            self.profile = None
            self._rest = _at_rest(samples)
            self._mapper.wear(self._rest)
            return
        for movement in {"brows": ("browUp", "browDown"), "lids": ()}.get(step, (step,)):
            most = _most(samples, movement)
            if most >= SEEN:
                self._reach[movement] = min(most, 4.0)
        if step == "lids":
            self._reach["lids"] = 1.0  # The person's own lids shut completely.
            self.profile = replace(self._rest, shut=_shut(samples, self._rest), reach=self._reach)

    def _refuse(self, problem: str) -> Guiding:
        return self._end("refused", "The avatar moves as before.", problem)

    def _end(self, state: State, says: str, problem: str = "") -> Guiding:
        self._ended = Guiding(state, self._names[0], self._number, 1.0, says, problem)
        return self._ended


def _at_rest(samples: Samples) -> Profile:
    """A profile of a neutral face; everything else is typical of most people."""
    measures = {}
    if all(len(s.face.measures) for s in samples):
        rows = [
            calmed(in_reaches(dict(zip(FACE_MEASURES, s.face.measures.tolist(), strict=True))), s.face)
            for s in samples
        ]
        level = _levels(RESTS, rows)
        measures = {name: usual + reach * level[name] for name, (usual, reach) in FACE_MEASURES.items()}
    return Profile(
        _levels(WEIGHTS_AT_REST, [channels_of(s.face.state) for s in samples]),
        measures,
        dict(
            zip(HEAD, np.median([head_degrees(s.face.state) for s in samples], axis=0).tolist(), strict=True)
        ),
        PRIOR_SHUT,
        dict.fromkeys(MOVEMENTS, REACHED),
    )


def _levels(rests: Mapping[str, Rest], rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: float(
            np.clip(np.quantile([row[name] for row in rows], rest.quantile), -rest.highest, rest.highest)
        )
        for name, rest in rests.items()
    }


def _shut(samples: Samples, rest: Profile) -> dict[str, float]:
    shut = {f"eyeBlink{side}": min(max(_middle(samples, f"eyeBlink{side}"), 0.0), 1.0) for side in SIDES}
    for name in (f"lid{side}" for side in SIDES):
        shut[name] = PRIOR_SHUT[name]
        if rest.measures:
            gap = np.median([s.face.measures[list(FACE_MEASURES).index(name)] for s in samples])
            shut[name] = float(np.clip(gap / rest.measures[name], 0.0, 0.7))
    return shut
