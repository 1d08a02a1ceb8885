"""Reading image files as upright RGB arrays."""

from __future__ import annotations

import cv2
import numpy as np

from visavis.base.files import PathText, as_path
from visavis.capture.image_header import FORMATS, image_size
from visavis.capture.quiet import quiet_opencv
from visavis.errors import InputError
from visavis.types import ImageArray

# Endings of the supported image files.
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
)
# A small file can expand to gigabytes, so nothing larger than this is decoded. 8k video has 33 megapixels;
# the largest phone cameras have 100 by default.
MAX_PIXELS = 100_000_000
# Uncompressed, 16 bits, four channels.
MAX_BYTES = 8 * MAX_PIXELS


def read_image(path: PathText) -> ImageArray:
    """Read an image file as RGB (H, W, 3) uint8, turned as its EXIF orientation says.

    Raises:
        InputError: the image is missing, not a file, unreadable, damaged, of an unknown format, or too large.
    """
    path = as_path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path}: found a folder; expected an image file")
        if path.exists() and not path.is_file():  # A pipe or a device may have no end.
            raise InputError(f"{path}: is no regular file; expected an image")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: the file is larger than {MAX_BYTES / 1e6:.0f} MB; make it smaller")
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
        InputError: the image is damaged, of an unknown format, or has more than ``MAX_PIXELS`` pixels.
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
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{what}: {width}x{height} is {width * height / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS / 1e6:.0f} are read: make it smaller"
        )
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
