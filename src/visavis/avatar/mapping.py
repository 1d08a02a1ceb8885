"""The mapping from a face state to the avatar parameters that tracking owns, calibrated to the person.

Brow, mouth and eyelid formulas follow the community's ARKit-to-VTube-Studio conversion (BrowY = 0.5 + outerUp
- down; MouthSmile = (2 - frowns - pucker + smiles + dimples / 2) / 4; MouthOpen = jawOpen - mouthClose - 0.2
rolls + 0.2 funnel; EyeOpen = 0.5 - 0.8 blink + 0.8 wide), rescaled from VTube Studio's 0..1 with rest 0.5 to
Live2D's ranges. Gains and all additions are this project's own and were tuned on real clips.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from visavis.avatar.calibration import GAZE_X, WEIGHTS_AT_REST, ClosedLevel, NeutralHead, RestingLevels
from visavis.avatar.easing import ease
from visavis.avatar.idle import RELAXED_OPEN
from visavis.avatar.mouth import mouth
from visavis.avatar.profile import HEAD, Profile
from visavis.avatar.reach import Reach
from visavis.avatar.seen import Seen, VisibleParts, Watcher
from visavis.channels import AVATAR_PARAMETERS, BLENDSHAPES, FACE_CHANNELS
from visavis.types import Face, FaceState, FloatArray

SIDES = ("Left", "Right")
# Webcam users turn less than they think: 25 degrees of the person are 30 degrees of the avatar.
HEAD_GAIN = (1.2, 1.5, 1.0)
# A listener's nods have 3 to 7 degrees, and a drawn head turns by little more than half of its parameter.
ACTING_NOD_GAIN = 2.25
LEAN_DEG_PER_CM = 0.4
LEAN_LIMIT_DEG = 4.0
GAZE_GAIN = 1.3
# How far the drawn irises and brows move with a parameter of 1: in shares of the eye's width, and of the
# brow's height above the eye when it rises and when it sinks.
DRAWN_GAZE = 0.17, 0.134
DRAWN_BROW_UP, DRAWN_BROW_DOWN = 0.34, 0.22
DRAWN_BROW_ANGLE, DRAWN_BROW_FORM = 0.034, 0.042
# A weight fades out below the second reliability, and counts nothing below the first.
DOUBTED, BELIEVED = 0.2, 0.45
# Between these two differences of the calibrated lids (0 open, 1 shut), a blink of both eyes becomes a wink
# of one eye. Clips of people who do not wink stay below the first.
WINK_FROM, WINK_TO = 0.45, 0.65
# If the wider of two closing lids is between these two values, the blink begins to count for both eyes.
BLINK_FROM, BLINK_TO = 0.75, 0.45
# Beyond this turn (degrees), the far eye is seen at too flat an angle to be trusted.
TURN_FROM, TURN_TO = 15.0, 28.0
# A full smile raises raw eyeBlink by about this much.
SMILE_BLINK = 0.2


class FaceMapper:
    """Turns one person's face states into parameters, as a camera image shows them (not mirrored)."""

    def __init__(self) -> None:
        self._levels = RestingLevels(WEIGHTS_AT_REST)
        self._closed = {side: ClosedLevel() for side in SIDES}
        self._head = NeutralHead()
        self._watcher = Watcher()
        self._reach = Reach()
        self._visible = VisibleParts()
        self._last: FaceState | None = None

    def reset(self) -> None:
        """Forget the person."""
        self._watcher.reset()
        self._levels.reset()
        self._head.reset()
        for closed in self._closed.values():
            closed.reset()
        self._reach.reset()
        self._visible = VisibleParts()
        self._last = None

    def wear(self, profile: Profile) -> None:
        """Follow the person of this profile from now on."""
        self.reset()
        self._levels.hold(profile.weights)
        self._watcher.hold(profile.measures, profile.shut)
        self._head.set(np.asarray([profile.head[name] for name in HEAD]), NeutralHead.QUICK_S)
        for side, closed in self._closed.items():
            closed.hold(profile.shut[f"eyeBlink{side}"])
        self._reach.set(profile.reach)

    @property
    def learned(self) -> Profile | None:
        """What is known of the person so far; None before the first face."""
        if self._last is None:
            return None
        measures, lids = self._watcher.learned
        shut = {f"eyeBlink{side}": closed.level for side, closed in self._closed.items()} | lids
        head = dict(zip(HEAD, self._head.pose, strict=True))
        return Profile.within(self._levels.levels, measures, head, shut, self._reach.levels)

    def calibrate(self) -> bool:
        """Use the last seen face as the neutral face: relaxed, eyes open, facing the screen.

        Returns:
            False if no face has been seen yet; then nothing changes.
        """
        if self._last is None:
            return False
        self._levels.set(channels_of(self._last))
        self._watcher.calibrate()
        self._head.set(head_degrees(self._last))
        return True

    def update(
        self, state: FaceState, time_s: float, tracked: Face | None = None, *, acting: bool = False
    ) -> dict[str, float]:
        """Parameters at one moment.

        The result also has ``lean``, no parameter: degrees by which the body follows a shifted head.

        Args:
            state: the person's face.
            time_s: time of the face; must not decrease.
            tracked: the face to which the state belongs, for its measures and reliability; None if there are
                none, as with a listener.
            acting: whether nods are exaggerated, so that small nods are visible.
        """
        parameters = self.unfitted(state, time_s, tracked, acting=acting)
        if tracked is not None:  # A listener's face already has the intended range.
            parameters |= self._reach.fit(parameters, time_s)
        lean = parameters.pop("lean")
        # Clipped before any blending: a value beyond the range would seem to stand still at first.
        return {"lean": lean} | {name: _within_range(name, value) for name, value in parameters.items()}

    def unfitted(
        self, state: FaceState, time_s: float, tracked: Face | None = None, *, acting: bool = False
    ) -> dict[str, float]:
        """Parameters before the gains of this person's reach, not yet clipped to their ranges."""
        self._last = state
        face = channels_of(state)
        rest = self._levels.update(face, time_s)
        seen = None if tracked is None else self._watcher.update(tracked, time_s)
        believed = face if tracked is None else face | _believed(state, tracked)
        self._visible.update(tracked, time_s)
        yaw, pitch, roll, shift_cm = self._head.update(head_degrees(state), time_s).tolist()
        lean = min(max(shift_cm * LEAN_DEG_PER_CM, -LEAN_LIMIT_DEG), LEAN_LIMIT_DEG)
        return self._visible.fade(
            {
                "lean": lean,
                "ParamAngleX": HEAD_GAIN[0] * yaw,
                "ParamAngleY": (ACTING_NOD_GAIN if acting else HEAD_GAIN[1]) * pitch,
                "ParamAngleZ": HEAD_GAIN[2] * roll,
                **self._eyelids(face, rest, yaw, time_s, seen),
                **_gaze(face, rest, seen),
                **_brow(face, rest, "Left", None if seen is None else seen.brow_left),
                **_brow(face, rest, "Right", None if seen is None else seen.brow_right),
                **mouth(believed, seen),
            }
        )

    def _eyelids(
        self,
        face: Mapping[str, float],
        rest: Mapping[str, float],
        yaw_deg: float,
        time_s: float,
        seen: Seen | None,
    ) -> dict[str, float]:
        left, right = self._shut(face, rest, time_s)
        if seen is not None:
            return _lids(seen, yaw_deg) | _squint(face)
        # Turned to the image's right (yaw > 0), the person's own left eye is the far one.
        turned = ease((abs(yaw_deg) - TURN_FROM) / (TURN_TO - TURN_FROM))
        near = right if yaw_deg > 0 else left
        both = (left + right) / 2
        both += turned * (near - both)
        wink = (1.0 - turned) * ease((abs(left - right) - WINK_FROM) / (WINK_TO - WINK_FROM))
        return {
            **_eye("L", both + wink * (left - both), face["eyeWideLeft"]),
            **_eye("R", both + wink * (right - both), face["eyeWideRight"]),
            **_squint(face),
        }

    def _shut(
        self, face: Mapping[str, float], rest: Mapping[str, float], time_s: float
    ) -> tuple[float, float]:
        """How far the left and right eye are closed, 0..1, relative to the person's own range."""
        above = {side: face[f"eyeBlink{side}"] - rest[f"eyeBlink{side}"] for side in SIDES}
        # A smile narrows both eyes, so by no more than the more open eye shows.
        smile = (face["mouthSmileLeft"] + face["mouthSmileRight"]) / 2
        narrowed = min(SMILE_BLINK * smile, max(min(above.values()), 0.0))
        shut = []
        for side in SIDES:
            open_level = rest[f"eyeBlink{side}"]
            closed_level = self._closed[side].update(face[f"eyeBlink{side}"] - narrowed, open_level, time_s)
            share = (above[side] - narrowed) / (closed_level - open_level)
            shut.append(min(max((share - 0.15) / 0.65, 0.0), 1.0))
        return shut[0], shut[1]


