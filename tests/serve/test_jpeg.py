"""Pictures of clients: bounded cost, found damage, and honest ones as OpenCV reads them."""

from __future__ import annotations

import re
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.pictures import jpeg
from visavis.capture.image import decode_image
from visavis.errors import InputError
from visavis.serve import jpeg as jpeg_module
from visavis.serve.jpeg import check_jpeg, decode_jpeg


def noisy(width: int = 96, height: int = 64, *options: int) -> bytes:
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    done, data = cv2.imencode(".jpg", image, list(options))
    assert done
    return data.tobytes()


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)


def with_segments(data: bytes, count: int, contents: bytes = b"") -> bytes:
    comment = b"\xff\xfe" + (2 + len(contents)).to_bytes(2, "big") + contents
    return data[:2] + count * comment + data[2:]


def test_a_picture_is_checked_before_it_is_decoded() -> None:
    good = jpeg(64, 48)
    check_jpeg(good)
    at = good.index(b"\xff\xc0")
    huge = good[: at + 5] + b"\xff\xff\xff\xff" + good[at + 9 :]
    empty = good[: at + 5] + b"\0\0\0\0" + good[at + 9 :]
    for bad, says in [
        (b"", "no JPEG"),
        (b"\x89PNG\r\n\x1a\n", "no JPEG"),
        (good[:-2], "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (huge, "65535"),
        (empty, "(0, 0)"),
        (good[: at + 1] + b"\xc9" + good[at + 2 :], "rare kind"),  # arithmetic codes
        (good[:at] + good[at : at + 19] + good[at:], "rare kind"),  # two frames
        (with_segments(good, jpeg_module.MAX_SEGMENTS), "256 segments"),
    ]:
        with pytest.raises(InputError, match=re.escape(says)):
            check_jpeg(bad)


@pytest.mark.parametrize(("options", "scans"), [((), 1), (PROGRESSIVE, 10), (RESTARTS, 1)])
def test_pixels_times_scans_are_bounded(
    options: tuple[int, ...], scans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noisy(96, 64, *options)
    monkeypatch.setattr(jpeg_module, "MAX_SCAN_PIXELS", scans * 96 * 64)
    check_jpeg(data)
    monkeypatch.setattr(jpeg_module, "MAX_SCAN_PIXELS", scans * 96 * 64 - 1)
    with pytest.raises(InputError, match=f"{scans} scans of 96x64 pixels; at most {scans * 96 * 64 - 1}"):
        check_jpeg(data)


def test_an_honest_progressive_picture_of_full_hd_passes() -> None:
    check_jpeg(noisy(1920, 1080, *PROGRESSIVE, cv2.IMWRITE_JPEG_QUALITY, 5))


@pytest.mark.parametrize(
    "data",
    [
        noisy(),
        noisy(97, 63, *PROGRESSIVE),
        noisy(96, 64, *RESTARTS),
        with_segments(noisy(), 40, b"a comment"),
        cv2.imencode(".jpg", np.full((9, 7), 77, np.uint8))[1].tobytes(),
    ],
    ids=["baseline", "progressive", "restarts", "comments", "gray"],
)
def test_honest_pictures_look_as_opencv_reads_them(data: bytes) -> None:
    assert np.array_equal(decode_jpeg(data, "x"), decode_image(data, "x"))


def test_orientation_of_exif_is_followed() -> None:
    data = noisy(96, 64)
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"\xff\xe1" + (8 + len(tiff)).to_bytes(2, "big") + b"Exif\0\0" + tiff
    assert decode_jpeg(data[:2] + exif + data[2:], "x").shape == (96, 64, 3)


def test_zeros_of_a_camera_before_the_end_marker_are_no_damage() -> None:
    data = noisy()
    padded = data[:-2] + bytes(300) + data[-2:]
    assert np.array_equal(decode_jpeg(padded, "x"), decode_jpeg(data, "x"))


@pytest.mark.parametrize("options", [(), PROGRESSIVE])
def test_what_a_phone_puts_behind_the_picture_does_not_matter(options: tuple[int, ...]) -> None:
    data = noisy(96, 64, *options)
    for behind in (b"\0", b"\xff\xd9", noisy(32, 32), b"a video" * 1000):
        assert check_jpeg(data + behind) == len(data)
        assert np.array_equal(decode_jpeg(data + behind, "x"), decode_jpeg(data, "x"))
        with pytest.raises(InputError, match="damaged"):
            decode_jpeg(half(data) + behind, "x")


@pytest.mark.parametrize("at", [-1, -40])
def test_a_picture_without_its_end_is_cut_short(at: int) -> None:
    with pytest.raises(InputError, match="cut short: its end marker is missing"):
        check_jpeg(noisy(96, 64, *PROGRESSIVE)[:at])


def half(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\xff\xd9"


@pytest.mark.parametrize(
    "data",
    [
        half(noisy()),
        half(noisy(96, 64, *PROGRESSIVE)),
        half(noisy(96, 64, *RESTARTS)),
        noisy()[:-2] + b"junk\xff\xd9",
    ],
    ids=["half", "half progressive", "half with restarts", "junk"],
)
def test_damaged_data_are_an_error_and_nothing_is_printed(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="frame 7: a damaged JPEG") as caught:
        decode_jpeg(data, "frame 7")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@given(cut=st.integers(2, 600), junk=st.binary(min_size=1, max_size=4))
def test_damaged_jpegs_pass_or_are_refused(cut: int, junk: bytes) -> None:
    good = jpeg(16, 16)
    with suppress(InputError):  # and nothing else
        decode_jpeg(good[:cut] + junk + good[cut + len(junk) :], "x")
