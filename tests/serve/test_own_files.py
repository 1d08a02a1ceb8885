"""The operator's files: what is read, what is refused, what the page gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import scripted_server as scripted
from support.cubism_core import CORE, write_core, write_web_model
from support.vrm_file import vrm_file
from visavis.errors import InputError
from visavis.serve.own_files import MAX_VRM_BYTES, OwnFiles

client = pytest.importorskip("starlette.testclient")


def test_the_page_gets_a_checked_copy(tmp_path: Path) -> None:
    from visavis.serve.app import create_app

    model, core = write_web_model(tmp_path / "box"), write_core(tmp_path)
    app = create_app(scripted.ScriptedPipeline, own=OwnFiles.read(model, core, None))
    (tmp_path / "box" / "box.moc3").unlink()  # Everything was read at the start.
    with client.TestClient(app, base_url="http://127.0.0.1") as asking:
        told = asking.get("/model").json()
        assert told == {
            "kind": "live2d",
            "name": "box",
            "files": ["model3.json", "model.moc3", "0.png", "physics.json", "pose.json"],
            "core": True,
        }
        names = asking.get("/model/model3.json").json()["FileReferences"]
        assert {names["Moc"], *names["Textures"], names["Physics"], names["Pose"]} == set(told["files"][1:])
        assert asking.get("/model/0.png").content.startswith(b"\x89PNG")
        assert asking.get("/model/core.js").text == CORE
        assert asking.get("/model/box.moc3").status_code == 404
        assert asking.get("/health").json()["retarget"] is None


def test_without_files_there_are_none() -> None:
    from visavis.serve.app import create_app

    with client.TestClient(create_app(scripted.ScriptedPipeline), base_url="http://127.0.0.1") as asking:
        assert asking.get("/model").json() == {"kind": "", "name": "", "files": [], "core": False}
        assert asking.get("/model/core.js").status_code == 404


def test_a_vrm_file_is_given_as_it_is(tmp_path: Path) -> None:
    from visavis.serve.app import create_app

    (model := tmp_path / "me.VRM").write_bytes(vrm_file())
    app = create_app(scripted.ScriptedPipeline, own=OwnFiles.read(model, None, None))
    with client.TestClient(app, base_url="http://127.0.0.1") as asking:
        offer = {"kind": "vrm", "name": "me", "files": ["model.vrm"], "core": False}
        assert asking.get("/model").json() == offer
        assert asking.get("/model/model.vrm").content == vrm_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no VRM file"),
        (b"PNG", "it does not begin with glTF"),
        (b"glTF" + b" " * MAX_VRM_BYTES, "has more than 100 MB"),
        (b"glTF", "glTF version 0"),
        (b"glTF\x01\0\0\0" + vrm_file()[8:], "glTF version 1; VRM files have version 2"),
        (vrm_file()[:200], "is cut short or damaged"),
        (vrm_file()[:-9], "is cut short or damaged"),
        (vrm_file().replace(b"{", b"[", 1), "description is damaged"),
        (vrm_file(extensions=3), "description is damaged"),
        (vrm_file(buffers=3), "description is damaged"),
        (vrm_file(images=["a.png"]), "description is damaged"),
        (vrm_file(images=[{"uri": 3}]), "description is damaged"),
        (vrm_file(extensions={}), "without VRM data"),
        (vrm_file(images=[{"uri": "https://example.org/a.png"}]), "refers to other files"),
        (vrm_file(buffers=[{"byteLength": 4, "uri": "../a.bin"}]), "refers to other files"),
    ],
)
def test_a_file_that_is_no_vrm(tmp_path: Path, content: bytes, message: str) -> None:
    (model := tmp_path / "me.vrm").write_bytes(content)
    with pytest.raises(InputError, match=message):
        OwnFiles.read(model, None, None)
    with pytest.raises(InputError, match="no such file; name a VRM model"):
        OwnFiles.read(tmp_path / "you.vrm", None, None)


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
