"""VMC protocol (OSC over UDP): the face of a performer such as VSeeFace, XR Animator or iFacialMocap.

Weights of perfect sync (ARKit's 52, in any spelling) are taken as they are. If none of them is above 0, the
presets of VRM 0 and 1 for vowels, eyelids, gaze and expressions are turned into such weights. The head's
rotation is that of the chain from the hips to the head. A face is complete with ``/VMC/Ext/Blend/Apply``; it
is lost when ``/VMC/Ext/OK`` says that nothing is tracked. Numbers may be floats or whole numbers, as node-osc
and osc-js send them. Everything else that performers send is ignored.

Address: ``vmc://0.0.0.0:39539`` listens for any computer, ``vmc://192.168.1.7`` for that one only.
Source: https://protocol.vmc.info/english
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import isfinite

from visavis.base import osc, unity
from visavis.base.address import Address
from visavis.base.clock import Clock
from visavis.capture.datagram_source import DatagramSource
from visavis.capture.tracked import state_of
from visavis.channels import BLENDSHAPES
from visavis.types import FaceState

PORT = 39539
# Many performers send each weight and each bone as a datagram of its own: over 100 for one face.
MOST_DECODED = 512
CHAIN = ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head")

# What each preset does to a face, chosen by eye: preset in small letters -> weights at its full strength.
# "*" stands for Left and for Right.
PRESETS = {
    "a": {"jawOpen": 0.7},
    "i": {"mouthStretch*": 0.6, "mouthLowerDown*": 0.4},
    "u": {"jawOpen": 0.1, "mouthPucker": 0.8},
    "e": {"jawOpen": 0.35, "mouthStretch*": 0.5},
    "o": {"jawOpen": 0.5, "mouthFunnel": 0.7},
    "blink": {"eyeBlink*": 1.0},
    "blink_l": {"eyeBlinkLeft": 1.0},
    "blink_r": {"eyeBlinkRight": 1.0},
    "lookup": {"eyeLookUp*": 1.0},
    "lookdown": {"eyeLookDown*": 1.0},
    "lookleft": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "lookright": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "joy": {"mouthSmile*": 0.8, "cheekSquint*": 0.5},
    "fun": {"mouthSmile*": 0.5},
    "angry": {"browDown*": 0.8, "mouthFrown*": 0.3},
    "sorrow": {"browInnerUp": 0.8, "mouthFrown*": 0.6},
    "surprised": {"browInnerUp": 0.7, "browOuterUp*": 0.7, "eyeWide*": 0.6, "jawOpen": 0.2},
}
VRM1 = (
    "happy joy sad sorrow relaxed fun aa a ih i ou u ee e oh o blinkleft blink_l blinkright blink_r".split()
)
OLD_NAMES = dict(zip(VRM1[::2], VRM1[1::2], strict=True))
# Names in small letters -> names of weights; ARKit's own spelling of its sides is eyeBlink_L.
KNOWN = {
    **{name.lower(): name for name in BLENDSHAPES},
    **{name.replace("Left", "_L").replace("Right", "_R").lower(): name for name in BLENDSHAPES},
    **{name: name for name in PRESETS},
}


def open(address: Address, clock: Clock | None) -> DatagramSource:
    """Listen for a performer.

    Raises:
        InputError: the address says more than where to listen.
        DeviceError: the port is taken.
    """
    address.require()
    return DatagramSource(
        address,
        address.port or PORT,
        Decoder,
        clock=clock,
        usual="VSeeFace or another program that receives VMC",
        most_decoded=MOST_DECODED,
    )


class Decoder:
    """Reads the datagrams of one performer, in their order."""

    def __init__(self) -> None:
        # What /VMC/Ext/Blend/Val has said, and what of it /VMC/Ext/Blend/Apply has put into force.
        self._said: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._bones: dict[str, unity.Quaternion] = {}
        self._has_weights = False
        self._tracked = True

    def decode(self, datagram: bytes) -> tuple[FaceState | None, ...]:
        """The face if this datagram completes one; None while nothing is tracked; else ().

        Raises:
            InputError: the datagram is no OSC, or is damaged; it changes nothing.
        """
        complete = False
        for message in osc.decode(datagram):
            match message.address, message.arguments:
                case "/VMC/Ext/Blend/Val", (str(name), value, *_):
                    self._say(name.lower(), value)
                case "/VMC/Ext/Blend/Apply", _:
                    self._weights = dict(self._said)
                    self._has_weights = complete = True
                case "/VMC/Ext/Bone/Pos", (str(bone), _, _, _, *rotation) if bone in CHAIN:
                    self._turn(bone, rotation[:4])
                    # A performer without a face sends no weights: then the head alone completes a face.
                    complete |= bone == "Head" and not self._has_weights
                case "/VMC/Ext/OK", (loaded, *more):
                    # The fourth number, which few performers send, is the state of tracking.
                    self._tracked = bool(loaded) and (len(more) < 3 or bool(more[2]))
        if not self._tracked:
            return (None,)
        return (self._state(),) if complete else ()

    def _say(self, name: str, value: osc.Argument) -> None:
        name = OLD_NAMES.get(name, name)
        if name in KNOWN and (weight := _numbers([value])):
            self._said[KNOWN[name]] = min(max(weight[0], 0.0), 1.0)

    def _turn(self, bone: str, rotation: Sequence[osc.Argument]) -> None:
        if len(numbers := _numbers(rotation)) == len(unity.IDENTITY):
            self._bones[bone] = unity.normalized(numbers)

    def _state(self) -> FaceState:
        weights = {name: weight for name, weight in self._weights.items() if name not in PRESETS}
        if not any(weights.values()):
            for preset in PRESETS.keys() & self._weights.keys():
                for name, share in PRESETS[preset].items():
                    for each in {name.replace("*", side) for side in ("Left", "Right")}:
                        weights[each] = weights.get(each, 0.0) + share * self._weights[preset]
        head = reduce(unity.product, (self._bones.get(bone, unity.IDENTITY) for bone in CHAIN))
        return state_of(weights, unity.head_angles(head))


def _numbers(arguments: Sequence[osc.Argument]) -> list[float]:
    """The arguments as numbers; none if one of them is no finite number."""
    numbers = [float(each) for each in arguments if isinstance(each, float | int) and isfinite(each)]
    return numbers if len(numbers) == len(arguments) else []
