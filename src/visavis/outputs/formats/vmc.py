"""VMC protocol 2.8 (OSC over UDP): VSeeFace, Warudo, VNyan, VMagicMirror, Blender, Unity, Unreal and Godot.

Each sample is a few bundles: ``/VMC/Ext/OK`` with the state of tracking, ``/VMC/Ext/T`` with the time,
``/VMC/Ext/Root/Pos``, ``/VMC/Ext/Bone/Pos`` of neck, head and eyes, ``/VMC/Ext/Blend/Val`` for each weight,
and ``/VMC/Ext/Blend/Apply``. ``/VMC/Ext/Set/Eye`` is not sent: it goes the other way, towards a performer.

Bones have rotations only. The lengths of an avatar's bones are not known here, so all positions are 0, and a
receiver must not apply them. While no face is seen, tracking status is 0, and the last face eases to neutral;
after that only ``/VMC/Ext/OK`` and ``/VMC/Ext/T`` are sent, so that the receiver's own idle motion plays.

Address: ``vmc://host:39539?shapes=perfectsync&mirror=1``. ``shapes`` names the sets of weights: ``vrm0``,
the presets of VRM 0, which every receiver must understand and every VRM has (the default); ``perfectsync``,
the 52 of ARKit; ``vrm1``, the presets by their VRM 1 names. A receiver sets every weight that the avatar has,
so an avatar with ARKit's weights would add two sets. ``mirror=1`` exchanges left and right.

Sources: https://protocol.vmc.info/english, https://vrm.dev/en/vrm1/changed.html and, for the names of perfect
sync,
https://docs.unity3d.com/Packages/com.unity.xr.arkit@5.1/api/UnityEngine.XR.ARKit.ARKitBlendShapeLocation.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, radians

from visavis.base import osc, unity
from visavis.base.address import Address
from visavis.channels import BLENDSHAPES, EXPRESSIONS
from visavis.errors import InputError
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.face_stream import FaceStream
from visavis.outputs.sample import Sample
from visavis.types import FaceState

PORT = 39539
CALIBRATED, NORMAL_MODE = 3, 0
BONES = ("Neck", "Head", "LeftEye", "RightEye")
NOWHERE = (0.0, 0.0, 0.0)
# An eye at the end of its range turns so far: what UniVRM's look-at gives by default, and what eyes of drawn
# characters can take. https://github.com/vrm-c/UniVRM
EYE_RANGE_RAD = radians(10)
# An expression comes and goes with this time constant, since its label changes from one frame to the next.
EXPRESSION_S = 0.1
# VRM 0's presets -> VRM 1's. Surprised is none in VRM 0, but VRoid's models have a clip of this name.
PRESETS = {
    "Joy": "happy",
    "Angry": "angry",
    "Sorrow": "sad",
    "Fun": "relaxed",
    "Surprised": "surprised",
    "A": "aa",
    "I": "ih",
    "U": "ou",
    "E": "ee",
    "O": "oh",
    "Blink": "blink",
    "Blink_L": "blinkLeft",
    "Blink_R": "blinkRight",
    "LookUp": "lookUp",
    "LookDown": "lookDown",
    "LookLeft": "lookLeft",
    "LookRight": "lookRight",
}
PRESET_OF_EXPRESSION = {"happy": "Joy", "anger": "Angry", "sad": "Sorrow", "surprise": "Surprised"}
SETS = ("perfectsync", "vrm0", "vrm1")
USUAL_SET = "vrm0"


def perfect_sync_name(blendshape: str) -> str:
    """ARKit's name as VRM's clips for perfect sync spell it: ``BrowDownLeft``."""
    return blendshape[0].upper() + blendshape[1:]


PERFECT_SYNC = tuple(map(perfect_sync_name, BLENDSHAPES))


def connect(address: Address) -> Datagrams:
    """The connection of an address.

    Raises:
        InputError: an option is not known, or its value means nothing.
    """
    address.require("shapes", "mirror")
    shapes = address.options.get("shapes", USUAL_SET).split(",")
    if unknown := [name for name in shapes if name not in SETS]:
        raise InputError(f"{address}: shapes are {', '.join(SETS)}; found {unknown[0]!r}")
    mirror = address.options.get("mirror", "0")
    if mirror not in ("0", "1"):
        raise InputError(f"{address}: mirror is 0 or 1; found {mirror!r}")
    return Datagrams(address.endpoint(PORT), Encoder(shapes, mirror == "1"))


class Encoder:
    """Turns the samples of one stream into bundles.

    Args:
        shapes: the sets of weights, of :data:`SETS`.
        mirror: whether left and right are exchanged.
    """

    def __init__(self, shapes: Sequence[str] = (USUAL_SET,), mirror: bool = False) -> None:
        self._shapes = shapes
        self._faces = FaceStream(mirror)
        self._expressions = dict.fromkeys(EXPRESSIONS, 0.0)
        self._time_s: float | None = None
        self._made: dict[tuple[bool, tuple[str, ...]], osc.FloatBundles] = {}

    def encode(self, sample: Sample) -> list[bytes]:
        """The bundles of a sample, each of at most 1,472 bytes."""
        self._follow_expression(sample)
        state, floats = self._faces.update(sample), [float(sample.time_s)]
        names: tuple[str, ...] = ()
        if state is not None:
            weights = self._weights(state)
            names = tuple(weights)
            floats += NOWHERE
            floats += unity.IDENTITY
            for rotation in bones(state).values():
                floats += NOWHERE
                floats += rotation
            floats += weights.values()
        return self._bundles(sample.state is not None, names).fill(floats)

    def _bundles(self, seen: bool, weights: tuple[str, ...]) -> osc.FloatBundles:
        """The bundles with the names of these weights, made once; without weights they say only the time."""
        made = self._made.get((seen, weights))
        if made is None:
            messages: list[tuple[float | str, ...]] = [
                ("/VMC/Ext/OK", 1, CALIBRATED, NORMAL_MODE, int(seen)),
                ("/VMC/Ext/T", 0.0),
            ]
            if weights:
                messages.append(("/VMC/Ext/Root/Pos", "root", *NOWHERE, *unity.IDENTITY))
                messages += (("/VMC/Ext/Bone/Pos", bone, *NOWHERE, *unity.IDENTITY) for bone in BONES)
                messages += (("/VMC/Ext/Blend/Val", name, 0.0) for name in weights)
                messages.append(("/VMC/Ext/Blend/Apply",))
            made = self._made[seen, weights] = osc.FloatBundles(messages)
        return made

    def _follow_expression(self, sample: Sample) -> None:
        """Let the held expression come as far as it is probable, and all others go."""
        passed_s = 0.0 if self._time_s is None else max(sample.time_s - self._time_s, 0.0)
        self._time_s = sample.time_s
        share = 1 - exp(-passed_s / EXPRESSION_S)
        shown = (
            sample.expression.probabilities.tolist()
            if sample.expression is not None
            else [0.0] * len(EXPRESSIONS)
        )
        for name, probability in zip(EXPRESSIONS, shown, strict=True):
            goal = probability if name == sample.label else 0.0
            self._expressions[name] += share * (goal - self._expressions[name])

    def _weights(self, state: FaceState) -> dict[str, float]:
        weights = dict(zip(BLENDSHAPES, state.weights.tolist(), strict=True))
        chosen: dict[str, float] = {}
        if "perfectsync" in self._shapes:
            chosen |= dict(zip(PERFECT_SYNC, weights.values(), strict=True))
        values = dict.fromkeys(PRESETS, 0.0) | presets(weights)
        values |= {preset: self._expressions[name] for name, preset in PRESET_OF_EXPRESSION.items()}
        if "vrm0" in self._shapes:
            chosen |= values
        if "vrm1" in self._shapes:
            chosen |= {PRESETS[name]: value for name, value in values.items()}
        return chosen


def bones(state: FaceState) -> dict[str, unity.Quaternion]:
    """The rotations of neck, head and eyes in their parents' frames; neck and head turn by half each."""
    shared = unity.half(unity.quaternion(*state.head_rad.tolist()))
    rotations = dict.fromkeys(BONES, shared)
    for side in ("Left", "Right"):
        # An eye looks in, to the nose, when the left one turns to the person's own right.
        outward = state[f"eyeLookOut{side}"] - state[f"eyeLookIn{side}"]
        upward = state[f"eyeLookUp{side}"] - state[f"eyeLookDown{side}"]
        yaw = outward if side == "Left" else -outward
        rotations[f"{side}Eye"] = unity.quaternion(EYE_RANGE_RAD * yaw, EYE_RANGE_RAD * upward, 0.0)
    return rotations


