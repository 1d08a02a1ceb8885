"""The packet and the CSV file of Live Link Face, Epic's face tracker for the iPhone, in both directions.

A packet holds 61 numbers: the 52 ARKit blendshapes, and yaw, pitch and roll of the head and of both eyes, in
radians. Two of these angles turn the other way than in :class:`~visavis.types.FaceState`: yaw is positive
towards the person's right, and pitch is positive downward.

Sources: the order is that of Unreal's enumeration ``EARFaceBlendShape``
(https://dev.epicgames.com/documentation/en-us/unreal-engine/API/Runtime/AugmentedReality/EARFaceBlendShape).
The packet is what Unreal's plugin ``AppleARKitFaceSupport`` reads, and the angles turn as it turns them.
Signs and units of the eyes' angles were compared with published recordings of the app.
"""

from __future__ import annotations

import csv
import struct
from dataclasses import dataclass
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from numpy.typing import NDArray

from visavis.base.files import PathText, as_path, whole_file
from visavis.base.reading import regular
from visavis.base.words import counted, reason
from visavis.channels import BLENDSHAPES, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.types import BoolArray, FloatArray

DEFAULT_PORT = 11111
FPS = 60
VERSION = 6
# Unreal refuses longer names of devices and of subjects.
LONGEST_NAME = 255
# Of a text that does not belong there, messages show so much.
LONGEST_SHOWN = 40
# How far an eye turns in radians at a weight of 1 (slope over published recordings of the app).
EYE_TURN_RAD = 0.6
_SIDED_EYE = "eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide".split()
SHAPES: tuple[str, ...] = (
    *(name + side for side in ("Left", "Right") for name in _SIDED_EYE),
    *"""jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight
    mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight
    mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper
    mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight
    browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight noseSneerLeft noseSneerRight tongueOut""".split(),
)
ANGLES: tuple[str, ...] = tuple(
    part + angle for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)
# The order of the numbers in a packet.
VALUES: tuple[str, ...] = (*(name[0].upper() + name[1:] for name in SHAPES), *ANGLES)
# In the app's files, right comes before left in two places.
_SWAPPED = {"JawLeft": "JawRight", "MouthLeft": "MouthRight"}
_SWAPPED |= {right: left for left, right in _SWAPPED.items()}
COLUMNS: tuple[str, ...] = tuple(_SWAPPED.get(name, name) for name in VALUES)

_SHAPE_ROWS = np.asarray([FACE_INDEX[name] for name in SHAPES])
_HEAD_ROWS = slice(len(BLENDSHAPES), len(BLENDSHAPES) + 3)
_HEAD_VALUES = slice(len(SHAPES), len(SHAPES) + 3)
_HEAD_SIGNS = np.asarray((-1, -1, 1), np.float32)
# An eye's angle grows with the first weight and falls with the second one.
_EYES = {
    "LeftEyeYaw": ("eyeLookInLeft", "eyeLookOutLeft"),
    "LeftEyePitch": ("eyeLookDownLeft", "eyeLookUpLeft"),
    "RightEyeYaw": ("eyeLookOutRight", "eyeLookInRight"),
    "RightEyePitch": ("eyeLookDownRight", "eyeLookUpRight"),
}


def _values_from_face() -> FloatArray:
    """The matrix (58, 61) from a face to its numbers."""
    matrix = np.zeros((len(FACE_CHANNELS), len(VALUES)), np.float32)
    matrix[_SHAPE_ROWS, np.arange(len(SHAPES))] = 1
    matrix[_HEAD_ROWS, _HEAD_VALUES] = np.diag(_HEAD_SIGNS)
    for name, pair in _EYES.items():
        matrix[[FACE_INDEX[weight] for weight in pair], VALUES.index(name)] = EYE_TURN_RAD, -EYE_TURN_RAD
    return matrix


_VALUES_FROM_FACE = _values_from_face()
_HEADER, _COUNT = struct.Struct(">ifii"), struct.pack("B", len(VALUES))


