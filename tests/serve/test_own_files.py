"""The operator's files: what is read, what is refused, what the page gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cubism_core import CORE, write_core, write_web_model
from support.talking import asking
from support.vrm_file import NO_VRM, vrm_file
from visavis.errors import InputError
from visavis.serve.own_files import MAX_VRM_BYTES, OwnFiles


def test_the_page_gets_a_checked_copy(tmp_path: Path) -> None:
    model, core = write_web_model(tmp_path / "box"), write_core(tmp_path)
    own = OwnFiles.read(model, core, None)
    (tmp_path / "box" / "box.moc3").unlink()  # Everything was read at the start.
    with asking(own=own) as client:
        told = client.get("/model").json()
        assert told == {
            "kind": "live2d",
            "name": "box",
            "files": ["model3.json", "model.moc3", "0.png", "physics.json", "pose.json"],
            "core": True,
        }
        names = client.get("/model/model3.json").json()["FileReferences"]
        assert {names["Moc"], *names["Textures"], names["Physics"], names["Pose"]} == set(told["files"][1:])
        assert client.get("/model/0.png").content.startswith(b"\x89PNG")
        assert client.get("/model/core.js").text == CORE
        assert client.get("/model/box.moc3").status_code == 404
        assert client.get("/health").json()["retarget"] is None


def test_without_files_there_are_none() -> None:
    with asking() as client:
        assert client.get("/model").json() == {"kind": "", "name": "", "files": [], "core": False}
        assert client.get("/model/core.js").status_code == 404


def test_a_vrm_file_is_given_as_it_is(tmp_path: Path) -> None:
    (model := tmp_path / "me.VRM").write_bytes(vrm_file())
    with asking(own=OwnFiles.read(model, None, None)) as client:
        offer = {"kind": "vrm", "name": "me", "files": ["model.vrm"], "core": False}
        assert client.get("/model").json() == offer
        assert client.get("/model/model.vrm").content == vrm_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no VRM file"),
        (b"glTF" + b" " * MAX_VRM_BYTES, "has more than 100 MB"),
        (b"glTF", "glTF version 0"),
        (vrm_file().replace(b"{", b"[", 1), "description is damaged"),
        (vrm_file(extensions=3), "description is damaged"),
        (vrm_file(buffers=3), "description is damaged"),
        (vrm_file(images=["a.png"]), "description is damaged"),
        (vrm_file(images=[{"uri": 3}]), "description is damaged"),
        *NO_VRM,
    ],
)
def test_a_file_that_is_no_vrm(tmp_path: Path, content: bytes, message: str) -> None:
    (model := tmp_path / "me.vrm").write_bytes(content)
    with pytest.raises(InputError, match=message):
        OwnFiles.read(model, None, None)
    with pytest.raises(InputError, match="no such file; name a VRM model"):
        OwnFiles.read(tmp_path / "you.vrm", None, None)
    (other := tmp_path / "me.glb").write_bytes(content)
    with pytest.raises(InputError, match=r"me\.glb: expected a model for the page, which ends in \.vrm or"):
        OwnFiles.read(other, None, None)


def test_another_script_is_no_core(tmp_path: Path) -> None:
    other = tmp_path / "live2dcubismcore.min.js"
    for content, message in (
        ("var a = 1;", "is not Cubism Core"),
        (CORE + " " * 8_000_000, "is not Cubism Core"),
    ):
        other.write_text(content)
        with pytest.raises(InputError, match=message):
            OwnFiles.read(None, other, None)
    with pytest.raises(InputError, match="no such file"):
        OwnFiles.read(None, tmp_path / "nothing.js", None)
