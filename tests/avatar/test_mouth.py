"""The mapping of the mouth: the drawn mouth moves like the seen one, in shares of its width."""

from __future__ import annotations

import numpy as np
import pytest

from support.acting import face
from visavis.avatar.mouth import CORNER_GAIN, FORM_RAISES, OPEN_GAIN, OPEN_SINKS, WEIGHTS_GAIN, mouth
from visavis.avatar.puppet import Puppet
from visavis.avatar.rig import pose_rig
from visavis.avatar.seen import Seen
from visavis.channels import FACE_CHANNELS
from visavis.types import AvatarPose

RIG = Puppet.load().rig
GAINS = {
    "opening": OPEN_GAIN,
    "corner_left": CORNER_GAIN,
    "corner_right": CORNER_GAIN,
    "width": 1,
    "aside": 1,
}
REST = Seen(0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0)


def drawn(parameters: dict[str, float]) -> dict[str, float]:
    """Opening, width, corners and place of the drawn mouth, over its width at rest."""
    pose = AvatarPose.from_mapping(parameters, 0.0)
    layer = next(layer for layer in RIG.layers if layer.name == "mouth")
    points = pose_rig(RIG, pose.values.astype(np.float64), np.zeros(len(RIG.springs))).points
    knots = points[layer.start : layer.outline_stop : 3]
    right, top, left, bottom = knots[0], knots[2], knots[4], knots[6]
    return {
        "opening": bottom[1] - top[1],
        "width": left[0] - right[0],
        "corner_left": -left[1],
        "corner_right": -right[1],
        "aside": (left[0] + right[0]) / 2,
    }


def moved(seen: Seen, **weights: float) -> dict[str, float]:
    """How far the drawn mouth moves for what is seen, and for weights that agree with it."""
    for side, corner in (("Left", seen.corner_left), ("Right", seen.corner_right)):
        agrees = (CORNER_GAIN * corner + OPEN_SINKS * seen.opening) / FORM_RAISES / WEIGHTS_GAIN
        weights |= {f"mouthSmile{side}": max(agrees, 0), f"mouthFrown{side}": max(-agrees, 0)}
    channels = dict(zip(FACE_CHANNELS, face(**weights).values.tolist(), strict=True))
    rest, now = drawn({}), drawn(mouth(channels, seen))
    return {name: (now[name] - rest[name]) / rest["width"] for name in rest}


@pytest.mark.parametrize(
    "seen",
    [
        REST._replace(opening=0.3),
        REST._replace(opening=0.6),
        REST._replace(width=0.15),
        REST._replace(width=-0.25),
        REST._replace(corner_left=0.12, corner_right=0.12, width=0.1),
        REST._replace(corner_left=-0.1, corner_right=-0.1),
        REST._replace(corner_left=0.15),
        REST._replace(aside=-0.15),
        REST._replace(opening=0.4, corner_left=0.05, corner_right=0.05, width=0.15),
    ],
)
def test_the_drawn_mouth_does_what_is_seen(seen: Seen) -> None:
    for name, value in moved(seen).items():
        assert value == pytest.approx(GAINS[name] * getattr(seen, name), abs=0.06), name


def test_bared_teeth_and_a_funnel_take_no_more_than_the_opening() -> None:
    bared = dict.fromkeys(
        (f"mouth{lip}{side}" for lip in ("UpperUp", "LowerDown") for side in ("Left", "Right")), 0.9
    )
    for opening in (0.0, 0.15, 0.5):
        wanted = pytest.approx(OPEN_GAIN * opening, abs=0.06)
        assert moved(REST._replace(opening=opening), **bared)["opening"] == wanted
        assert moved(REST._replace(opening=opening), mouthFunnel=0.9)["opening"] == wanted


def test_closed_lips_show_no_teeth() -> None:
    channels = dict(
        zip(FACE_CHANNELS, face(mouthUpperUpLeft=0.8, mouthUpperUpRight=0.8).values.tolist(), strict=True)
    )
    assert mouth(channels, REST)["ParamMouthPressLipOpen"] <= 0
    assert mouth(channels, None)["ParamMouthPressLipOpen"] > 0.7
