"""OpenSeeFace's packets: VTube Studio and VSeeFace on Linux, Inochi Session, vpuppr.

The address is ``osf://host:11573``. While no face is seen, nothing is sent, as OpenSeeFace does.

Source: ``facetracker.py`` and ``tracker.py``, which write the packet, and ``Unity/OpenSee.cs``, which reads
it (https://github.com/emilianavt/OpenSeeFace). A packet has 1,785 bytes, little-endian: f64 time; i32 face
id; f32 width, height; f32 openness of the right and the left eye; u8 whether the pose is known; f32 error;
f32 quaternion x, y, z, w; f32 three Euler angles in degrees; f32 translation; 68 f32 confidences; 68 points
x, y in pixels; 70 points x, -y, -z on the head; 14 f32 features.

OpenSeeFace's camera exchanges the axes of the picture: x points down and y to the right. Its solver puts the
face behind the camera, at a negative z, where the picture is the same; so x and y of the translation point up
and to the left. The head has x to the person's right, y up, z out of the face, and begins at the tip of the
nose. A face that looks into the camera has the Euler angles 180, 0, 90. The quaternion is that of the inverse
rotation.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from math import asin, atan2, cos, degrees, hypot, sin, tan

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.base.address import Address
from visavis.channels import BLENDSHAPES
from visavis.face.geometry import VERTICAL_FIELD_OF_VIEW_RAD, rotation_from_euler
from visavis.live_link import VALUES, values_of
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.plain_face import points_of, seen_points
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Connection
from visavis.types import FaceState

Doubles = NDArray[np.float64]
DEFAULT_PORT = 11573
HEADER = struct.Struct("<di2f2fBf")  # 422 floats follow.
FEATURES = (
    *("eyeLeft", "eyeRight"),
    *("browSteepnessLeft", "browUpDownLeft", "browQuirkLeft"),
    *("browSteepnessRight", "browUpDownRight", "browQuirkRight"),
    *("mouthCornerUpDownLeft", "mouthCornerInOutLeft", "mouthCornerUpDownRight", "mouthCornerInOutRight"),
    *("mouthOpen", "mouthWide"),
)
# Size of the picture that is told for a face that comes without one.
NO_PICTURE_PX = (640, 480)
# Distance of a face whose position is not known, such as a phone's.
USUAL_DEPTH_CM = 50.0
# MediaPipe's head: its outer eye corners are this far apart, and their middle is here from the head's origin.
EYES_APART_CM = 8.89
EYES_CM = np.asarray((0.0, 2.66, 3.17))
# OpenSeeFace's unit in distances between the outer eye corners: across, upward and forward.
UNIT = np.asarray((0.63, 0.7, 0.63))
# The tip of the plain face's nose at rest, where OpenSeeFace's head begins.
NOSE_TIP = np.asarray((0.0, -0.34, 0.5))
NOSE_CM = EYES_CM + EYES_APART_CM * NOSE_TIP
# Radius of an eyeball in distances between the corners of the eye.
EYEBALL = 0.385
# Yaw and pitch of the right, then of the left eye among Live Link's numbers.
_EYE_ANGLES = [
    [VALUES.index(f"{side}Eye{angle}") for angle in ("Yaw", "Pitch")] for side in ("Right", "Left")
]
# OpenSeeFace's head to ours, and from our camera to OpenSeeFace's for rotations and for positions.
HEAD_AXES = np.diag((-1.0, 1.0, 1.0))
HEAD_UNIT = UNIT * HEAD_AXES.diagonal()
SENT_AXES = np.asarray((1.0, -1.0, -1.0))
TURNED_AXES = np.asarray(((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)))
PLACED_AXES = np.asarray(((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
SHRUNK_AXES = PLACED_AXES * (UNIT[0] / EYES_APART_CM)


class Features:
    """The 14 features, as OpenSeeFace gives them: 0 for the person's usual face, -1 and 1 at the extremes.

    The usual face is the median of one sample every half second over the last five minutes; it begins at 0.
    """

    EVERY_S, KEPT, FIRST = 0.5, 600, 10
    # A movement of this share of the possible one is taken for the extreme until the person moves further.
    REACH = 0.6

    def __init__(self) -> None:
        nothing = np.zeros(len(FEATURES))
        self._past: deque[Doubles] = deque([nothing] * self.FIRST, self.KEPT)
        self._usual, self._low, self._high = nothing, nothing, nothing
        self._least = self._most = nothing
        self._next_s = -np.inf

    def update(self, state: FaceState, time_s: float) -> Doubles:
        """The features (14,) in the order of :data:`FEATURES`, each in -1..1."""
        raw = raw_features(state)
        if time_s >= self._next_s:
            self._next_s = time_s + self.EVERY_S
            self._past.append(raw)
            self._usual = np.median(np.asarray(self._past), axis=0)
            self._least, self._most = -self.REACH * (1 + self._usual), self.REACH * (1 - self._usual)
        away = raw - self._usual
        self._low = np.minimum(self._low, away)
        self._high = np.maximum(self._high, away)
        low, high = np.minimum(self._low, self._least), np.maximum(self._high, self._most)
        reach = np.where(away < 0, -low, high)
        # No feature moves away further than its reach.
        return np.asarray(np.divide(away, reach, out=np.zeros_like(away), where=reach > 0))


def raw_features(state: FaceState) -> Doubles:
    """The features (14,) before they are compared with the person's usual face, each in -1..1."""
    return np.asarray((state.weights @ _sums()).clip(-1, 1))


