from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from support import hdr
from support.pictures import png_chunk
from visavis.capture.image import decode_image, holds_image, is_picture, read_image
from visavis.capture.image_header import image_size
from visavis.capture.media import CONVERTS_HDR
from visavis.errors import InputError, MissingExtraError

RED_GREEN = np.zeros((6, 8, 3), np.uint8)
RED_GREEN[:, :4, 0] = 255  # Left half red, right half green, in RGB.
RED_GREEN[:, 4:, 1] = 255


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    bgr = image[..., [2, 1, 0, *range(3, image.shape[2])]] if image.ndim == 3 else image
    good, data = cv2.imencode(suffix, np.ascontiguousarray(bgr))
    assert good
    return data.tobytes()


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


def test_gray_becomes_rgb() -> None:
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


@pytest.mark.slow
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
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")
    with pytest.raises(InputError, match=r"bomb\.png: 30000x30000 is 900 megapixels; at most 100 megapixels"):
        decode_image(data, "bomb.png")


def test_the_limit_of_pixels_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(np.zeros((60, 50, 3), np.uint8))
    monkeypatch.setenv("VISAVIS_MAX_MEGAPIXELS", "0.0029")
    with pytest.raises(InputError, match="VISAVIS_MAX_MEGAPIXELS changes this limit"):
        decode_image(data, "x")
    monkeypatch.setenv("VISAVIS_MAX_MEGAPIXELS", "0.003")
    assert decode_image(data, "x").shape == (60, 50, 3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg", ".gif", ".avif"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6])
def test_truncated_is_one_error(suffix: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = avif(noise) if suffix == ".avif" else encoded(noise, suffix)
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


def avif(stored: np.ndarray, orientation: int = 1) -> bytes:
    pillow = pytest.importorskip("PIL.Image")
    if not pytest.importorskip("PIL.features").check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    exif = pillow.Exif()
    exif[0x112] = orientation
    with io.BytesIO() as file:
        pillow.fromarray(stored).save(file, "AVIF", exif=exif, quality=95)
        return file.getvalue()


@pytest.mark.skipif(av.library_versions["libavformat"] < (62,), reason="FFmpeg reads no irot before 8.0")
@pytest.mark.parametrize(
    ("orientation", "store"),
    [
        (1, lambda shown: shown),
        (2, lambda shown: shown[:, ::-1]),
        (3, lambda shown: shown[::-1, ::-1]),
        (5, lambda shown: shown.transpose(1, 0, 2)),
        (6, lambda shown: np.rot90(shown)),
        (8, lambda shown: np.rot90(shown, -1)),
    ],
)
def test_avif_comes_as_the_file_says(orientation: int, store: Callable[[np.ndarray], np.ndarray]) -> None:
    shown = np.kron(RED_GREEN, np.ones((8, 8, 1), np.uint8))
    shown[: len(shown) // 2] //= 3
    data = avif(np.ascontiguousarray(store(shown)), orientation)
    read = decode_image(data, "x.avif")
    assert read.shape == shown.shape
    assert np.abs(read.astype(int) - shown)[2:-2:4, [8, 56]].max() < 30


def test_an_avif_with_alpha_is_read_without_it() -> None:
    picture = np.full((48, 64, 4), 200, np.uint8)
    picture[:24, :, 3] = 255
    assert decode_image(avif(picture), "x.avif").mean() == pytest.approx(200, abs=3)


@pytest.mark.skipif(not CONVERTS_HDR, reason="this PyAV cannot convert HDR")
def test_an_avif_of_hdr_has_the_colors_of_srgb(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this FFmpeg writes no AV1")
    hdr.write(tmp_path / "a.avif", "libsvtav1")
    capfd.readouterr()  # The encoder talks.
    assert np.abs(read_image(tmp_path / "a.avif")[32, 32::64] - hdr.COLORS).max() <= 8


def test_the_first_picture_of_an_animated_avif_is_read(tmp_path: Path) -> None:
    pictures = cv2.Animation()
    pictures.frames = [np.full((48, 64, 3), 40 + 20 * k, np.uint8) for k in range(5)]
    pictures.durations = np.full(5, 40, np.int32)
    cv2.imwriteanimation(str(tmp_path / "a.avif"), pictures)
    assert read_image(tmp_path / "a.avif").mean() == pytest.approx(40, abs=3)
    assert holds_image(tmp_path / "a.avif")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def heic_head(width: int, height: int) -> bytes:
    """A HEIC file up to the sizes of its pictures."""
    size = box(b"ispe", struct.pack(">III", 0, width, height))
    properties = box(b"iprp", box(b"ipco", size))
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4) + properties)


def test_heic_needs_its_extra_and_keeps_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="20000x20000 is 400 megapixels"):
        decode_image(heic_head(20_000, 20_000), "x.heic")
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtraError, match=r"x\.heic: reading HEIC needs .* extra 'heic'"):
        decode_image(heic_head(64, 48), "x.heic")


def test_a_damaged_length_costs_nothing() -> None:
    head = struct.pack(">I", 0x7FFF_FFFF) + b"ftypisom\0\0\0\0mif1"
    tracemalloc.start()
    assert image_size(head) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # Bytes; a list of all brands would have 500 million.


@pytest.mark.shared
@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "PXL_0002.avif", "download.jfif"])
def test_a_phones_pictures_are_read(shared: Path, name: str) -> None:
    if name.endswith("HEIC"):
        pytest.importorskip("pi_heif")
    folder = shared / "cases" / "phone_folder"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    jpeg = read_image(folder / "IMG_0003.JPG").astype(int)
    assert np.abs(read_image(folder / name) - jpeg).mean() < 6


def test_the_content_of_a_file_goes_before_its_name(make_video, tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    png = encoded(red)
    for name in ("a.jpg", "a.mp4", "a", "a.dat"):
        (tmp_path / name).write_bytes(png)
        assert is_picture(tmp_path / name)
        assert read_image(tmp_path / name)[0, 0].tolist() == [255, 0, 0]
    make_video("b.mp4").rename(tmp_path / "b.dat")
    assert not is_picture(tmp_path / "b.dat")
    assert is_picture(tmp_path / "missing.dat")
