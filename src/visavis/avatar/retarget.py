"""Retargeting: the parameters of any avatar from a face, by a file that says which channels move what.

docs/how-to/retarget.md describes the file. :class:`~visavis.avatar.parameters.Animator` knows more about a
face (its measures, its rest, idle motion), but only for the avatar's own parameters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.calibration import GAZE_X
from visavis.avatar.profile import Profile
from visavis.avatar.reach import REACHED
from visavis.avatar.retarget_file import MAX_POINTS, STRAIGHT, Rules, parse, read_text
from visavis.base.assets import digests, read_asset
from visavis.base.files import PathText, as_path
from visavis.channels import BLENDSHAPES, FACE_CHANNELS, FACE_INDEX, HEAD_ANGLES, MIRROR_ORDER, MIRROR_SIGN
from visavis.errors import InputError
from visavis.types import FaceState, FloatArray

Doubles = NDArray[np.float64]
FOLDER = "retarget"
SUFFIX = ".toml"
# A profile's movements and the channels whose gain they set.
REACHING = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "browUp": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "browDown": ("browDownLeft", "browDownRight"),
    "mouth": ("jawOpen",),
}
# Both eyes look to the image's right, or to its left.
GAZE_RIGHT, GAZE_LEFT = ("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight")
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
# Smallest difference between open and shut, as in the calibration.
SHUT_SPAN = 0.3
# Where a face is assumed to be at rest until a person's neutral face is known: in front of the camera.
USUAL_Z_CM = -50.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an avatar.

    Attributes:
        low: its lowest value.
        high: its highest value.
        rest: its value for a neutral face.
    """

    low: float
    high: float
    rest: float


class Retargeting:
    """Turns faces into the values of an avatar's parameters; immutable, and without any memory.

    Args:
        rules: what moves each parameter.
        neutral: (58,) the person's neutral face, which is subtracted first, angles in radians. None for
            zeros, but 50 cm in front of the camera.
        gains: (58,) factor of each channel after the neutral face is subtracted. None for ones.

    Attributes:
        rules: what moves each parameter.
        parameters: parameter -> range and rest, in the order of the file.
    """

    def __init__(self, rules: Rules, neutral: Doubles | None = None, gains: Doubles | None = None) -> None:
        self.rules = rules
        self._neutral = usual_face() if neutral is None else neutral
        self._prepare(np.ones(len(FACE_CHANNELS)) if gains is None else gains)
        rest = self._shaped(np.zeros((1, len(rules.by_parameter))))[0].tolist()
        self.parameters: Mapping[str, Parameter] = MappingProxyType(
            {
                name: Parameter(min(rule.outputs), max(rule.outputs), value)
                for (name, rule), value in zip(rules.by_parameter.items(), rest, strict=True)
            }
        )

    @classmethod
    def preset(cls, name: str) -> Self:
        """One of the mappings that come with the package; see :func:`presets`.

        Raises:
            InputError: there is no such preset.
        """
        return cls(parse(preset_text(name), name))

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read a retarget file.

        Raises:
            InputError: the file is missing, or is no retarget file; the message names file, table and key.
        """
        path = as_path(path)
        return cls(parse(read_text(path), str(path)))

    @classmethod
    def named(cls, text: str) -> Self:
        """A preset by its name, or else the file of this path.

        Raises:
            InputError: see :meth:`load`.
        """
        if text in presets():
            return cls.preset(text)
        if not (os.path.exists(text) or text.lower().endswith(SUFFIX)):
            raise InputError(
                f"{text!r} is no retarget file and no preset{_near(text)}; presets: {', '.join(presets())}"
            )
        return cls.load(text)

    def calibrated(self, person: Profile | FaceState) -> Self:
        """The same mapping for one person.

        Args:
            person: the person's neutral face, or a profile. A profile also gives gains: the eyes shut fully
                where this person's do, and a person of small movements moves the avatar as far as others do.
        """
        if isinstance(person, FaceState):
            return type(self)(self.rules, person.values.astype(np.float64))
        return type(self)(self.rules, *_neutral_and_gains(person))

    def apply(self, state: FaceState) -> dict[str, float]:
        """The value of every parameter for one face, within its range."""
        return dict(zip(self.parameters, self.values(state.values[None])[0].tolist(), strict=True))

    def values(self, faces: FloatArray) -> Doubles:
        """(T, P) the values of all parameters for faces (T, 58); NaN where a face is NaN."""
        return self._shaped((faces - self._neutral) @ self._matrix)

    def _prepare(self, gains: Doubles) -> None:
        """Turn the rules into arrays, with one column for each parameter."""
        rules = tuple(self.rules.by_parameter.values())
        matrix = np.zeros((len(FACE_CHANNELS), len(rules)))
        for column, rule in enumerate(rules):
            for channel, weight in rule.sum.items():
                matrix[FACE_INDEX[channel], column] = weight
        degrees = [FACE_INDEX[name] for name in HEAD_ANGLES]
        matrix[degrees] = np.rad2deg(matrix[degrees])
        if self.rules.mirror:
            matrix = (np.asarray(MIRROR_SIGN)[:, None] * matrix)[list(MIRROR_ORDER)]
        self._matrix = gains[:, None] * matrix
        low, high = np.asarray([rule.inputs for rule in rules]).T
        self._dead_zone = np.asarray([rule.dead_zone for rule in rules])
        self._gain = np.asarray([rule.gain for rule in rules]) / (high - low)
        self._offset = (np.asarray([rule.offset for rule in rules]) - low) / (high - low)
        self._gamma = np.asarray([rule.gamma for rule in rules])
        self._bent = np.flatnonzero(self._gamma != 1)
        self._cornered = np.asarray(
            [column for column, rule in enumerate(rules) if rule.points != STRAIGHT], np.intp
        )
        self._lines = _lines([rules[column].points for column in self._cornered])
        start, end = np.asarray([rule.outputs for rule in rules]).T
        self._start, self._span = start, end - start
        self._ends = np.minimum(start, end), np.maximum(start, end)

    def _shaped(self, moved: Doubles) -> Doubles:
        """Parameters (T, P) from weighted sums (T, P)."""
        moved = moved - np.clip(moved, -self._dead_zone, self._dead_zone)
        share = np.clip(self._offset + self._gain * moved, 0, 1)
        if len(bent := self._bent):
            share[:, bent] = _bent(share[:, bent], self._offset[bent].clip(0, 1), self._gamma[bent])
        if len(cornered := self._cornered):
            first, x, length, slope = self._lines
            share[:, cornered] = first + (np.clip(share[:, cornered] - x, 0, length) * slope).sum(0)
        values: Doubles = np.clip(self._start + self._span * share, *self._ends)
        return values


def usual_face() -> Doubles:
    """(58,) the neutral face of a person who is not known."""
    neutral = np.zeros(len(FACE_CHANNELS))
    neutral[FACE_INDEX["z"]] = USUAL_Z_CM
    return neutral


def calibrated_face(state: FaceState, profile: Profile) -> FaceState:
    """A person's face as that of a usual person: rest is 0, and the reach of movements is the usual one."""
    neutral, gains = _neutral_and_gains(profile)
    values = (state.values - neutral) * gains + usual_face()
    values[: len(BLENDSHAPES)] = values[: len(BLENDSHAPES)].clip(0, 1)
    return FaceState(values.astype(np.float32))


