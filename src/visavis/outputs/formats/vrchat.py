"""VRChat avatar parameters (OSC over UDP), under VRCFaceTracking's names: any avatar made for face tracking.

Each sample sends ``/avatar/parameters/v2/NAME`` as a float for each parameter that ARKit's 52 weights
determine, the head's rotation, and VRChat's own ``/tracking/eye/LeftRightPitchYaw`` and
``/tracking/eye/EyesClosedAmount``, which move the eyes of avatars without face tracking. VRChat ignores
parameters that an avatar does not have. Avatars whose parameters are booleans (``JawOpen1``, ``JawOpen2``,
``JawOpenNegative``) are not reached.

``EyeTrackingActive``, ``ExpressionTrackingActive`` and ``LipTrackingActive`` are booleans that say whether a
face is seen. They are sent only when this changes, as VRCFaceTracking does: many avatars have them in their
menu, and a person must be able to switch them. When the face is lost, it eases to neutral, and then nothing
more is sent; VRChat's own eyes go back to their idle motion after 10 s.

Address: ``vrchat://host:9000/FT?mirror=1``. The name, if any, is what the avatar's parameters begin with:
``FT/v2/JawOpen``. ``mirror=1`` exchanges left and right.

Sources: https://docs.vrcft.io/docs/tutorial-avatars/tutorial-avatars-extras/compatibility/arkit (ARKit's
weights in unified expressions),
https://docs.vrcft.io/docs/tutorial-avatars/tutorial-avatars-extras/parameters (names),
https://docs.vrchat.com/docs/osc-eye-tracking and https://docs.vrchat.com/docs/osc-avatar-parameters
"""

from __future__ import annotations

import re

import numpy as np

from visavis.base import osc
from visavis.base.address import Address
from visavis.channels import FACE_CHANNELS, TRANSLATIONS
from visavis.errors import InputError
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.face_stream import FaceStream
from visavis.outputs.sample import Sample
from visavis.types import FaceState, FloatArray

PORT = 9000
AVATAR = "/avatar/parameters"
# A gaze of 1 is an eye that is turned by so much; VRChat counts pitch downward.
EYE_RANGE_DEG = 45.0
# Weights and the head's angles in radians.
CHANNELS = FACE_CHANNELS[: -len(TRANSLATIONS)]
ACTIVE = ("EyeTrackingActive", "ExpressionTrackingActive", "LipTrackingActive")

# Weights that are the larger one of two, besides ARKit's.
LARGER = {
    "sadLeft": ("mouthFrownLeft", "mouthStretchLeft"),
    "sadRight": ("mouthFrownRight", "mouthStretchRight"),
    "squint": ("eyeSquintLeft", "eyeSquintRight"),
    "wide": ("eyeWideLeft", "eyeWideRight"),
}
# How each parameter is made. "*" stands for Left and for Right; "&" also for nothing, with the mean of both.
# A gaze to the person's own right, and up, is positive.
TABLE = """
EyeLeftX            eyeLookInLeft - eyeLookOutLeft
EyeLeftY            eyeLookUpLeft - eyeLookDownLeft
EyeRightX           eyeLookOutRight - eyeLookInRight
EyeRightY           eyeLookUpRight - eyeLookDownRight
EyeX                0.5 eyeLookInLeft - 0.5 eyeLookOutLeft + 0.5 eyeLookOutRight - 0.5 eyeLookInRight
EyeY                0.5 eyeLookUpLeft - 0.5 eyeLookDownLeft + 0.5 eyeLookUpRight - 0.5 eyeLookDownRight
EyeOpen&            1 - eyeBlink*
EyeClosed&          eyeBlink*
EyeLid&             0.75 - 0.75 eyeBlink* + 0.25 eyeWide*
EyeWide*            eyeWide*
EyeWide             wide
EyeSquint*          eyeSquint*
EyeSquint           squint
BrowPinch*          browDown*
BrowLowerer*        browDown*
BrowDown&           browDown*
BrowInnerUp&        browInnerUp
BrowOuterUp&        browOuterUp*
BrowUp&             0.6 browOuterUp* + 0.4 browInnerUp
BrowExpression&     0.5 browInnerUp + 0.5 browOuterUp* - browDown*
NoseSneer&          noseSneer*
CheekSquint&        cheekSquint*
CheekPuff*          cheekPuff
CheekPuffSuck&      cheekPuff
JawOpen             jawOpen
JawForward          jawForward
Jaw*                jaw*
JawX                jawRight - jawLeft
JawZ                jawForward
LipSuckUpper&       mouthRollUpper
LipSuckLower&       mouthRollLower
LipSuck             0.5 mouthRollUpper + 0.5 mouthRollLower
LipFunnelUpper&     mouthFunnel
LipFunnelLower&     mouthFunnel
LipFunnel           mouthFunnel
LipPuckerUpper&     mouthPucker
LipPuckerLower&     mouthPucker
LipPucker&          mouthPucker
MouthClosed         mouthClose
MouthUpper*         mouth*
MouthLower*         mouth*
MouthX              mouthRight - mouthLeft
MouthUpperX         mouthRight - mouthLeft
MouthLowerX         mouthRight - mouthLeft
MouthOpen           0.25 mouthUpperUpLeft + 0.25 mouthUpperUpRight + 0.25 mouthLowerDownLeft \
 + 0.25 mouthLowerDownRight
MouthUpperUp&       mouthUpperUp*
MouthUpperDeepen*   mouthUpperUp*
MouthLowerDown&     mouthLowerDown*
MouthCornerPull*    mouthSmile*
MouthCornerSlant*   mouthSmile*
MouthSmile*         mouthSmile*
MouthDimple&        mouthDimple*
MouthFrown*         mouthFrown*
MouthStretch&       mouthStretch*
MouthRaiserUpper    mouthShrugUpper
MouthRaiserLower    mouthShrugLower
MouthPress&         mouthPress*
MouthSad*           sad*
SmileFrown&         mouthSmile* - mouthFrown*
SmileSad&           mouthSmile* - sad*
TongueOut           tongueOut
Head/Yaw            - yaw
Head/Pitch          pitch
Head/Roll           roll
"""
TERM = re.compile(r"([+-]?) *([\d.]*) *([a-zA-Z]*\*?)(?= |$)")


