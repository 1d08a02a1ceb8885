"""Width and height of an image file, read from its header without decoding."""

from __future__ import annotations

import struct
import zlib

# The start-of-frame segment of a JPEG contains its size: C0..CF without C4 (Huffman tables), C8 (reserved)
# and CC (arithmetic coding tables). ITU-T T.81, table B.1.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
FORMATS = "PNG, JPEG, WebP, BMP, GIF, TIFF, PNM, AVIF or HEIC"
# Brands of pictures in ISO/IEC 23008-12's container; an animated AVIF (avis) is read as an animated GIF is.
HEIF_BRANDS = {
    **dict.fromkeys((b"avif", b"avio", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1"), "HEIC"),
}
# The header states how many there are; a damaged one states hundreds of millions.
MOST_BRANDS = 15


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from the header; None if no supported format is recognised.

    Raises:
        ValueError: the header, or a chunk of a PNG, is cut off or damaged.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", data, 6)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data.startswith((b"II*\0", b"MM\0*")):
            return _tiff(data)
        if heif_kind(data):
            return _heif(data)
        if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
            return _pnm(data)
    except (struct.error, IndexError) as error:
        raise ValueError("the file is cut off") from error
    return None


def is_image(data: bytes) -> bool:
    """Whether the first bytes of a file, 64 or more, begin a supported image."""
    try:
        return image_size(data) is not None
    except ValueError:  # Only the rest is missing.
        return True


def heif_kind(data: bytes) -> str | None:
    """``AVIF`` or ``HEIC``; None if the data are neither."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4]), len(data), 16 + 4 * MOST_BRANDS)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end, 4))]
    kinds = [kind for brand in brands if (kind := HEIF_BRANDS.get(brand))]
    if not kinds or data[8:12] not in HEIF_BRANDS:  # Videos, too, may be compatible with mif1.
        return None
    return "AVIF" if "AVIF" in kinds else "HEIC"


def _heif(data: bytes) -> tuple[int, int]:
    """The largest of the pictures and tiles; ISO/IEC 23008-12, 6.5.3."""
    sizes = [(0, 0)]
    at = data.find(b"ispe")
    while at >= 0:
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4)
    return max(sizes, key=lambda size: size[0] * size[1])


def _png(data: bytes) -> tuple[int, int]:
    """Also checks all chunks, because libpng would only report a bad one on standard error."""
    at = 8
    kind = b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        (stated,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(memoryview(data)[at + 4 : at + 8 + length]) != stated:
            raise ValueError(f"its {kind.decode('ascii', 'replace')} chunk is damaged")
        at += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("a JPEG marker is missing")
        marker = data[at + 1]
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:  # Fill byte.
            at += 1
        elif marker in JPEG_BARE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp(data: bytes) -> tuple[int, int]:
    """VP8X, VP8L and VP8 chunks; RFC 9649, sections 2.5 to 2.7."""
    kind = data[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return width, abs(height)  # A negative height means rows from the top.


def _tiff(data: bytes) -> tuple[int, int]:
    """Tags 256 and 257 of the first directory; TIFF 6.0, section 2."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    size: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (size[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    if size.keys() != {256, 257}:
        raise ValueError("its directory states no size")
    return size[256], size[257]


def _pnm(data: bytes) -> tuple[int, int]:
    lines = (line.split(b"#")[0] for line in data[2:4096].splitlines())
    words = b" ".join(lines).split()
    return int(words[0]), int(words[1])
