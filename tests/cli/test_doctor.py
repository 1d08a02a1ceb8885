"""visavis doctor: finds broken parts, and does not fail because of them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from visavis.base import int8, networks
from visavis.cli import app
from visavis.errors import DeviceError, InputError, WeightsError
from visavis.evaluate import doctor
from visavis.evaluate.doctor import Check, attempt, camera_likely, check_extra, check_networks, display_likely


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that are as the manifest says."""
    entry = SimpleNamespace(file="x.onnx", size=1_500_000)
    monkeypatch.setattr(networks, "manifest", lambda: {"tracker": entry})
    monkeypatch.setattr(networks, "open_session", lambda name: None)
    monkeypatch.setattr(int8, "gain", lambda: 2.0)


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.usefixtures("sound")
def test_a_sound_installation_ends_with_status_0() -> None:
    status, data = run()
    assert status == 0, data
    assert data["ok"] is True
    found = {check["name"]: check for check in data["checks"]}
    assert found.keys() >= {"python", "packages", "avatar", "portrait", "video encoder", "cameras", "page"}
    assert found["network tracker"]["detail"] == "x.onnx, 1.5 MB"
    assert all("\n" not in check["detail"] for check in data["checks"])


@pytest.mark.usefixtures("sound")
def test_a_changed_network_ends_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise WeightsError("assets/x.onnx is not the file that the manifest describes")

    monkeypatch.setattr(networks, "open_session", refuse)
    status, data = run()
    assert status == 2
    assert data["ok"] is False
    broken = [check for check in data["checks"] if check["essential"] and not check["ok"]]
    assert [check["name"] for check in broken] == ["network tracker"]


@pytest.mark.usefixtures("sound")
def test_a_wrong_choice_of_8_bits_ends_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_INT8", "maybe")  # Every command would end with this error.
    status, data = run()
    assert (status, data["ok"]) == (2, False)
    [wrong] = [check for check in data["checks"] if check["essential"] and not check["ok"]]
    assert wrong["detail"] == "VISAVIS_INT8 is 'maybe'; expected auto, on, off"


def test_a_missing_manifest_is_one_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise WeightsError("assets/manifest.json cannot be read")

    monkeypatch.setattr(networks, "manifest", refuse)
    assert list(check_networks()) == [Check("networks", False, True, "assets/manifest.json cannot be read")]
    monkeypatch.setattr(networks, "manifest", dict)
    assert [check.ok for check in check_networks()] == [False]


@pytest.mark.usefixtures("sound")
def test_text_has_a_line_for_each_check() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert all(line[:5].strip() in ("ok", "-") for line in result.stdout.splitlines())
    assert len(result.stdout.splitlines()) >= 12


def test_what_is_checked_stands_apart_from_what_was_found() -> None:
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    for name in networks.manifest():
        assert any(f"network {name}  " in line for line in lines), name


def test_a_package_that_cannot_be_imported_is_a_finding() -> None:
    def look() -> str:
        raise ImportError("DLL load failed\nwhile importing it")

    assert attempt("x", look) == Check("x", False, True, "DLL load failed while importing it")


@pytest.mark.usefixtures("sound")
def test_a_port_in_use_is_told_and_does_not_fail() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, data = run("--port", str(port))
    page = next(check for check in data["checks"] if check["name"] == "page")
    assert status == 0
    assert not page["ok"]
    assert str(port) in page["detail"]
    assert "--port" in page["detail"]


def test_a_missing_encoder_says_what_to_do() -> None:
    with pytest.raises(DeviceError, match="comes without no_such_codec: pip install"):
        doctor._look_at_codec("no_such_codec")


def test_extras_that_are_missing_say_how_to_install_them() -> None:
    assert check_extra("mediapipe", "numpy", "tracking").ok
    missing = check_extra("mediapipe", "no_such_package", "tracking")
    assert not missing.ok
    assert not missing.essential
    assert "pip install -e '.[mediapipe]'" in missing.detail


class StandInCamera:
    def __init__(self, index: int) -> None:
        if index == 1:
            raise DeviceError("camera 1 was not found")
        self.size = (640, 480)

    def __enter__(self) -> StandInCamera:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_cameras_that_open_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_candidates", lambda: [0, 1, 2])
    assert doctor.look_at_cameras(StandInCamera) == "0 (640x480), 2 (640x480)"  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "_candidates", lambda: [1])
    with pytest.raises(DeviceError, match="none found"):
        doctor.look_at_cameras(StandInCamera)  # type: ignore[arg-type]


def test_camera_and_display_are_guessed_from_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert not camera_likely(tmp_path)
    (tmp_path / "video0").touch()
    assert camera_likely(tmp_path)
    assert not display_likely({"DISPLAY": ""})
    assert display_likely({"WAYLAND_DISPLAY": "wayland-0"})
    monkeypatch.setattr("sys.platform", "darwin")
    assert camera_likely(tmp_path / "none")
    assert display_likely({})


def test_a_broken_drawing_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise InputError("puppet.json: not a drawing")

    monkeypatch.setattr("visavis.avatar.puppet.Puppet.load", refuse)
    assert not attempt("avatar", doctor._look_at_avatar).ok