def _sums() -> tuple[tuple[str, ...], FloatArray]:
    """The names of all parameters, and how much of each channel they hold: (P, 55 + larger ones + 1)."""
    index = {name: column for column, name in enumerate((*CHANNELS, *LARGER, ""))}
    rows: dict[str, FloatArray] = {}
    for line in filter(None, TABLE.split("\n")):
        name, total = line.split(maxsplit=1)
        sides = ("Left", "Right") if name[-1] in "*&" else ("",)
        for side in sides:
            row = np.zeros(len(index), np.float32)
            for sign, factor, weight in TERM.findall(total):
                if factor or weight:
                    row[index[weight.replace("*", side)]] += float(f"{sign}{factor or 1}")
            rows[name.rstrip("*&") + side] = row
        if name[-1] == "&":
            rows[name[:-1]] = np.float32(0.5) * (rows[f"{name[:-1]}Left"] + rows[f"{name[:-1]}Right"])
    return tuple(rows), np.stack(list(rows.values()))


# The names of all parameters, without the folder ``v2``.
PARAMETERS, SUMS = _sums()
EYES = (("/tracking/eye/LeftRightPitchYaw", 0.0, 0.0, 0.0, 0.0), ("/tracking/eye/EyesClosedAmount", 0.0))
# The parameters that are sent again as :data:`EYES`, and what they are multiplied by.
SENT_AGAIN = {
    "EyeLeftY": -EYE_RANGE_DEG,
    "EyeLeftX": EYE_RANGE_DEG,
    "EyeRightY": -EYE_RANGE_DEG,
    "EyeRightX": EYE_RANGE_DEG,
    "EyeClosed": 1.0,
}
_SENT = np.concatenate([SUMS, SUMS[[PARAMETERS.index(name) for name in SENT_AGAIN]]])
_FACTORS = np.asarray([*[1.0] * len(PARAMETERS), *SENT_AGAIN.values()], np.float32)


def connect(address: Address) -> Datagrams:
    """The connection of an address.

    Raises:
        InputError: an option is not known, or its value means nothing.
    """
    address.require("mirror", name=True)
    mirror = address.options.get("mirror", "0")
    if mirror not in ("0", "1"):
        raise InputError(f"{address}: mirror is 0 or 1; found {mirror!r}")
    return Datagrams(address.endpoint(PORT), Encoder(address.name, mirror == "1"))


class Encoder:
    """Turns the samples of one stream into bundles.

    Args:
        prefix: what the avatar's parameters begin with, without a slash at its end; empty for most avatars.
        mirror: whether left and right are exchanged.
    """

    def __init__(self, prefix: str = "", mirror: bool = False) -> None:
        folder = f"{AVATAR}/{prefix.strip('/')}".rstrip("/")
        messages = [(f"{folder}/v2/{name}", 0.0) for name in PARAMETERS]
        self._bundles = osc.FloatBundles([*messages, *EYES])
        self._faces = FaceStream(mirror)
        self._seen: bool | None = None

    def encode(self, sample: Sample) -> list[bytes]:
        """The bundles of a sample, each of at most 1,472 bytes."""
        seen = sample.state is not None
        active = [osc.encode(f"{AVATAR}/{name}", seen) for name in ACTIVE if seen is not self._seen]
        self._seen = seen
        state = self._faces.update(sample)
        if state is None:
            return list(osc.bundles(active))
        return [*osc.bundles(active), *self._bundles.fill(_clipped(_SENT, state) * _FACTORS)]


def parameters(state: FaceState) -> FloatArray:
    """The values (P,) of :data:`PARAMETERS`, -1..1.

    The head's angles are in radians, as VRCFaceTracking's Live Link module gives them: yaw to the person's
    own right, pitch up, roll to the person's own left shoulder are positive. VRCFaceTracking does not
    document them.
    """
    return _clipped(SUMS, state)


def _clipped(sums: FloatArray, state: FaceState) -> FloatArray:
    larger = [max(state[first], state[second]) for first, second in LARGER.values()]
    channels = np.asarray([*state.values.tolist()[: len(CHANNELS)], *larger, 1.0], np.float32)
    values: FloatArray = sums @ channels
    return np.minimum(np.maximum(values, -1, out=values), 1, out=values)
