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
from math import asin, atan2, cos, degrees, sin, sqrt, tan
from operator import mul

import numpy as np
from numpy.typing import NDArray

from visavis.base import unity
from visavis.base.address import Address
from visavis.channels import BLENDSHAPES, FACE_CHANNELS
from visavis.face.geometry import VERTICAL_FIELD_OF_VIEW_RAD
from visavis.live_link import VALUES, values_of
from visavis.outputs.datagrams import Datagrams
from visavis.outputs.plain_face import points_of, rest_and_moves, seen_points
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Connection
from visavis.types import FaceState, FloatArray

Doubles = NDArray[np.float64]
DEFAULT_PORT = 11573
HEADER = struct.Struct("<di2f2fBf4f3f3f68f")
LAST = struct.Struct("<12f14f")
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
# The head of OpenSeeFace has x to the person's right; a packet holds x, -y, -z.
HEAD_UNIT = UNIT * (-1, 1, 1) * (1, -1, -1)
# The mirrored head's turn to OpenSeeFace's camera: a quarter about the viewing axis, and half a turn.
TO_CAMERA = (-sqrt(0.5), -sqrt(0.5), 0.0, 0.0)


class Features:
    """The 14 features, as OpenSeeFace gives them: 0 for the person's usual face, -1 and 1 at the extremes.

    The usual face is the median of one sample every half second over the last five minutes; it begins at 0.
    """

    EVERY_S, KEPT, FIRST = 0.5, 600, 10
    # A movement of this share of the possible one is taken for the extreme until the person moves further.
    REACH = 0.6

    def __init__(self) -> None:
        nothing = [0.0] * len(FEATURES)
        self._past: deque[list[float]] = deque([nothing] * self.FIRST, self.KEPT)
        self._usual, self._low, self._high = nothing, nothing, nothing
        self._next_s = -np.inf

    def update(self, raw: Sequence[float], time_s: float) -> list[float]:
        """The features (14,) in the order of :data:`FEATURES`, each in -1..1, from raw ones."""
        raw = [min(max(each, -1.0), 1.0) for each in raw]
        if time_s >= self._next_s:
            self._next_s = time_s + self.EVERY_S
            self._past.append(raw)
            self._usual = np.median(np.asarray(self._past), axis=0).tolist()
        away = [each - usual for each, usual in zip(raw, self._usual, strict=True)]
        self._low, self._high = list(map(min, self._low, away)), list(map(max, self._high, away))
        return [
            each / max(high, self.REACH * (1 - usual))
            if each > 0
            else each / -min(low, -self.REACH * (1 + usual))
            if each < 0
            else 0.0
            for each, usual, low, high in zip(away, self._usual, self._low, self._high, strict=True)
        ]


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


@lru_cache(maxsize=1)
def _points_and_features() -> tuple[FloatArray, FloatArray]:
    """At rest (212,) and with each weight (52, 212): the points on the head, and the features."""
    rest, moves = rest_and_moves()
    points = ((rest - NOSE_TIP) * HEAD_UNIT).ravel()
    moved = (moves.reshape(-1, 3) * HEAD_UNIT).reshape(moves.shape)
    rests = np.concatenate([points, np.zeros(len(FEATURES))])
    return rests.astype(np.float32), np.concatenate([moved, _sums()], axis=1).astype(np.float32)


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
        rest, moves = _points_and_features()
        moved = rest + state.weights @ moves
        features = self._features.update(moved[-len(FEATURES) :].tolist(), sample.time_s)
        left, right = (1 + min(openness, 0.0) for openness in features[:2])
        head = _Head(state, width, height)
        pupils = _pupils(state)
        seen = None if face is None else seen_points(face)
        points = head.in_picture(np.concatenate([points_of(state.weights), pupils])) if seen is None else seen
        time_s, score = self._start_s + sample.time_s, 1.0 if face is None else face.score
        pose = (*head.quaternion, *head.euler_deg, *head.translation)
        eyes = ((np.concatenate([pupils, _eyeballs()[0]]) - NOSE_TIP) * HEAD_UNIT).ravel().tolist()
        return [
            HEADER.pack(time_s, 0, width, height, right, left, 1, 0.0, *pose, *[score] * len(points))
            + points.astype("<f4").tobytes()
            + moved[: -len(FEATURES)].astype("<f4").tobytes()
            + LAST.pack(*eyes, *features)
        ]


class _Head:
    """Where a head is and how it is turned, in OpenSeeFace's coordinates.

    Attributes:
        quaternion: x, y, z, w of the inverse rotation; of its two signs the one with y > 0.
        euler_deg: the angles of R = Rz Ry Rx, as OpenCV's ``RQDecomp3x3`` gives them, but without its jumps.
        translation: of the tip of the nose.
    """

    def __init__(self, state: FaceState, width: int, height: int) -> None:
        yaw, pitch, roll, x_cm, y_cm, z_cm = state.values[len(BLENDSHAPES) :].tolist()
        # In axes of our camera; visavis.base.unity counts yaw and roll the other way.
        turn = unity.quaternion(-yaw, pitch, -roll)
        self._turn, self._size = unity.matrix(turn), (width, height)
        self._position_cm = (x_cm, y_cm, z_cm if z_cm <= -1 else -USUAL_DEPTH_CM)
        self._focal_px = height / 2 / tan(VERTICAL_FIELD_OF_VIEW_RAD / 2)
        # The head is mirrored from left to right, and then turned to the axes of OpenSeeFace's camera.
        x, y, z, w = turn
        turned = unity.product(TO_CAMERA, (x, -y, -z, w))
        (r00, _, _), (r10, _, _), (r20, r21, r22) = unity.matrix(turned)
        self.euler_deg = (
            degrees(atan2(r21, r22)),
            degrees(-asin(max(-1.0, min(r20, 1.0)))),
            degrees(atan2(r10, r00)),
        )
        x, y, z, w = turned
        self.quaternion = (-x, -y, -z, w) if y <= 0 else (x, y, z, -w)
        across, up, back = (
            (at + sum(map(mul, row, NOSE_CM))) * UNIT[0] / EYES_APART_CM
            for at, row in zip(self._position_cm, self._turn, strict=True)
        )
        # x points up and y to the left; OpenSeeFace's focal length is the picture's width.
        self.translation = (up, -across, back * width / self._focal_px)

    def in_picture(self, plain: Doubles) -> Doubles:
        """Where points (N, 3) of the plain face are in the picture, (N, 2) in pixels."""
        placed = self._position_cm + (EYES_CM + EYES_APART_CM * plain) @ np.asarray(self._turn).T
        across, up, back = placed.T
        scale = self._focal_px / np.maximum(-back, 1)
        width, height = self._size
        return np.column_stack([width / 2 + scale * across, height / 2 - scale * up])


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
        for yaw, pitch in (state.values @ _eye_angles()).reshape(2, 2).tolist()
    ]
    return np.asarray(middles + radius * ways, np.float64)


@lru_cache(maxsize=1)
def _eye_angles() -> FloatArray:
    """The matrix (58, 4) from a face to yaw and pitch of the right and of the left eye."""
    names = [f"{side}Eye{angle}" for side in ("Right", "Left") for angle in ("Yaw", "Pitch")]
    return values_of(np.eye(len(FACE_CHANNELS), dtype=np.float32))[:, [VALUES.index(each) for each in names]]


def connect(address: Address) -> Connection:
    """The receiver at this address.

    Raises:
        InputError: the address has options or a name.
    """
    address.require()
    return Datagrams(address.endpoint(DEFAULT_PORT), OsfEncoder(time.time()))
