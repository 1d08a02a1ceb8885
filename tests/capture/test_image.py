from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.capture.image import MAX_PIXELS, decode_image, read_image
from visavis.errors import InputError

RED_GREEN = np.zeros((6, 8, 3), np.uint8)
RED_GREEN[:, :4, 0] = 255  # Left half red, right half green, in RGB.
RED_GREEN[:, 4:, 1] = 255


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    bgr = image[..., [2, 1, 0, *range(3, image.shape[2])]] if image.ndim == 3 else image
    good, data = cv2.imencode(suffix, np.ascontiguousarray(bgr))
    assert good
    return data.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".gif"])
def test_every_format_gives_the_same_picture(suffix: str) -> None:
    image = np.kron(RED_GREEN, np.ones((8, 8, 1), np.uint8))
    read = decode_image(encoded(image, suffix), "x")
    assert read.dtype == np.uint8
    assert read.shape == image.shape
    assert np.abs(read.astype(int) - image)[:, [8, 56]].max() < 30


def test_grey_becomes_rgb() -> None:
    read = decode_image(encoded(np.full((5, 7), 99, np.uint8)), "x")
    assert read.shape == (5, 7, 3)
    assert (read == 99).all()


def test_alpha_is_dropped() -> None:
    rgba = np.dstack([RED_GREEN, np.full(RED_GREEN.shape[:2], 7, np.uint8)])
    assert np.array_equal(decode_image(encoded(rgba), "x"), RED_GREEN)


def test_sixteen_bits_become_eight() -> None:
    read = decode_image(encoded(np.full((4, 4), 200 * 256 + 17, np.uint16)), "x")
    assert (read == 200).all()


def test_palette() -> None:
    body = b"".join(b"\0" + bytes([0, 1]) for _ in range(2))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0))
    data += png_chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255])) + png_chunk(b"IDAT", zlib.compress(body))
    read = decode_image(data + png_chunk(b"IEND", b""), "x")
    assert read.tolist() == [[[255, 0, 0], [0, 0, 255]]] * 2


def test_one_pixel() -> None:
    assert decode_image(encoded(np.full((1, 1, 3), 5, np.uint8)), "x").shape == (1, 1, 3)


def test_8k(tmp_path: Path) -> None:
    path = tmp_path / "8k.jpg"
    path.write_bytes(encoded(np.zeros((4320, 7680), np.uint8), ".jpg"))
    assert read_image(path).shape == (4320, 7680, 3)


def test_exif_orientation_turns_the_picture() -> None:
    upright = np.kron(RED_GREEN, np.ones((8, 8, 1), np.uint8))
    stored = np.rot90(upright)  # Orientation 6: the camera lay on its side; turn clockwise to show.
    read = decode_image(with_orientation(encoded(stored, ".jpg"), 6), "x")
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright)[:, [8, 56]].max() < 30


def test_bomb_is_refused_before_decoding() -> None:
    side = 30_000
    assert side * side > MAX_PIXELS
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")
    with pytest.raises(InputError, match=r"bomb\.png: 30000x30000 is 900 megapixels"):
        decode_image(data, "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".gif"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6])
def test_truncated_is_one_error(suffix: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(noise, suffix)
    with pytest.raises(InputError, match=r"cut\.img: "):
        decode_image(data[: int(len(data) * kept)], "cut.img")
    assert capfd.readouterr().err == ""


def test_damaged_png_is_one_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)))
    data[len(data) // 2] ^= 255
    with pytest.raises(InputError, match="IDAT chunk is damaged"):
        decode_image(bytes(data), "x")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [b"", b"hello", b"P5", b"P6 x y 255 ", b"\xff\xd8", b"BM", b"\0" * 100])
def test_not_an_image(data: bytes) -> None:
    with pytest.raises(InputError, match="thing: "):
        decode_image(data, "thing")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "no.png")
    with pytest.raises(InputError, match="found a folder"):
        read_image(tmp_path)
