"""Model folders: what a stranger may have put there is refused in one line, before native code sees it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support.live2d_folder import moc3, physics3, write_model
from support.pictures import png_chunk
from visavis.cubism.folder import MAX_TEXTURE_BYTES, ModelFolder
from visavis.errors import InputError


def test_a_whole_folder_is_read(tmp_path: Path) -> None:
    model = ModelFolder.load(write_model(tmp_path / "m"))
    assert model.moc == moc3()
    assert list(model.expressions) == ["joy"]
    assert model.pose is None
    assert model.physics["Meta"]["PhysicsSettingCount"] == 1


@pytest.mark.parametrize(
    "image",
    [
        np.arange(64, dtype=np.uint8).reshape(8, 8),
        np.arange(192, dtype=np.uint8).reshape(8, 8, 3),
        np.arange(256, dtype=np.uint8).reshape(8, 8, 4),
        np.arange(256, dtype=np.uint16).reshape(8, 8, 4) << 8,
    ],
)
def test_textures_of_every_kind_become_the_same_pixels_with_alpha(
    tmp_path: Path, image: np.ndarray[Any, Any]
) -> None:
    path = write_model(tmp_path / "m")
    cv2.imwrite(str(path.parent / "t.png"), image)
    (data,) = ModelFolder.load(path).textures
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    wanted = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    assert found.shape == (8, 8, 4)
    colors = wanted[..., None] if wanted.ndim == 2 else wanted[..., :3]
    assert (found[..., :3] == colors).all()
    assert (found[..., 3] == (wanted[..., 3] if wanted.ndim == 3 and wanted.shape[2] == 4 else 255)).all()


def png_head(width: int, height: int) -> bytes:
    """A PNG that states a size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({"Moc": "../m.moc3"}, "outside the model's folder"),
        ({"Moc": "..\\m.moc3"}, "outside the model's folder"),
        ({"Moc": "/etc/passwd"}, "outside the model's folder"),
        ({"Moc": "C:\\m.moc3"}, "outside the model's folder"),
        ({"Textures": ["a/../../t.png"]}, "outside the model's folder"),
        ({"Physics": "link.json"}, "outside the model's folder"),
        ({"Expressions": [{"Name": "x", "File": "../x.exp3.json"}]}, "outside the model's folder"),
        ({"Moc": "none.moc3"}, "which is not there"),
        ({"Moc": "a\0b"}, "printable text"),
        ({"Moc": "m" * 9999}, "printable text"),
        ({"Moc": "pipe"}, "is a named pipe"),
        ({"Moc": "."}, "is a folder"),
        ({"Moc": 3}, "FileReferences: Moc: expected a printable text"),
        ({"Textures": []}, "names no Textures"),
        ({"Textures": "t.png"}, "Textures: expected a list; found a text"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    tmp_path: Path, references: dict[str, Any], message: str
) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(physics3()))
    path = write_model(tmp_path / "m", **references)
    (path.parent / "link.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(InputError, match=message) as caught:
        ModelFolder.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.moc3", b"", "begins with b''"),
        ("m.moc3", b"moc\x0b" + bytes(999), "is no .moc3: it begins with"),
        ("m.moc3", moc3(size=300), "is cut off: 300 bytes"),
        ("m.moc3", moc3(version=0), "version 0; known are 1 to 6"),
        ("m.moc3", moc3(version=7), "version 7; known are 1 to 6"),
        ("m.moc3", moc3(big=1), "big-endian"),
        ("m.moc3", moc3(section=705), "a section is at byte 705 of 704"),
        ("t.png", png_head(16385, 8), "16385 x 8 pixels are too many"),
        ("t.png", png_head(12000, 12000), "12000 x 12000 pixels are too many"),
        ("t.png", png_head(0, 8), "a damaged picture: it has 0 x 8 pixels"),
        ("t.png", b"\xff\xd8\xff\xe0" + bytes(99), "is no PNG"),
        ("t.png", png_head(8, 8), "a damaged picture"),
        ("t.png", png_head(8, 8)[:20], "a damaged picture: the file is cut off"),
        ("t.png", b"GIF89a" + bytes(99), "is no PNG"),
        ("m.physics3.json", b"{", "is no JSON"),
        ("m.physics3.json", b"[" * 100_000, "too deep"),
        ("m.physics3.json", b"[]", "expected an object; found a list"),
        ("m.physics3.json", b'{"Version": 2}', "Version: expected 3; found 2$"),
        ("m.model3.json", b'{"Version": 2}', "Version: expected 3"),
        ("m.model3.json", b'{"Version": 3}', "the key FileReferences is missing"),
        ("m.model3.json", b" " * (1 << 22) + b"{}", "is larger than"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write_model(tmp_path / "m")
    (path.parent / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        ModelFolder.load(path)
    assert "\n" not in str(caught.value)


def test_many_textures_count_together(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m", Textures=["t.png", "u.png", "v.png"])
    for name in ("t.png", "u.png", "v.png"):
        (path.parent / name).write_bytes(png_head(8192, 8192))
    with pytest.raises(
        InputError, match=r"v.png: up to this one, the model's textures have 201 million pixels"
    ):
        ModelFolder.load(path)


def test_a_file_of_endless_size_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m")
    with (path.parent / "t.png").open("r+b") as file:
        file.truncate(MAX_TEXTURE_BYTES + 1)
    with pytest.raises(InputError, match="is larger than 256 MiB"):
        ModelFolder.load(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (lambda path: path.parent, "is a folder; name the file in it"),
        (lambda path: path.with_name("m.moc3"), "ends in .model3.json"),
        (lambda path: path.with_name("m.model.json"), "Cubism 3 to 5"),
        (lambda path: path.with_name("me.VRM"), "a VRM model is shown on the page only"),
        (lambda path: path.with_name("n.model3.json"), "no such file"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ModelFolder.load(name(write_model(tmp_path / "m")))


def test_expressions_are_found_by_name_or_by_file(tmp_path: Path) -> None:
    model = ModelFolder.load(write_model(tmp_path / "m"))
    assert model.expression("joy") == model.expression(str(tmp_path / "m" / "joy.exp3.json"))
    with pytest.raises(InputError, match="no expression 'grief'; it has joy"):
        model.expression("grief")