def values_of(face: FloatArray) -> FloatArray:
    """The numbers (..., 61) of faces (..., 58), in the order of :data:`VALUES`."""
    return np.asarray(face @ _VALUES_FROM_FACE, np.float32)


def face_of(values: FloatArray) -> FloatArray:
    """The faces (..., 58) of numbers (..., 61): the inverse of :func:`values_of`, apart from the position.

    Weights are cut to 0..1. The position is 0, since Live Link Face has none.
    """
    face = np.zeros((*values.shape[:-1], len(FACE_CHANNELS)), np.float32)
    face[..., _SHAPE_ROWS] = values[..., : len(SHAPES)].clip(0, 1)
    face[..., _HEAD_ROWS] = values[..., _HEAD_VALUES] * _HEAD_SIGNS + 0.0
    return face


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """What one datagram says.

    Attributes:
        device: identifies the sender.
        subject: the name that the sender shows to people.
        time_s: time of the frame in seconds; the app counts from midnight.
        face: (58,) float32; None if the sender sees no face.
    """

    device: str
    subject: str
    time_s: float
    face: FloatArray | None

    @classmethod
    def decode(cls, datagram: bytes) -> Packet:
        """Read a datagram.

        Raises:
            InputError: the datagram is no packet of this version, is cut, or holds numbers that are not
                finite.
        """
        if datagram[:1] != bytes([VERSION]):
            raise InputError(f"no packet of Live Link Face, version {VERSION}; found {datagram[:5]!r}...")
        texts, place = [], 1
        for _ in range(2):
            (size,) = struct.unpack(">i", _part(datagram, place, 4))
            texts.append(_part(datagram, place + 4, size).decode(errors="replace"))
            place += 4 + size
        device, subject = texts
        frame, part, rate, divisor = _HEADER.unpack(_part(datagram, place, _HEADER.size))
        time_s = (frame + part) * divisor / rate if rate > 0 and np.isfinite(part) else 0.0
        place += _HEADER.size
        if len(datagram) == place:
            return cls(device, subject, time_s, None)
        count = _part(datagram, place, 1)
        if count != _COUNT:
            raise InputError(f"a packet of Live Link Face has {len(VALUES)} numbers; found {count[0]}")
        values = np.frombuffer(_part(datagram, place + 1, 4 * len(VALUES)), ">f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise InputError("a packet of Live Link Face holds numbers that are not finite")
        # The app sends zeros while it sees no face.
        return cls(device, subject, time_s, face_of(values) if values.any() else None)


def _part(datagram: bytes, start: int, size: int) -> bytes:
    if not 0 <= size <= len(datagram) - start:
        raise InputError(f"a packet of Live Link Face is cut after {counted(len(datagram), 'byte')}")
    return datagram[start : start + size]


def encode(subject: str, time_s: float, face: FloatArray) -> bytes:
    """The packet of a face (58,) at a time in seconds; ``subject`` names the sender."""
    frame, part = divmod(time_s * FPS, 1)
    header = _HEADER.pack(int(frame) % (24 * 3600 * FPS), part, FPS, 1)
    return _texts(subject) + header + _COUNT + values_of(face).astype(">f4").tobytes()


@lru_cache(maxsize=16)
def _texts(subject: str) -> bytes:
    """The beginning of a packet, with the names of device and subject.

    The same subject always has the same device id. It has 36 characters, because some receivers know only
    this length.
    """
    device = str(uuid5(NAMESPACE_URL, f"visavis/{subject}")).upper()
    texts = (struct.pack(">i", len(text)) + text for text in (device.encode(), subject.encode()))
    return bytes([VERSION]) + b"".join(texts)


def write_csv(path: PathText, time_s: NDArray[np.float64], face: FloatArray) -> None:
    """Write faces (T, 58) at times (T,) in seconds as the app does.

    Raises:
        InputError: the file cannot be written.
    """
    rows = values_of(face)[:, [VALUES.index(name) for name in COLUMNS]]
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Timecode", "BlendShapeCount", *COLUMNS))
        for time, row in zip(time_s, rows, strict=True):
            writer.writerow((timecode(float(time)), len(row), *(f"{value:.10f}" for value in row)))


def read_csv(path: PathText) -> tuple[NDArray[np.float64], FloatArray, BoolArray]:
    """Read the app's file; a row without numbers says that no face was seen.

    A last row that is cut is left out: the app was stopped while it wrote.

    Returns:
        Times (T,) in seconds, counted from the first row; faces (T, 58), NaN where no face was seen; and
        whether a face was seen (T,).

    Raises:
        InputError: the file is missing, or a row is not as the app writes it.
    """
    times_s, faces = [], []
    try:
        with regular(as_path(path)).open(encoding="utf-8-sig", newline="") as file:
            lines = file.readlines()
            if len(lines) > 2 and lines[-1][-1] != "\n" and lines[-1].count(",") < lines[0].count(","):
                lines.pop()
            reader = csv.reader(lines)
            names = [name.strip().lower() for name in next(reader, [])]
            places = _places(path, names)
            for cells in filter(None, reader):
                times_s.append(_seconds(cells[0], f"{path}: line {reader.line_num}"))
                faces.append(_face(cells, places, f"{path}: line {reader.line_num}"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a CSV file: it is no text in UTF-8") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file: {reason(error)}") from error
    times = np.asarray(times_s, np.float64)
    times = times - times[:1]
    times += 24 * 3600 * np.cumsum(np.diff(times, prepend=0) < -12 * 3600)  # Past midnight.
    face = np.asarray(faces, np.float32).reshape(-1, len(FACE_CHANNELS))
    return times, face, np.asarray(~np.isnan(face).any(axis=1))


def timecode(time_s: float) -> str:
    """``HH:MM:SS:FF.fff`` in sixtieths of a second, after midnight again from 0."""
    ticks = round(time_s * FPS * 1000) % (24 * 3600 * FPS * 1000)
    seconds, part = divmod(ticks, FPS * 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{part / 1000:06.3f}"


def _seconds(text: str, place: str) -> float:
    parts = text.strip().split(":")
    try:
        hours, minutes, seconds, frames = (*map(int, parts[:-1]), float(parts[-1]))
    except ValueError:
        frames = np.nan
    if not np.isfinite(frames):
        raise InputError(f"{place}: {text[:LONGEST_SHOWN]!r} is no timecode; expected HH:MM:SS:FF.fff")
    return 3600 * hours + 60 * minutes + seconds + frames / FPS


def _places(path: PathText, names: list[str]) -> dict[int, int]:
    """Where each number of a packet stands in the file's rows: index of the number -> index of the cell."""
    if names[:2] != ["timecode", "blendshapecount"]:
        found = ", ".join(name[:LONGEST_SHOWN] for name in names[:2]) or "nothing"
        if names[:1] == ["time_s"]:
            raise InputError(f"{path}: a table of Track.to_csv, which is not read; save the track as .npz")
        raise InputError(
            f"{path}: no recording of Live Link Face: its first columns are {found}; "
            "expected Timecode, BlendShapeCount"
        )
    known = {name.lower(): index for index, name in enumerate(VALUES)}
    places = {known[name]: place for place, name in enumerate(names) if name in known}
    if not places:
        raise InputError(f"{path}: has no column of Live Link Face such as JawOpen")
    return places


def _face(cells: list[str], places: dict[int, int], place: str) -> FloatArray:
    if not any(cell.strip() not in ("", "0") for cell in cells[1:]):
        return np.full(len(FACE_CHANNELS), np.nan, np.float32)
    values = np.zeros(len(VALUES), np.float32)
    try:
        for index, column in places.items():
            values[index] = float(cells[column])
    except (IndexError, ValueError) as error:
        raise InputError(f"{place}: expected a number in each column; the row is cut or damaged") from error
    if not np.isfinite(values).all():
        raise InputError(f"{place}: holds a number that is not finite")
    return face_of(values)
