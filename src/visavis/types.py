"""The types that visavis's stages exchange, such as frames, faces, expressions and poses.

All types are immutable, check their values when they are created, and print as one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import as_float32, checked_numbers, require_flag, require_number
from visavis.channels import (
    ACTION_UNITS,
    AVATAR_PARAMETERS,
    BLENDSHAPES,
    EXPRESSION_CHANNELS,
    EXPRESSIONS,
    FACE_CHANNELS,
    FACE_INDEX,
    FACE_MEASURES,
    MIRROR_ORDER,
    MIRROR_SIGN,
    TRANSLATIONS,
)
from visavis.errors import InputError

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
NumberArray = NDArray[np.int32]
# MediaPipe numbers the points of its face mesh 0 to 477.
LANDMARK_COUNT = 478
# A printed face names this many movements at most, each of at least this weight.
SHOWN_MOVEMENTS = 3
MOVES = 0.1


def channel_index(index: Mapping[str, int], name: str) -> int:
    """The index of a channel; a KeyError names the most similar channel."""
    if isinstance(name, str) and name in index:
        return index[name]
    near = get_close_matches(str(name), index, 1)
    raise KeyError(f"no channel is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        image_rgb: (H, W, 3) uint8.
        time_s: when the picture was taken, in seconds since the source's start.
        index: number of the picture in the source, from 0.
    """

    image_rgb: ImageArray
    time_s: float
    index: int = 0

    def __post_init__(self) -> None:
        image = self.image_rgb
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise InputError(f"a frame must be an RGB array (H, W, 3) of uint8; found {found}")
        if 0 in image.shape:
            raise InputError(f"a frame must have shape (H, W, 3) and hold pixels; found {found}")
        require_number("a frame's time", self.time_s)

    def __repr__(self) -> str:
        height, width = self.image_rgb.shape[:2]
        return f"Frame {self.index}: {width} x {height} pixels, at {self.time_s:.2f} s"


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """A stretch of mono sound.

    Attributes:
        samples: (N,) float32 in -1..1; NaN where the sound is not known.
        sample_rate_hz: samples per second.
        time_s: time of the first sample, in seconds since the source's start.
    """

    samples: FloatArray
    sample_rate_hz: int
    time_s: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", as_float32("audio", self.samples, (None,), allow_nan=True))
        require_number("a chunk's sample rate", self.sample_rate_hz)
        if self.sample_rate_hz <= 0:
            raise InputError(f"a chunk's sample rate must be positive; found {self.sample_rate_hz} Hz")
        require_number("a chunk's time", self.time_s)

    def __repr__(self) -> str:
        length_s = len(self.samples) / self.sample_rate_hz
        return f"AudioChunk: {length_s:.2f} s of {self.sample_rate_hz} Hz, from {self.time_s:.2f} s"


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """What a face does at one moment; all stages use this type.

    Attributes:
        values: (58,) float32 in the order of :data:`~visavis.channels.FACE_CHANNELS`: 52 blendshape weights
            (0..1), head yaw, pitch and roll in radians, head translation x, y, z in centimetres.

    Camera frame: x to the image's right, y up, z towards the viewer (a face in front of the camera has
    z < 0). Yaw is positive when the nose points to the image's right, pitch when it points up, roll when
    the head leans clockwise as seen. Left and right in blendshape names are the person's own.
    """

    values: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", as_float32("face state", self.values, (len(FACE_CHANNELS),)))

    @property
    def weights(self) -> FloatArray:
        """(52,) blendshape weights."""
        return self.values[: len(BLENDSHAPES)]

    @property
    def head_rad(self) -> FloatArray:
        """(3,) yaw, pitch, roll in radians."""
        return self.values[len(BLENDSHAPES) : -len(TRANSLATIONS)]

    @property
    def translation_cm(self) -> FloatArray:
        """(3,) x, y, z in centimetres."""
        return self.values[-len(TRANSLATIONS) :]

    def mirrored(self) -> Self:
        """The face as a mirror shows it: left and right change places."""
        return type(self)(self.values[list(MIRROR_ORDER)] * np.asarray(MIRROR_SIGN, np.float32))

    def __getitem__(self, channel: str) -> float:
        return float(self.values[channel_index(FACE_INDEX, channel)])

    def __repr__(self) -> str:
        return f"FaceState: {self.summary()}"

    def summary(self) -> str:
        """A few words on the strongest movements of the face and the direction of the head."""
        strongest = [int(i) for i in np.argsort(-self.weights, kind="stable")[:SHOWN_MOVEMENTS]]
        moves = [f"{BLENDSHAPES[i]} {self.weights[i]:.2f}" for i in strongest if self.weights[i] >= MOVES]
        yaw, pitch, roll = np.degrees(self.head_rad)
        return ", ".join(
            [*(moves or ["at rest"]), f"yaw {yaw:z.0f}, pitch {pitch:z.0f}, roll {roll:z.0f} deg"]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One tracked person in one frame.

    Attributes:
        track_id: stays with the person from frame to frame.
        score: 0..1, how sure the tracker is that this is a face, times the mean of ``visible``.
        box_xyxy: (4,) x0, y0, x1, y1 in image pixels.
        landmarks_xy: (N, 2) in image pixels.
        corners_xy: (4, 2) corners of the upright face square (its own top left, top right, bottom right,
            bottom left) in image pixels: the crop that the expression stage reads.
        state: movements and head pose.
        reliability: (52,) in 0..1, how reliable each blendshape weight is; 0 for weights that are not read.
            All 1 if the tracker does not know.
        landmark_numbers: (N,) int32, the landmarks' point numbers in MediaPipe's face mesh; empty if they are
            no points of it.
        measures: (11,) measures of the face as seen from the front, in the order and units of
            :data:`~visavis.channels.FACE_MEASURES`; empty if not known.
        visible: (3,) 0..1, how far the person's right eye, left eye and mouth are visible: not behind a hand,
            a mask, dark glasses or the picture's border, nor too dark or blurred. All 1 if the tracker does
            not know.
        expression: what the face shows; None if it was not read.
        label: the expression to display. In a stream the label is held, so that it does not flicker. None if
            ``expression`` is None.
        kept: (G, G) which tokens of the face crop a sparse recognizer kept, row by row; None if
            ``expression`` is None or no tokens are dropped.
        cropped: whether the whole picture was read as a tight crop of a face. Then only ``expression`` was
            read: ``state`` is neutral, ``reliability`` is 0, and the action units mean nothing.
    """

    track_id: int
    score: float
    box_xyxy: FloatArray
    landmarks_xy: FloatArray
    corners_xy: FloatArray
    state: FaceState
    reliability: FloatArray = field(default_factory=lambda: np.ones(len(BLENDSHAPES), np.float32))
    landmark_numbers: NumberArray = field(default_factory=lambda: np.zeros(0, np.int32))
    measures: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    visible: FloatArray = field(default_factory=lambda: np.ones(3, np.float32))
    expression: Expression | None = None
    label: str | None = None
    kept: BoolArray | None = None
    cropped: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "box_xyxy", as_float32("face box", self.box_xyxy, (4,)))
        object.__setattr__(self, "landmarks_xy", as_float32("landmarks", self.landmarks_xy, (None, 2)))
        object.__setattr__(self, "corners_xy", as_float32("face region", self.corners_xy, (4, 2)))
        reliability = as_float32("reliability", self.reliability, (len(BLENDSHAPES),), within=(0, 1))
        object.__setattr__(self, "reliability", reliability)
        require_flag("cropped", self.cropped)
        object.__setattr__(self, "visible", as_float32("visible", self.visible, (3,), within=(0, 1)))
        numbers = checked_numbers("landmark_numbers", self.landmark_numbers, LANDMARK_COUNT)
        if len(numbers) not in (0, len(self.landmarks_xy)):
            raise InputError(
                f"{len(self.landmarks_xy)} landmarks have {len(numbers)} numbers; expected as many"
            )
        object.__setattr__(self, "landmark_numbers", numbers)
        if not isinstance(self.measures, np.ndarray) or self.measures.shape != (0,):
            object.__setattr__(self, "measures", as_float32("measures", self.measures, (len(FACE_MEASURES),)))

    @classmethod
    def of_crop(cls, box_xyxy: FloatArray) -> Self:
        """The face of a picture that is itself a tight face crop; see :attr:`cropped`."""
        x0, y0, x1, y1 = box_xyxy
        return cls(
            track_id=0,
            score=0.0,
            box_xyxy=box_xyxy,
            landmarks_xy=np.zeros((0, 2), np.float32),
            corners_xy=np.asarray([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32),
            state=FaceState(np.zeros(len(FACE_CHANNELS), np.float32)),
            reliability=np.zeros(len(BLENDSHAPES), np.float32),
            cropped=True,
        )

    def __repr__(self) -> str:
        shown = ""
        if self.expression is not None and self.label is not None:
            shown = f"{self.label} {self.expression.probabilities[EXPRESSIONS.index(self.label)]:.2f}, "
        if self.cropped:
            return f"Face {self.track_id}: {shown}the whole picture"
        x0, y0, x1, y1 = self.box_xyxy
        place = f"at x {x0:.0f}-{x1:.0f}, y {y0:.0f}-{y1:.0f}"
        return f"Face {self.track_id}: {shown}{self.state.summary()}, {place}"


class Faces(tuple[Face, ...]):
    """Several faces, the largest first; printed with one line for each face."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "no face"


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """What a face shows, which is not what a person feels.

    Attributes:
        values: (25,) float32 in the order of :data:`~visavis.channels.EXPRESSION_CHANNELS`: 15 action
            units (0..1), valence and arousal (-1..1), and the probabilities of 8 expressions.
    """

    values: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", as_float32("expression", self.values, (len(EXPRESSION_CHANNELS),)))

    @classmethod
    def of_label(cls, label: str) -> Self:
        """An expression that is shown fully, without action units, valence and arousal.

        Raises:
            InputError: there is no such expression.
        """
        if label not in EXPRESSIONS:
            raise InputError(f"no expression is called {label!r}; there are {', '.join(EXPRESSIONS)}")
        values = np.zeros(len(EXPRESSION_CHANNELS), np.float32)
        values[EXPRESSION_CHANNELS.index(label)] = 1
        return cls(values)

    @property
    def action_units(self) -> FloatArray:
        """(15,) intensities, 0..1."""
        return self.values[: len(ACTION_UNITS)]

    @property
    def valence(self) -> float:
        """Unpleasant (-1) to pleasant (1)."""
        return float(self.values[EXPRESSION_CHANNELS.index("valence")])

    @property
    def arousal(self) -> float:
        """Calm (-1) to excited (1)."""
        return float(self.values[EXPRESSION_CHANNELS.index("arousal")])

    @property
    def probabilities(self) -> FloatArray:
        """(8,) of the expressions; they sum to 1."""
        return self.values[-len(EXPRESSIONS) :]

    @property
    def label(self) -> str:
        """The most probable expression."""
        return EXPRESSIONS[int(self.probabilities.argmax())]

    def __repr__(self) -> str:
        affect = f"valence {self.valence:+z.2f}, arousal {self.arousal:+z.2f}"
        return f"Expression: {self.label} {float(self.probabilities.max()):.2f}, {affect}"


@dataclass(frozen=True, slots=True, eq=False)
class AvatarPose:
    """The value of every parameter of an avatar.

    Attributes:
        values: (P,) float32 in the order of :data:`~visavis.channels.AVATAR_PARAMETERS`, each
            within its range.
        time_s: time of the pose in seconds.
    """

    values: FloatArray
    time_s: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", as_float32("avatar pose", self.values, (len(AVATAR_PARAMETERS),)))
        require_number("a pose's time", self.time_s)

    @classmethod
    def from_mapping(cls, values: dict[str, float], time_s: float) -> Self:
        """A pose from values by name, clipped to the parameters' ranges; unnamed parameters stay at rest.

        Raises:
            InputError: a name is no parameter, or a value is not finite.
        """
        if unknown := values.keys() - AVATAR_PARAMETERS.keys():
            raise InputError(f"no parameter of the avatar: {', '.join(sorted(unknown))}")
        clipped = [
            np.clip(values.get(name, rest), low, high)
            for name, (low, high, rest) in AVATAR_PARAMETERS.items()
        ]
        return cls(np.asarray(clipped, np.float32), time_s)

    def as_dict(self) -> dict[str, float]:
        """Values by parameter id."""
        return {name: float(v) for name, v in zip(AVATAR_PARAMETERS, self.values, strict=True)}

    def __repr__(self) -> str:
        low, high, rest = np.asarray(list(AVATAR_PARAMETERS.values()), np.float32).T
        away = np.abs(self.values - rest) / (high - low)
        names = [list(AVATAR_PARAMETERS)[int(i)] for i in np.argsort(-away)[:SHOWN_MOVEMENTS]]
        values = self.as_dict()
        return f"AvatarPose at {self.time_s:.2f} s: " + ", ".join(f"{n} {values[n]:.2f}" for n in names)
