"""Parquet files of the people of a conversation: a row for each person and frame, in columns of fixed size.

pandas, Polars, DuckDB, Arrow and Spark read the files, one or a folder of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path, whole_file
from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSIONS, HEAD_ANGLES, TRANSLATIONS
from visavis.errors import InputError, MissingExtraError
from visavis.track import Track

FORMAT = "visavis tracks 1"
# The name of our entry in the file's metadata, in which the value is JSON.
METADATA = b"visavis"
# Column: (names of its numbers, unit). The first two are a face state, the other three an expression.
FACE_COLUMNS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "weights": (BLENDSHAPES, "blendshape weight, 0 to 1"),
    "head": (HEAD_ANGLES + TRANSLATIONS, "three angles in rad, three positions in the tracker's unit"),
}
EXPRESSION_COLUMNS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "action_units": (ACTION_UNITS, "intensity, 0 to 1"),
    "valence_arousal": (("valence", "arousal"), "-1 to 1"),
    "expression": (EXPRESSIONS, "probability, 0 to 1"),
}


def require_pyarrow(what: str) -> Any:
    """The package pyarrow.

    Args:
        what: what needs it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "tables", what) from error
    return pyarrow


def write_tracks(path: PathText, people: Mapping[str, Track], facts: Mapping[str, Any] | None = None) -> None:
    """Write the tracks of several people as one Parquet file, compressed by Zstandard.

    Columns: ``person``, ``time_s`` (float64), ``found``, and lists of fixed size of float32: ``weights``
    (52), ``head`` (6), ``action_units`` (15), ``valence_arousal`` (2), ``expression`` (8), and, if the tracks
    have them, ``landmarks`` (2 N: x and y in pixels in turn). Numbers that are not known are NaN. Each person
    is one row group. Names and units of the numbers are in the metadata of the columns.

    Args:
        path: the file.
        people: tracks by name, with the same rate and landmarks.
        facts: further JSON values for the file's metadata.

    Raises:
        InputError: rates or landmarks differ, or the file cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    arrow = require_pyarrow("writing Parquet")
    tracks = list(people.values())
    if len({(track.fps, track.landmark_numbers.tobytes()) for track in tracks}) != 1:
        raise InputError(f"{path}: the people of one file need the same frame rate and the same landmarks")
    numbers = [int(number) for number in tracks[0].landmark_numbers]
    notes = {"format": FORMAT, "fps": tracks[0].fps, "landmark_numbers": numbers, **(facts or {})}
    schema = _schema(arrow, len(numbers)).with_metadata({METADATA: json.dumps(notes, allow_nan=False)})
    with (
        whole_file(path) as partial,
        arrow.parquet.ParquetWriter(partial, schema, compression="zstd", use_dictionary=["person"]) as writer,
    ):
        for name, track in people.items():
            writer.write_table(_table(arrow, schema, name, track), row_group_size=max(len(track), 1))


def read_tracks(path: PathText) -> dict[str, Track]:
    """The tracks of a file of :func:`write_tracks` by the people's names, in the order of the file.

    Raises:
        InputError: the file is missing, or is no such Parquet file.
        MissingExtraError: pyarrow is not installed.
    """
    arrow = require_pyarrow("reading Parquet")
    path = as_path(path)
    try:
        table = arrow.parquet.read_table(regular(path), partitioning=None)
        notes = json.loads(table.schema.metadata[METADATA])
        fps, numbers = float(notes["fps"]), np.asarray(notes["landmark_numbers"], np.int32)
        names = table["person"].to_numpy()
        return {
            str(name): _track(table.filter(arrow.array(names == name)), fps, numbers)
            for name in dict.fromkeys(names)
        }
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{path}: not a Parquet file of visavis corpus build: {reason(error)}") from error


def _schema(arrow: Any, landmarks: int) -> Any:
    columns = [
        arrow.field("person", arrow.string()),
        arrow.field("time_s", arrow.float64(), metadata={"unit": "s"}),
        arrow.field("found", arrow.bool_()),
    ]
    for name, (channels, unit) in {**FACE_COLUMNS, **EXPRESSION_COLUMNS}.items():
        notes = {"channels": " ".join(channels), "unit": unit}
        columns.append(arrow.field(name, arrow.list_(arrow.float32(), len(channels)), metadata=notes))
    if landmarks:
        notes = {"channels": "x and y of each landmark in turn", "unit": "px"}
        columns.append(arrow.field("landmarks", arrow.list_(arrow.float32(), 2 * landmarks), metadata=notes))
    return arrow.schema(columns)


def _table(arrow: Any, schema: Any, name: str, track: Track) -> Any:
    columns = [arrow.array([name] * len(track)), arrow.array(track.time_s), arrow.array(track.found)]
    for values, layout in ((track.face, FACE_COLUMNS), (track.expression, EXPRESSION_COLUMNS)):
        start = 0
        for channels, _ in layout.values():
            columns.append(_list(arrow, values[:, start : start + len(channels)]))
            start += len(channels)
    if len(track.landmark_numbers):
        columns.append(_list(arrow, track.landmarks_xy.reshape(len(track), -1)))
    return arrow.Table.from_arrays(columns, schema=schema)


def _list(arrow: Any, values: NDArray[np.float32]) -> Any:
    flat = arrow.array(np.ascontiguousarray(values).ravel(), arrow.float32())
    return arrow.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _track(table: Any, fps: float, numbers: NDArray[np.int32]) -> Track:
    def rows(name: str) -> NDArray[np.float32]:
        column = table[name].combine_chunks()
        return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)

    face, expression = (
        np.concatenate([rows(name) for name in layout], axis=1)
        for layout in (FACE_COLUMNS, EXPRESSION_COLUMNS)
    )
    points = rows("landmarks").reshape(len(face), -1, 2) if len(numbers) else np.zeros((len(face), 0, 2))
    time_s, found = table["time_s"].to_numpy(), table["found"].to_numpy()
    return Track(time_s, face, expression, found, fps, points.astype(np.float32), numbers)