def _within_range(name: str, value: float) -> float:
    low, high, _ = AVATAR_PARAMETERS[name]
    return min(max(value, low), high)


def channels_of(state: FaceState) -> dict[str, float]:
    """A face's 58 channels by name, and ``gazeX``, -2..2: how far both eyes look to the image's right."""
    face = dict(zip(FACE_CHANNELS, state.values.tolist(), strict=True))
    right = face["eyeLookOutLeft"] + face["eyeLookInRight"]
    return face | {GAZE_X: right - face["eyeLookInLeft"] - face["eyeLookOutRight"]}


def head_degrees(state: FaceState) -> FloatArray:
    """(4,) yaw, pitch, roll in degrees, sideways place in cm."""
    degrees = np.rad2deg(state.head_rad)
    return np.asarray([*degrees, state.translation_cm[0]], np.float32)


def _eye(side: str, shut: float, wide: float) -> dict[str, float]:
    # EyeOpen = 0.5 - 0.8 blink + 0.8 wide, divided by its rest of 0.5; a calibrated blink of 1 shuts the eye.
    opened = RELAXED_OPEN + (1.0 - RELAXED_OPEN) * min(1.6 * max(wide, 0.0), 1.0)
    return {f"ParamEye{side}Open": opened * (1.0 - shut)}