@lru_cache(maxsize=1)
def _sums() -> Doubles:
    """How much of each weight each feature holds: (52, 14)."""
    weight = dict(zip(BLENDSHAPES, np.eye(len(BLENDSHAPES)), strict=True))
    features: dict[str, Doubles] = {}
    inner = weight["browInnerUp"]
    outs = []
    for side, other in (("Left", "Right"), ("Right", "Left")):
        outer, down = weight[f"browOuterUp{side}"], weight[f"browDown{side}"]
        outs.append(weight[f"mouthSmile{side}"] + weight[f"mouthStretch{side}"] - weight["mouthPucker"])
        features[f"eye{side}"] = weight[f"eyeWide{side}"] - weight[f"eyeBlink{side}"]
        # Steep is an inner end that is higher than the outer end.
        features[f"browSteepness{side}"] = inner - outer - down
        features[f"browUpDown{side}"] = (inner + outer) / 2 - down
        features[f"browQuirk{side}"] = outer - down
        # A corner of the mouth that goes up has a negative value.
        features[f"mouthCornerUpDown{side}"] = weight[f"mouthFrown{side}"] - weight[f"mouthSmile{side}"]
        features[f"mouthCornerInOut{side}"] = outs[-1] + weight[f"mouth{side}"] - weight[f"mouth{other}"]
    features["mouthOpen"] = weight["jawOpen"] - weight["mouthClose"]
    features["mouthWide"] = sum(outs, start=np.zeros(len(BLENDSHAPES))) / 2
    return np.stack([features[name] for name in FEATURES], axis=1)