def presets(weights: Mapping[str, float]) -> dict[str, float]:
    """VRM 0's presets for vowels, eyelids and gaze from ARKit's weights.

    The vowels share one mouth: their sum is at most 1. Blink stays 0, since an avatar adds Blink and Blink_L.
    """

    def mean(*names: str) -> float:
        return sum(weights[name] for name in names) / len(names)

    jaw = min(max(weights["jawOpen"] - weights["mouthClose"], 0.0), 1.0)
    rounded = max(weights["mouthPucker"], weights["mouthFunnel"])
    smile = mean("mouthSmileLeft", "mouthSmileRight")
    wide = (1 - rounded) * max(smile, mean("mouthStretchLeft", "mouthStretchRight"))
    lips = mean("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")
    return {
        "A": jaw * (1 - rounded - wide),
        "E": jaw * wide,
        "O": jaw * rounded,
        "U": (1 - jaw) * rounded,
        "I": (1 - jaw) * wide * lips,
        "Blink_L": weights["eyeBlinkLeft"],
        "Blink_R": weights["eyeBlinkRight"],
        "LookUp": mean("eyeLookUpLeft", "eyeLookUpRight"),
        "LookDown": mean("eyeLookDownLeft", "eyeLookDownRight"),
        "LookLeft": mean("eyeLookOutLeft", "eyeLookInRight"),
        "LookRight": mean("eyeLookInLeft", "eyeLookOutRight"),
    }