def _believed(state: FaceState, tracked: Face) -> dict[str, float]:
    """Weights by name; unreliable weights are faded out."""
    share = ((tracked.reliability - DOUBTED) / (BELIEVED - DOUBTED)).clip(0, 1)
    return dict(zip(BLENDSHAPES, (state.weights * share).tolist(), strict=True))


def _squint(face: Mapping[str, float]) -> dict[str, float]:
    return {f"ParamEye{side[0]}Smile": 0.9 * ease((face[f"mouthSmile{side}"] - 0.3) / 0.6) for side in SIDES}


def _lids(seen: Seen, yaw_deg: float) -> dict[str, float]:
    """Both lids as they are seen; if the head is turned, the far eye copies the near eye.

    If both close, it is a blink: the wider one closes as far as the other.
    """
    turned = ease((abs(yaw_deg) - TURN_FROM) / (TURN_TO - TURN_FROM))
    near = seen.lid_right if yaw_deg > 0 else seen.lid_left
    blink = ease((BLINK_FROM - max(seen.lid_left, seen.lid_right)) / (BLINK_FROM - BLINK_TO))
    result = {}
    for side, lid in (("L", seen.lid_left), ("R", seen.lid_right)):
        lid += turned * (near - lid)
        lid += blink * (min(seen.lid_left, seen.lid_right, lid) - lid)
        result[f"ParamEye{side}Open"] = RELAXED_OPEN * lid
    return result


def _gaze(face: Mapping[str, float], rest: Mapping[str, float], seen: Seen | None) -> dict[str, float]:
    if seen is not None:
        return {"ParamEyeBallX": seen.gaze_x / DRAWN_GAZE[0], "ParamEyeBallY": seen.gaze_y / DRAWN_GAZE[1]}
    x = face[GAZE_X] - rest[GAZE_X]
    down = sum(face[f"eyeLookDown{s}"] - rest[f"eyeLookDown{s}"] for s in SIDES)
    y = face["eyeLookUpLeft"] + face["eyeLookUpRight"] - down
    return {"ParamEyeBallX": GAZE_GAIN * x / 2, "ParamEyeBallY": GAZE_GAIN * y / 2}


def _brow(
    face: Mapping[str, float], rest: Mapping[str, float], side: str, raised: float | None
) -> dict[str, float]:
    """One brow relative to its rest; ``+`` raises it, lifts its inner end, arches it, draws it inward."""
    outer = _relative(face, rest, f"browOuterUp{side}")
    down = _relative(face, rest, f"browDown{side}")
    inner = _relative(face, rest, "browInnerUp")
    name = f"ParamBrow{side[0]}"
    height = 1.2 * (0.7 * outer + 0.5 * inner - down)
    angle, form = 0.8 * (inner - outer) - 0.8 * down, 0.8 * outer - 0.9 * down
    if raised is not None:
        raised -= DRAWN_BROW_ANGLE * angle + DRAWN_BROW_FORM * form
        height = raised / (DRAWN_BROW_UP if raised > 0 else DRAWN_BROW_DOWN)
    return {
        f"{name}Y": height,
        f"{name}Angle": angle,
        f"{name}Form": form,
        f"{name}X": -0.7 * max(down, 0.0),
    }


def _relative(face: Mapping[str, float], rest: Mapping[str, float], channel: str) -> float:
    """A value relative to its rest, -1..1; above rest, it is divided by the remaining range."""
    above = face[channel] - rest[channel]
    return above / (1.0 - rest[channel]) if above > 0 else above
