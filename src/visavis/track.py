"""The track: one person's face and emotion over time, as a file and as a table."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.arrays import checked, checked_flags, checked_numbers, checked_times, require_known
from visavis.base.files import PathText, whole_file
from visavis.base.npz import read_npz
from visavis.channels import EMOTION_CHANNELS, EMOTION_INDEX, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError, MissingExtraError
from visavis.types import LANDMARK_COUNT, BoolArray, FloatArray, NumberArray, channel_index


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A person's face and emotion over time: the file ``T.npz``.

    Attributes:
        time_s: (T,) float64, increasing.
        face: (T, 58) float32, NaN where no face was found.
        emotion: (T, 25) float32, NaN where no emotion was read.
        found: (T,) bool, whether a face was found.
        fps: nominal frames per second.
        landmarks_xy: (T, N, 2) float32 in image pixels, NaN where no face was found; N is 0 if landmarks were
            not kept.
        landmark_numbers: (N,) int32, the landmarks' point numbers in MediaPipe's face mesh.
    """

    time_s: NDArray[np.float64]
    face: FloatArray
    emotion: FloatArray
    found: BoolArray
    fps: float
    landmarks_xy: FloatArray = field(default_factory=lambda: np.zeros((0, 0, 2), np.float32))
    landmark_numbers: NumberArray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        time_s = checked_times("a track's times", self.time_s)
        length = len(time_s)
        found = checked_flags("found", self.found, length)
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"a track's fps must be positive; found {self.fps}")
        face = checked("face", self.face, (length, len(FACE_CHANNELS)), allow_nan=True)
        emotion = checked("emotion", self.emotion, (length, len(EMOTION_CHANNELS)), allow_nan=True)
        require_known("face", face, found)
        numbers = checked_numbers("landmark_numbers", self.landmark_numbers, LANDMARK_COUNT)
        points = self.landmarks_xy
        if isinstance(points, np.ndarray) and points.shape == (0, 0, 2):
            points = np.zeros((length, 0, 2), np.float32)
        points = checked("landmarks_xy", points, (length, len(numbers), 2), allow_nan=True)
        require_known("landmarks_xy", points, found)
        values = (time_s, face, emotion, found, self.fps, points, numbers)
        for each, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, each.name, value)

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        length_s = self.time_s[-1] - self.time_s[0] if len(self) else 0.0
        seen = self.found.mean() if len(self) else 0.0
        return f"Track: {len(self)} frames, {length_s:.1f} s at {self.fps:g} Hz, a face in {seen:.0%}"

    def __getitem__(self, channel: str) -> FloatArray:
        """One channel (T,) of the face or of the emotion by its name, such as ``mouthSmileLeft``.

        Raises:
            KeyError: no channel has this name; the message names the most similar one.
        """
        if channel in EMOTION_INDEX:
            return self.emotion[:, EMOTION_INDEX[channel]]
        return self.face[:, channel_index(FACE_INDEX | EMOTION_INDEX, channel)]

    def columns(self) -> dict[str, NDArray[Any]]:
        """The table of the track: ``time_s``, ``found``, 58 face channels and 25 emotion channels by name."""
        faces = dict(zip(FACE_CHANNELS, self.face.T, strict=True))
        emotions = dict(zip(EMOTION_CHANNELS, self.emotion.T, strict=True))
        return {"time_s": self.time_s, "found": self.found, **faces, **emotions}

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
        """Write ``T.npz``; the file appears complete or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **{each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read ``T.npz``.

        Raises:
            InputError: the file is missing, damaged, not an npz file, lacks one of the first five arrays, or
                its arrays contradict each other. Files of older versions have no landmarks: N is 0.
        """
        names = [each.name for each in fields(cls)]
        arrays = read_npz(path, "track", names[:5], others=names[5:])
        try:
            fps = float(arrays.pop("fps"))
            return cls(**arrays, fps=fps)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: not a readable track (.npz): fps is no single number") from error
