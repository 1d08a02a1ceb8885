"""The animator: turns face states and expressions into avatar poses (parameters of Live2D and VBridger)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from visavis.avatar.easing import ease, follow
from visavis.avatar.expressions import ExpressionOverlay
from visavis.avatar.idle import IdleMotion, breath
from visavis.avatar.mapping import FaceMapper
from visavis.avatar.profile import Profile
from visavis.channels import AVATAR_PARAMETERS
from visavis.types import AvatarPose, Expression, Face, FaceState

LOWEST, HIGHEST = np.asarray([(low, high) for low, high, _ in AVATAR_PARAMETERS.values()], np.float32).T
# Duration of the blend when a face is lost or found.
HANDOVER_S = 0.5
BODY_LAG_S = 0.3
BODY_SHARE = {"ParamAngleX": 0.3, "ParamAngleY": 0.2, "ParamAngleZ": 0.22}


# Parameters whose sign a mirror changes; all others are symmetric or swap sides (L and R).
REVERSED = frozenset({"ParamAngleX", "ParamAngleZ", "ParamEyeBallX", "ParamMouthX", "ParamJawX", "lean"})
SIDED = re.compile(r"(?<=ParamEye)[LR](?=Open|Smile)|(?<=ParamBrow)[LR]|(?<=ParamMouth)[LR](?=Form)")


def mirrored(parameters: Mapping[str, float]) -> dict[str, float]:
    """Tracked parameters as a mirror shows them; applied twice, it changes nothing."""
    result = {}
    for name, value in parameters.items():
        other = SIDED.sub(lambda side: "R" if side[0] == "L" else "L", name)
        result[other] = -value if name in REVERSED else value
    return result


class Animator:
    """Lets an avatar follow one person, and move by itself while nobody is there.

    Sides. Left and right in :class:`~visavis.types.FaceState` are the person's own, and in Live2D's ids
    (ParamEyeLOpen) the character's own. Person and character both look at the viewer, so the left side of
    each is on the *right* of a plain picture, and an unmirrored picture maps left to left:

    ==========================  ==============================  ==============================
    the person                  ``mirror=False``                ``mirror=True`` (default)
    ==========================  ==============================  ==============================
    shown as                    the camera sees it              in a mirror: flipped, as the page does
    own left eye, on the        picture's right                 picture's left
    ... moves the avatar's      left eye (ParamEyeL, on the     right eye (ParamEyeR, on the
                                screen's right)                 screen's left)
    nose to the image's right   turns to the screen's right     turns to the screen's left
    (yaw > 0)                   (ParamAngleX > 0)               (ParamAngleX < 0)
    head leans clockwise        leans clockwise                 leans anticlockwise
    (roll > 0)                  (ParamAngleZ > 0)               (ParamAngleZ < 0)
    ==========================  ==============================  ==============================

    With ``mirror=True``, the avatar matches a flipped webcam picture next to it. For a video file that is
    shown unflipped next to the avatar, use ``mirror=False``.

    The face stage has already smoothed the face state; this class does not delay eyes or mouth. The same
    seed, states and times give the same poses.

    Args:
        seed: random seed of the idle blinks and glances.
        mirror: whether left and right are exchanged (see above); may be changed between updates.
        acting: whether nods are exaggerated, as for a listener; may be changed between updates.
        profile: the person's profile; None learns it during the run.

    Attributes:
        chosen: an expression that the avatar shows in place of the person's own; None: the person's own.
        calibrated: what was known of the person at :meth:`calibrate`; None without it, and for a new person.
    """

    def __init__(
        self, seed: int = 0, mirror: bool = True, acting: bool = False, profile: Profile | None = None
    ) -> None:
        self.mirror, self.acting, self.profile = mirror, acting, profile
        self.chosen: Expression | None = None
        self._idle = IdleMotion(seed)
        self._mapper = FaceMapper()
        self._overlay, self._forced = ExpressionOverlay(), ExpressionOverlay()
        self.reset()

    def reset(self) -> None:
        """Forget the person and the past, as before the first update; a profile is kept."""
        self._begin(self.profile)
        self._overlay.reset()
        self._forced.reset()
        self._found = self._met = False
        self._last_s: float | None = None
        self._shown: dict[str, float] = {}
        self._offset: dict[str, float] = {}
        self._switched_s = 0.0
        self._body: dict[str, float] = {}

    def start_new_person(self, known: bool = False) -> None:
        """Follow another person from now on: forget the last person's neutral face, and blend smoothly.

        Args:
            known: whether it is the person of the profile, if there is one.
        """
        self._begin(self.profile if known else None)
        self._met = True

    def wear(self, profile: Profile | None) -> None:
        """Follow the person of this profile from now on, with a smooth change; None learns it again."""
        self.profile = profile
        self.start_new_person(known=True)

    @property
    def learned(self) -> Profile | None:
        """What is known of the person so far; None before the first face, and while the avatar is acting."""
        return None if self.acting else self._mapper.learned

    def recall(self, learned: Profile) -> None:
        """Go on learning from :attr:`learned` of an earlier stream of the same person."""
        self._begin(learned)
        self._met = True

    def _begin(self, profile: Profile | None) -> None:
        self.calibrated: Profile | None = None
        if profile is None:
            self._mapper.reset()
        else:
            self._mapper.wear(profile)

    def calibrate(self) -> bool:
        """Use the last seen face as the neutral face (relaxed, eyes open, facing the screen).

        Returns:
            False if no face has been seen yet; then nothing changes.
        """
        if not self._mapper.calibrate():
            return False
        self.calibrated = self._mapper.learned
        return True

    @property
    def expression(self) -> str:
        """The expression that the avatar shows now, one of :data:`~visavis.channels.EXPRESSIONS`."""
        return self._overlay.current

    @property
    def forced(self) -> dict[str, float]:
        """How far each chosen expression is shown now, 0..1; the person's own expressions do not count."""
        return self._forced.shares

    def update(
        self,
        state: FaceState | None,
        expression: Expression | None,
        time_s: float,
        tracked: Face | None = None,
    ) -> AvatarPose:
        """The pose at ``time_s``.

        Args:
            state: the person's face; None while no face is found.
            expression: what the face shows; None while it is not read.
            time_s: moment of the frame in seconds; must not decrease.
            tracked: the face to which the state belongs; its measures make the avatar more exact.
        """
        target = self._idle.at(time_s) if state is None else self._follow(state, time_s, tracked)
        base = self._hand_over(target, state is not None, time_s)
        chosen = self.chosen is not None and state is not None and not self.acting
        self._overlay.update(self.chosen if chosen else expression, time_s)
        self._forced.update(self.chosen if chosen else None, time_s)
        self._move_body(base, time_s)
        self._last_s = time_s
        # A measured face shows its own expression, with a fifth of the overlay, unless one was chosen.
        measured = tracked is not None and len(tracked.measures) > 0 and not chosen
        pose = self._overlay.apply(base | self._body, measured=measured)
        pose["ParamBreath"] = breath(time_s)
        values = [pose.get(name, rest) for name, (_, _, rest) in AVATAR_PARAMETERS.items()]
        return AvatarPose(np.clip(np.asarray(values, np.float32), LOWEST, HIGHEST), time_s)

    def _follow(self, state: FaceState, time_s: float, tracked: Face | None) -> dict[str, float]:
        parameters = self._mapper.update(state, time_s, tracked, acting=self.acting)
        return mirrored(parameters) if self.mirror else parameters

    def _hand_over(self, target: dict[str, float], found: bool, time_s: float) -> dict[str, float]:
        """Blend from the last pose when a face is lost, found or replaced by another person's.

        The difference at that moment is added to the live motion and fades out, so nothing jumps or freezes
        (inertialization: Bollo, "Inertialization: High-Performance Animation Transitions
        in Gears of War", GDC 2018).
        """
        if self._last_s is not None and (found != self._found or self._met):
            names = target.keys() | self._shown.keys()
            self._offset = {n: self._shown.get(n, 0.0) - target.get(n, 0.0) for n in sorted(names)}
            self._switched_s = time_s
        self._found, self._met = found, False
        left = 1.0 - ease((time_s - self._switched_s) / HANDOVER_S) if self._offset else 0.0
        self._shown = target | {n: target.get(n, 0.0) + left * d for n, d in self._offset.items()}
        return self._shown

    def _move_body(self, base: dict[str, float], time_s: float) -> None:
        """Let the body follow the head softly and lean where the head shifts."""
        for angle, share in BODY_SHARE.items():
            name = angle.replace("Param", "ParamBody")
            target = share * base[angle]
            if angle == "ParamAngleZ":
                target += base.get("lean", 0.0)
            elapsed_s = 0.0 if self._last_s is None else time_s - self._last_s
            self._body[name] = follow(self._body.get(name, target), target, elapsed_s, BODY_LAG_S)
