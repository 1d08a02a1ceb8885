"""Pictures of clients: their cost is bounded before they are decoded, and damage is an error."""

from __future__ import annotations

import re
import struct

import numpy as np
import numpy.typing as npt
import simplejpeg

from visavis.capture.image import decode_image
from visavis.capture.image_header import JPEG_BARE, JPEG_FRAMES, image_size
from visavis.errors import InputError
from visavis.types import ImageArray

MAX_IMAGE_PIXELS = 4_000_000
# A progressive picture is decoded once for each scan. Encoders make about ten; browsers and cameras make one.
MAX_SCAN_PIXELS = 24_000_000
# Encoders write about ten segments, and as many again with EXIF and a color profile.
MAX_SEGMENTS = 256
# Baseline, extended and progressive, with Huffman codes; ITU-T T.81, table B.1.
PROCESSES = frozenset({0xC0, 0xC1, 0xC2})
START_OF_SCAN, END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_PADDING = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


def check_jpeg(data: bytes) -> int:
    """Check what a JPEG file would cost, from its markers, before it is decoded.

    Returns:
        The number of bytes up to the end of the picture. Phones put further pictures or videos behind it.

    Raises:
        InputError: the file is not a JPEG, is cut off or damaged, or its pixels, its scans or its segments
            are too many.
    """
    if not data.startswith(b"\xff\xd8"):
        raise InputError(f"the frame is no JPEG: it begins with {data[:4]!r}")
    try:
        size = image_size(data)
        if size is None or not 0 < size[0] * size[1] <= MAX_IMAGE_PIXELS:
            raise InputError(f"the frame's size in pixels is {size}; send 1 to {MAX_IMAGE_PIXELS} pixels")
        scans, end = _count_scans(data)
    except (IndexError, struct.error) as error:
        raise InputError("the frame's JPEG is cut short: its end marker is missing") from error
    except ValueError as error:
        raise InputError(f"the frame's JPEG is damaged: {error}") from error
    if scans * size[0] * size[1] > MAX_SCAN_PIXELS:
        raise InputError(
            f"the frame's JPEG has {scans} scans of {size[0]}x{size[1]} pixels; at most {MAX_SCAN_PIXELS} "
            "pixels are decoded in all scans together: send a baseline JPEG"
        )
    return end


def _count_scans(data: bytes) -> tuple[int, int]:
    """Number of scans of a JPEG file, and number of bytes with the end marker.

    Raises:
        InputError: the file is of a process that is not read, or has more than MAX_SEGMENTS segments.
        ValueError: another byte is where a marker should be.
        IndexError, struct.error: the file ends before its end marker.
    """
    at, scans, frames = 2, 0, 0
    ends = _ends_of_scans(data)
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.match(data, at)
        if found is None:
            _ = data[at]  # raises IndexError where the file has ended
            raise ValueError("a JPEG marker is missing")
        at, marker = found.end(), data[found.end() - 1]
        if marker == END:
            return scans, at
        if marker in JPEG_BARE:
            continue
        if marker in JPEG_FRAMES:
            frames += 1
            if marker not in PROCESSES or frames > 1:
                raise InputError("the frame's JPEG is of a rare kind; send a baseline or progressive JPEG")
        at += struct.unpack_from(">H", data, at)[0]
        if marker == START_OF_SCAN:
            scans += 1
            at = int(ends[np.searchsorted(ends, at)])
    raise InputError(f"the frame's JPEG has more than {MAX_SEGMENTS} segments; send one without metadata")


def _ends_of_scans(data: bytes) -> npt.NDArray[np.intp]:
    """Places of all markers that end a scan: FF 00 is a byte of it, and FF D0 to FF D7 restart it."""
    values = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(values[:-1] == 0xFF)
    following = values[places + 1]
    ends: npt.NDArray[np.intp] = places[(following != 0) & (following != 0xFF) & (following & 0xF8 != 0xD0)]
    return ends


def decode_jpeg(data: bytes, what: str) -> ImageArray:
    """Decode a JPEG file whose cost is bounded and whose data are whole.

    libjpeg only warns of damaged data, and paints gray where they are missing. Here a warning is an error.
    Some cameras fill the data up with zeros; that is no damage.

    Args:
        data: the whole file.
        what: name of the picture in messages.

    Returns:
        (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Raises:
        InputError: see :func:`check_jpeg`; or the data are damaged.
    """
    data = data[: check_jpeg(data)]
    try:
        image = simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False)
    except ValueError as error:
        extra = _PADDING.search(str(error))
        if extra is None or data[-2 - int(extra[1]) : -2].strip(b"\x00"):
            raise InputError(f"{what}: a damaged JPEG: {error}") from error
        image = simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False, strict=False)
    # Pictures of browsers have no EXIF orientation; OpenCV turns the others.
    return decode_image(data, what) if b"Exif\x00\x00" in data[:256] else image