class OsfEncoder:
    """Makes one packet of each sample with a face.

    Args:
        start_s: added to the times of samples; OpenSeeFace counts seconds from 1970, and receivers leave out
            packets that are older than the last one.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._start_s = start_s
        self._features = Features()
        self._track_id: int | None = None

    def encode(self, sample: Sample) -> Sequence[bytes]:
        """The datagrams of one sample."""
        state, face = sample.state, sample.face
        if state is None:
            return []
        if face is not None and face.track_id != self._track_id:
            self._features, self._track_id = Features(), face.track_id
        width, height = sample.size_px if min(sample.size_px) > 0 else NO_PICTURE_PX
        features = self._features.update(state, sample.time_s)
        left, right = (1 + min(openness, 0.0) for openness in features[:2].tolist())
        head = _Head(state, width, height)
        points = None if face is None else seen_points(face)
        if points is None:
            points = head.in_picture
        numbers = np.concatenate(
            [
                *(head.quaternion, head.euler_deg, head.translation),
                [1.0 if face is None else face.score] * len(points),
                points.ravel(),
                (head.points * SENT_AXES).ravel(),
                features,
            ],
            dtype="<f4",
            casting="same_kind",
        )
        start = HEADER.pack(self._start_s + sample.time_s, 0, width, height, right, left, 1, 0.0)
        return [start + numbers.tobytes()]


class _Head:
    """The plain face in OpenSeeFace's coordinates.

    Attributes:
        rotation: (3, 3) from the head to the camera.
        translation: (3,) of the tip of the nose.
        points: (70, 3) on the head: the face, both pupils and both middles of the eyes, right before left.
    """

    def __init__(self, state: FaceState, width: int, height: int) -> None:
        turn = rotation_from_euler(*map(float, state.head_rad))
        position_cm = state.translation_cm.astype(np.float64)
        if position_cm[2] > -1:
            position_cm[2] = -USUAL_DEPTH_CM
        self._position_cm, self._turn, self._size = position_cm, turn, (width, height)
        self._plain = np.concatenate([points_of(state.weights), _pupils(state), _eyeballs()[0]])
        self._focal_px = height / 2 / tan(VERTICAL_FIELD_OF_VIEW_RAD / 2)
        self.rotation = TURNED_AXES @ turn @ HEAD_AXES
        self.translation = SHRUNK_AXES @ (position_cm + turn @ NOSE_CM)
        self.translation[2] *= width / self._focal_px  # OpenSeeFace's focal length is the picture's width.
        self.points = (self._plain - NOSE_TIP) * HEAD_UNIT

    def _placed(self, points: Doubles) -> Doubles:
        """Where points of the plain face are, in our camera's centimetres."""
        return np.asarray(self._position_cm + (EYES_CM + EYES_APART_CM * points) @ self._turn.T, np.float64)

    @property
    def in_picture(self) -> Doubles:
        """(68, 2) where the face and the pupils are in the picture, in pixels."""
        across, up, back = self._placed(self._plain[:68]).T
        scale = self._focal_px / np.maximum(-back, 1)
        width, height = self._size
        return np.column_stack([width / 2 + scale * across, height / 2 - scale * up])

    @property
    def euler_deg(self) -> tuple[float, float, float]:
        """The angles of R = Rz Ry Rx, as OpenCV's ``RQDecomp3x3`` gives them, but without its jumps."""
        (r00, _, _), (r10, _, _), (r20, r21, r22) = self.rotation.tolist()
        return degrees(atan2(r21, r22)), degrees(-asin(max(-1.0, min(r20, 1.0)))), degrees(atan2(r10, r00))

    @property
    def quaternion(self) -> Doubles:
        """(4,) x, y, z, w of the inverse rotation; of its two signs the one with y > 0."""
        turned = cv2.Rodrigues(self.rotation.T)[0].ravel()
        half = hypot(*turned.tolist()) / 2
        quaternion = np.append(turned * (sin(half) / (2 * half) if half else 0.5), cos(half))
        return -quaternion if quaternion[1] < 0 else quaternion


@lru_cache(maxsize=1)
def _eyeballs() -> tuple[Doubles, Doubles]:
    """Their middles (2, 3) and their radii (2, 1), the person's right one first; no expression moves them."""
    face = points_of(np.zeros(len(BLENDSHAPES), np.float32))
    start, end = face[[36, 42]], face[[39, 45]]
    radius = EYEBALL * np.linalg.norm(end - start, axis=1)[:, None]
    return (start + end) / 2 - radius * (0, 0, 1), radius


def _pupils(state: FaceState) -> Doubles:
    """(2, 3) the pupils, the person's right one first."""
    middles, radius = _eyeballs()
    ways = [
        (-sin(yaw) * cos(pitch), -sin(pitch), cos(yaw) * cos(pitch))
        for yaw, pitch in values_of(state.values)[_EYE_ANGLES].tolist()
    ]
    return np.asarray(middles + radius * ways, np.float64)


def connect(address: Address) -> Connection:
    """The receiver at this address.

    Raises:
        InputError: the address has options or a name.
    """
    address.require()
    return Datagrams(address.endpoint(DEFAULT_PORT), OsfEncoder(time.time()))
