"""The track: one person's face and expression over time, as a file and as a table."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis import live_link
from visavis.base.arrays import (
    as_float32,
    checked_flags,
    checked_numbers,
    checked_times,
    require_known,
    require_number,
)
from visavis.base.files import PathText, as_path, whole_file
from visavis.base.npz import read_npz
from visavis.base.words import counted
from visavis.channels import BLENDSHAPES, EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError, MissingExtraError
from visavis.types import LANDMARK_COUNT, BoolArray, Face, FloatArray, NumberArray, channel_index

LOWEST_FPS, HIGHEST_FPS = 0.001, 100_000.0
LATEST_S = 1e9
# Weights, action units and probabilities are 0..1, valence and arousal -1..1. Trackers overshoot a little,
# and fitted models of faces more.
LOWEST, HIGHEST = -10.0, 10.0
FARTHEST_RAD = 2 * np.pi
FARTHEST_CM = 10_000.0
MADE_BY = "visavis run VIDEO --track T.npz"
# Rows of a track without a face, and without an expression.
NO_FACE = np.full(len(FACE_CHANNELS), np.nan, np.float32)
NO_EXPRESSION = np.full(len(EXPRESSION_CHANNELS), np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A person's face and expression over time: the file ``T.npz``.

    Attributes:
        time_s: (T,) float64, increasing.
        face: (T, 58) float32, NaN where no face was found.
        expression: (T, 25) float32, NaN where no expression was read.
        found: (T,) bool, whether a face was found.
        fps: nominal frames per second.
        landmarks_xy: (T, N, 2) float32 in image pixels, NaN where no face was found; N is 0 if landmarks were
            not kept.
        landmark_numbers: (N,) int32, the landmarks' point numbers in MediaPipe's face mesh.
    """

    time_s: NDArray[np.float64]
    face: FloatArray
    expression: FloatArray
    found: BoolArray
    fps: float
    landmarks_xy: FloatArray = field(default_factory=lambda: np.zeros((0, 0, 2), np.float32))
    landmark_numbers: NumberArray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        time_s = checked_times("a track's times", self.time_s)
        length = len(time_s)
        found = checked_flags("found", self.found, length)
        require_number("a track's fps", self.fps)
        if not LOWEST_FPS <= self.fps <= HIGHEST_FPS:
            raise InputError(f"a track's fps must be {LOWEST_FPS:g} to {HIGHEST_FPS:g}; found {self.fps:g}")
        if length and np.abs(time_s).max() > LATEST_S:
            raise InputError(
                f"a track's times must be below {LATEST_S:g} s; found {np.abs(time_s).max():g} s"
            )
        face = as_float32("face", self.face, (length, len(FACE_CHANNELS)), allow_nan=True)
        expression = as_float32(
            "expression", self.expression, (length, len(EXPRESSION_CHANNELS)), allow_nan=True
        )
        require_known("face", face, found)
        _require_possible(face, expression)
        numbers = checked_numbers("landmark_numbers", self.landmark_numbers, LANDMARK_COUNT)
        points = self.landmarks_xy
        if isinstance(points, np.ndarray) and points.shape == (0, 0, 2):
            points = np.zeros((length, 0, 2), np.float32)
        points = as_float32("landmarks_xy", points, (length, len(numbers), 2), allow_nan=True)
        require_known("landmarks_xy", points, found)
        values = (time_s, face, expression, found, self.fps, points, numbers)
        for each, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, each.name, value)

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        length_s = self.time_s[-1] - self.time_s[0] if len(self) else 0.0
        seen = self.found.mean() if len(self) else 0.0
        return (
            f"Track: {counted(len(self), 'frame')}, {length_s:.1f} s at {self.fps:g} Hz, a face in {seen:.0%}"
        )

    def __getitem__(self, channel: str) -> FloatArray:
        """One channel (T,) of the face or of the expression by its name, such as ``mouthSmileLeft``.

        Raises:
            KeyError: no channel has this name; the message names the most similar one.
        """
        column = channel_index(_CHANNEL_INDEX, channel)
        faces = len(FACE_CHANNELS)
        return self.face[:, column] if column < faces else self.expression[:, column - faces]

    # Rows and channels are both many: a loop says which, for example over columns().
    __iter__ = None

    def __contains__(self, channel: object) -> bool:
        """Whether a channel of the face or of the expression has this name."""
        return channel in _CHANNEL_INDEX

    def columns(self) -> dict[str, NDArray[Any]]:
        """The table of the track: ``time_s``, ``found``, and 58 face and 25 expression channels by name."""
        faces = dict(zip(FACE_CHANNELS, self.face.T, strict=True))
        expressions = dict(zip(EXPRESSION_CHANNELS, self.expression.T, strict=True))
        return {"time_s": self.time_s, "found": self.found, **faces, **expressions}

    def to_csv(self, path: PathText) -> None:
        """Write :meth:`columns` as a CSV file; values that were not read are empty cells.

        Raises:
            InputError: the file cannot be written.
        """
        columns = self.columns()
        with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for time_s, found, *numbers in zip(*columns.values(), strict=True):
                cells = ["" if np.isnan(number) else f"{number:.6g}" for number in numbers]
                writer.writerow([f"{time_s:.6f}", int(found), *cells])

    def to_pandas(self) -> Any:
        """:meth:`columns` as a ``pandas.DataFrame``.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("pandas", "tables", "Track.to_pandas") from error
        return pandas.DataFrame(self.columns())

    def to_parquet(self, path: PathText) -> None:
        """Write :meth:`columns` as a Parquet file.

        Raises:
            InputError: the file cannot be written.
            MissingExtraError: pandas or pyarrow is not installed.
        """
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtraError("pyarrow", "tables", "Track.to_parquet") from error
        with whole_file(path) as partial:
            parquet.write_table(arrow.table(self.columns()), partial)

    def save(self, path: PathText) -> None:
        """Write ``T.npz``, or a recording of Live Link Face if the name ends in ``.csv``.

        The file appears complete or not at all. The recording has no emotions, positions and landmarks, nor
        rows for frames without a face, because Unreal's importer stops at a row without numbers.

        Raises:
            InputError: the file cannot be written, or its name has another ending.
        """
        if as_path(path).suffix.lower() not in (".npz", ".csv"):
            raise InputError(f"{path}: save writes .npz or .csv; to_csv and to_parquet write tables")
        if is_recording(path):
            live_link.write_csv(path, self.time_s[self.found], self.face[self.found])
            return
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **{key: getattr(self, name) for name, key in _KEYS.items()})

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read ``T.npz``, or a recording of Live Link Face if the name ends in ``.csv``.

        Raises:
            InputError: the file is missing, damaged, not an npz file, lacks one of the first five arrays, or
                its arrays contradict each other. Files of older versions have no landmarks: N is 0.
        """
        if is_recording(path):
            return cls._of_recording(path)
        keys = list(_KEYS.values())
        stored = read_npz(path, "track", keys[:5], others=keys[5:], made_by=MADE_BY)
        arrays = {name: stored[key] for name, key in _KEYS.items() if key in stored}
        try:
            fps = float(arrays.pop("fps"))
            return cls(**arrays, fps=fps)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: not a readable track (.npz): fps is no single number") from error

    @classmethod
    def _of_recording(cls, path: PathText) -> Self:
        time_s, face, found = live_link.read_csv(path)
        step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1 / live_link.FPS
        expression = np.full((len(time_s), len(EXPRESSION_CHANNELS)), np.nan)
        try:
            return cls(time_s, face, expression, found, 1 / step_s if step_s > 0 else float(live_link.FPS))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _require_possible(face: FloatArray, expression: FloatArray) -> None:
    """Check that weights, angles, positions and expressions are none that a tracker could never write."""
    weights = len(BLENDSHAPES)
    for name, values, low, high in (
        ("weights", face[:, :weights], LOWEST, HIGHEST),
        ("head angles", face[:, weights:-3], -FARTHEST_RAD, FARTHEST_RAD),
        ("head positions", face[:, -3:], -FARTHEST_CM, FARTHEST_CM),
        ("expression values", expression, LOWEST, HIGHEST),
    ):
        outside = (values < low) | (values > high)
        if outside.any():
            row = int(outside.any(axis=1).argmax())
            found = values[row][outside[row]][0]
            raise InputError(f"a track's {name} lie in {low:g}..{high:g}; found {found:g} in frame {row}")


# Attribute: array in the file, in which expressions have REACT2024's word.
_CHANNEL_INDEX = {name: index for index, name in enumerate((*FACE_CHANNELS, *EXPRESSION_CHANNELS))}
_KEYS = {each.name: "emotion" if each.name == "expression" else each.name for each in fields(Track)}


def rows_of(face: Face | None) -> tuple[FloatArray, FloatArray]:
    """A face's row (58,) of a track, and that of its expression (25,); NaN where there is none."""
    expression = None if face is None else face.expression
    return (
        NO_FACE if face is None else face.state.values,
        NO_EXPRESSION if expression is None else expression.values,
    )


def is_recording(path: PathText) -> bool:
    """Whether the file's name says that it is a recording of Live Link Face."""
    return as_path(path).suffix.lower() == ".csv"