def _neutral_and_gains(person: Profile) -> tuple[Doubles, Doubles]:
    """(58,) a person's neutral face, and the factor of each channel after it is subtracted."""
    neutral, gains = usual_face(), np.ones(len(FACE_CHANNELS))
    for name, level in person.weights.items():
        if name != GAZE_X:
            neutral[FACE_INDEX[name]] = level
    gaze = person.weights[GAZE_X]
    for name in GAZE_RIGHT if gaze > 0 else GAZE_LEFT:
        neutral[FACE_INDEX[name]] = abs(gaze) / 2
    for name in HEAD_ANGLES:
        neutral[FACE_INDEX[name]] = np.deg2rad(person.head[name])
    neutral[FACE_INDEX["x"]] = person.head["x"]
    for name in BLINKS:
        gains[FACE_INDEX[name]] = 1 / max(person.shut[name] - person.weights[name], SHUT_SPAN)
    for movement, names in REACHING.items():
        for name in names:
            gains[FACE_INDEX[name]] = REACHED / person.reach[movement]
    return neutral, gains


def _bent(share: Doubles, rest: Doubles, gamma: Doubles) -> Doubles:
    """Shares 0..1, bent on both sides of rest; rest and both ends stay where they are."""
    away = share - rest
    room = np.where(away > 0, 1 - rest, rest)
    part = np.abs(away) / np.where(away == 0, 1, room)
    return np.asarray(rest + np.sign(away) * room * part**gamma, np.float64)


def _lines(curves: Sequence[Sequence[tuple[float, float]]]) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """The lines of C curves: first y (C,), then start, length and slope of each line (lines, 1, C)."""
    lines = np.zeros((3, MAX_POINTS - 1, 1, len(curves)))
    for column, points in enumerate(curves):
        for row, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
            lines[:, row, 0, column] = x0, x1 - x0, (y1 - y0) / (x1 - x0)
    return np.asarray([points[0][1] for points in curves], np.float64), *lines


def presets() -> tuple[str, ...]:
    """The names of the mappings that come with the package, in alphabetical order."""
    names = (name.removesuffix(SUFFIX).partition("/") for name in digests() if name.endswith(SUFFIX))
    return tuple(sorted(name for folder, _, name in names if folder == FOLDER))


def preset_text(name: str) -> str:
    """The file of a preset, to print or to start from.

    Raises:
        InputError: there is no such preset.
        WeightsError: its file is missing or was changed.
    """
    if name not in presets():
        raise InputError(f"no preset is called {name!r}{_near(name)}; presets: {', '.join(presets())}")
    return read_asset(f"{FOLDER}/{name}{SUFFIX}").decode("utf-8")


def _near(name: str) -> str:
    near = get_close_matches(name, presets(), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
