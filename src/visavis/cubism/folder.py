"""The folder of a Live2D model, read and checked before native code sees any of it.

A model comes from a stranger. Its files may name others outside the folder, claim sizes that fill the
memory, or be made to crash the library that reads them (CVE-2023-27566). So all files are read once, here,
and live2d-py and the page get copies: pictures are decoded and encoded anew, JSON is checked and written
anew, and the head of the ``.moc3`` is checked. Cubism Core checks the rest of it, though not all; see
:mod:`visavis.cubism.trial`.

Format: Live2D Inc., CubismSpecs, ``FileFormats/model3.json.md``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

import cv2
import numpy as np

from visavis.base.files import PathText, as_path
from visavis.base.reading import read_json_object, regular
from visavis.base.words import counted
from visavis.capture.image_header import image_size
from visavis.capture.quiet import quiet_opencv
from visavis.cubism import shapes
from visavis.cubism.shapes import Maybe, shaped
from visavis.errors import InputError
from visavis.motion.exp3 import Exp3, read_exp3

ENDING = ".model3.json"
# Names of the files in a checked copy.
MODEL, MOC = "model3.json", "model.moc3"
MAX_JSON_BYTES = 1 << 22
MAX_MOC_BYTES = 1 << 28
MAX_TEXTURE_BYTES = 1 << 28
# Eight textures of 4096 x 4096: 512 MiB when decoded.
MAX_PIXELS = 1 << 27
MAX_SIDE_PX = 16384
# The head of a .moc3: magic, version, byte order, and from byte 64 on the places of its 160 sections.
MOC_MAGIC = b"MOC3"
# Of Cubism 3.0 (1) to 5.3 (6).
MOC_VERSIONS = range(1, 7)
MOC_SECTIONS_AT, MOC_SECTIONS = 64, 160

_MODEL = {
    "Version": (3,),
    "FileReferences": {
        "Moc": str,
        "Textures": [str],
        "Physics": Maybe(str, ""),
        "Pose": Maybe(str, ""),
        "Expressions": Maybe([{"Name": str, "File": str}], []),
    },
}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model's checked files.

    Attributes:
        path: the ``.model3.json``.
        moc: the model itself.
        textures: PNG files, encoded anew.
        physics: content of the physics3.json; None without one.
        pose: content of the pose3.json; None without one.
        expressions: file of each of the model's own expressions by its name.
    """

    path: Path
    moc: bytes
    textures: tuple[bytes, ...]
    physics: Mapping[str, Any] | None
    pose: Mapping[str, Any] | None
    expressions: Mapping[str, Path]

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read and check a model.

        Args:
            path: its ``.model3.json``.

        Raises:
            InputError: a file is missing, damaged, too large, of an unknown version, or outside the folder.
        """
        path = as_path(path)
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name the file in it that ends in {ENDING}")
        if path.suffix.lower() == ".vrm":
            raise InputError(f"{path}: a VRM model is shown on the page only: visavis serve --model FILE.vrm")
        if not path.name.lower().endswith(ENDING):
            raise InputError(f"{path}: expected the file of a Cubism 3 to 5 model, which ends in {ENDING}")
        model = shaped(read_json_object(path, MAX_JSON_BYTES), _MODEL, str(path))
        files = model["FileReferences"]
        if not files["Textures"]:
            raise InputError(f"{path}: names no Textures")
        inside = _Inside(path)
        return cls(
            path,
            _moc(inside(files["Moc"])),
            _textures([inside(name) for name in files["Textures"]]),
            _checked(files["Physics"], inside, shapes.physics),
            _checked(files["Pose"], inside, shapes.pose),
            {entry["Name"]: inside(entry["File"]) for entry in files["Expressions"]},
        )

    def files(self) -> dict[str, bytes]:
        """A checked copy of the folder: content by name. Its :data:`MODEL` names the other files."""
        pictures = {f"{number}.png": data for number, data in enumerate(self.textures)}
        names: dict[str, Any] = {"Moc": MOC, "Textures": list(pictures)}
        copy = {MOC: self.moc, **pictures}
        for key, content in (("Physics", self.physics), ("Pose", self.pose)):
            if content is not None:
                names[key] = f"{key.lower()}.json"
                copy[names[key]] = _indented(content)
        return {MODEL: _indented({"Version": 3, "FileReferences": names}), **copy}

    def expression(self, name: str) -> Exp3:
        """One of the model's own expressions by its name, or an ``.exp3.json`` file.

        Raises:
            InputError: there is none, or its file is malformed.
        """
        if name in self.expressions:
            return read_exp3(self.expressions[name])
        if name.lower().endswith(".exp3.json"):
            return read_exp3(name)
        known = ", ".join(self.expressions) or "none"
        raise InputError(
            f"{self.path.name} has no expression {name!r}; it has {known}; or name an .exp3.json"
        )


def _indented(content: Any) -> bytes:
    """JSON with line breaks: Live2D's native reader needs them."""
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


