"""Reading image files as upright RGB arrays."""

from __future__ import annotations

import io
import stat

import av
import cv2
import numpy as np
from av.stream import Disposition

from visavis.base.files import PathText, as_path
from visavis.base.limits import PICTURE
from visavis.capture.image_header import FORMATS, heif_kind, image_size, is_image
from visavis.capture.media import display_matrix, first_choice, oriented, rgb
from visavis.capture.quiet import quiet_opencv
from visavis.errors import InputError, MissingExtraError
from visavis.types import ImageArray

# Endings of the supported image files.
IMAGE_SUFFIXES = frozenset(
    """.png .jpg .jpeg .jpe .jfif .webp .bmp .gif .tif .tiff .pgm .ppm .avif .heic .heif""".split()
)
# Uncompressed, 16 bits, four channels.
BYTES_PER_PIXEL = 8
HEAD_BYTES = 256


def holds_image(path: PathText) -> bool:
    """Whether a file begins as an image does, whatever its name; no for a missing file."""
    path = as_path(path)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_image(file.read(HEAD_BYTES))
    except OSError:
        return False


def is_picture(path: PathText) -> bool:
    """Whether to read a file as an image: its content decides; if that is none, its name does."""
    path = as_path(path)
    return holds_image(path) or path.suffix.lower() in IMAGE_SUFFIXES or not path.is_file()


def read_image(path: PathText) -> ImageArray:
    """Read an image file as RGB (H, W, 3) uint8, turned as its EXIF orientation says.

    Raises:
        InputError: the image is missing, not a file, unreadable, damaged, of an unknown format, or too large.
    """
    path = as_path(path)
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise InputError(f"{path}: found a folder; expected an image file")
        if not stat.S_ISREG(facts.st_mode):  # A pipe or a device may have no end.
            raise InputError(f"{path}: is no regular file; expected an image")
        size = facts.st_size
        if size > BYTES_PER_PIXEL * 1e6 * PICTURE.value:
            raise InputError(f"{path}: no image of {PICTURE} has {size / 1e6:.0f} MB; make it smaller")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, what: str) -> ImageArray:
    """Decode an image file held in memory.

    Grey, palette, RGBA (alpha is dropped) and 16-bit images are converted to RGB.

    Args:
        data: the whole file.
        what: name of the image in messages.

    Returns:
        (H, W, 3) uint8 RGB, upright.

    Raises:
        InputError: the image is damaged, of an unknown format, or has more pixels than
            :data:`visavis.base.limits.PICTURE`.
        MissingExtraError: it is HEIC, and the extra ``heic`` is not installed.
    """
    if not data:
        raise InputError(f"{what}: the file is empty; expected an image")
    try:
        size = image_size(data)
    except ValueError as error:
        raise InputError(f"{what}: a damaged image: {error}") from error
    if size is None:
        raise InputError(f"{what}: not an image, or of a format that is not read; expected {FORMATS}")
    width, height = size
    if width <= 0 or height <= 0:
        raise InputError(f"{what}: a damaged image: its header states {width}x{height} pixels")
    if width * height > 1e6 * PICTURE.value:
        raise InputError(
            f"{what}: {width}x{height} is {width * height / 1e6:.15g} megapixels; at most {PICTURE}: make it "
            "smaller"
        )
    if kind := heif_kind(data):
        return _decode_avif(data, what) if kind == "AVIF" else _decode_heic(data, what)
    try:
        with quiet_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"{what}: a damaged image: {error.err}") from error
    if image is None:
        raise InputError(
            f"{what}: a damaged or truncated image, or of a kind that is not read; save it as PNG or JPEG"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), np.uint8)


def _decode_avif(data: bytes, what: str) -> ImageArray:
    """Decode by FFmpeg, since OpenCV leaves an AVIF as it is stored, turned or mirrored."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = first_choice(container.streams.video)
            if stream is None:
                raise InputError(f"{what}: a damaged or truncated image; get it again")
            if stream.disposition & Disposition.dependent:
                raise InputError(f"{what}: an AVIF in several tiles is not read; save it as PNG or JPEG")
            frame = next(container.decode(stream))
            image = rgb(frame)
            matrix = display_matrix(frame)
    except (av.FFmpegError, IndexError, StopIteration, ValueError) as error:
        raise InputError(f"{what}: a damaged or truncated image; get it again") from error
    return image if matrix is None else oriented(image, matrix)


def _decode_heic(data: bytes, what: str) -> ImageArray:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingExtraError("pi-heif", "heic", f"{what}: reading HEIC") from error
    try:
        picture = pi_heif.open_heif(io.BytesIO(data)).to_pillow()
        return np.array(picture.convert("RGB"), np.uint8)
    except (ValueError, RuntimeError, EOFError, SyntaxError, OSError) as error:
        raise InputError(f"{what}: a damaged or truncated image; get it again") from error