class _Inside:
    """Finds files by the names that a model gives them, in its own folder only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.parent.resolve()

    def __call__(self, name: str) -> Path:
        """The regular file of this name.

        Raises:
            InputError: it is missing, no regular file, or elsewhere, also by a link.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        place = (self._folder / wanted).resolve()
        if wanted.is_absolute() or ":" in name or not place.is_relative_to(self._folder):
            raise InputError(f"{self._path}: names {name!r}, which is outside the model's folder")
        if not regular(place).exists():
            raise InputError(f"{self._path}: names {name!r}, which is not there")
        return place


def _checked(
    name: str, inside: _Inside, check: Callable[[Any, str], dict[str, Any]]
) -> Mapping[str, Any] | None:
    if not name:
        return None
    place = inside(name)
    return check(read_json_object(place, MAX_JSON_BYTES), str(place))


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise InputError(f"{path}: is larger than {most >> 20} MiB, more than a model needs")
    return data


def _moc(path: Path) -> bytes:
    data = _bytes(path, MAX_MOC_BYTES)
    if not data.startswith(MOC_MAGIC):
        raise InputError(f"{path}: is no .moc3: it begins with {data[:4]!r}, not {MOC_MAGIC!r}")
    head = MOC_SECTIONS_AT + 4 * MOC_SECTIONS
    if len(data) < head:
        raise InputError(f"{path}: is cut off: {counted(len(data), 'byte')}; a .moc3 has more than {head}")
    version, big = data[4], data[5]
    if version not in MOC_VERSIONS:
        raise InputError(
            f"{path}: a .moc3 of version {version}; known are {MOC_VERSIONS[0]} to {MOC_VERSIONS[-1]}"
        )
    if big:
        raise InputError(f"{path}: the numbers of this .moc3 are big-endian; export the model for a computer")
    places = struct.unpack_from(f"<{MOC_SECTIONS}I", data, MOC_SECTIONS_AT)
    if max(places) > len(data):
        raise InputError(f"{path}: is damaged or cut off: a section is at byte {max(places)} of {len(data)}")
    return data


def _textures(paths: list[Path]) -> tuple[bytes, ...]:
    """The pictures as PNG files of our own; all sizes are read before any picture is decoded."""
    files = [(path, _bytes(path, MAX_TEXTURE_BYTES)) for path in paths]
    pixels = 0
    for path, data in files:
        if not data.startswith(b"\x89PNG"):
            raise InputError(f"{path}: is no PNG; a model's textures are PNG files")
        try:
            size = image_size(data)
        except ValueError as error:
            raise InputError(f"{path}: a damaged picture: {error}") from error
        width, height = size or (0, 0)
        if not (width and height):
            raise InputError(f"{path}: a damaged picture: it has {width} x {height} pixels")
        pixels += width * height
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            raise InputError(
                f"{path}: {width} x {height} pixels are too many; a texture has at most {MAX_SIDE_PX} a "
                f"side, and {MAX_PIXELS / 1e6:.0f} million in all"
            )
        if pixels > MAX_PIXELS:
            raise InputError(
                f"{path}: up to this one, the model's textures have {pixels / 1e6:.0f} million pixels; "
                f"expected at most {MAX_PIXELS / 1e6:.0f} million"
            )
    return tuple(_encoded_anew(path, data) for path, data in files)


def _encoded_anew(path: Path, data: bytes) -> bytes:
    try:
        with quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f"{path}: a damaged picture") from error
    if image is None:
        raise InputError(f"{path}: a damaged picture")
    if image.dtype == np.uint16:
        image = np.asarray(image // 256, np.uint8)
    channels = 1 if image.ndim == 2 else image.shape[2]
    wider = {1: cv2.COLOR_GRAY2BGRA, 3: cv2.COLOR_BGR2BGRA}.get(channels)
    image = image if wider is None else cv2.cvtColor(image, wider)
    _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()
