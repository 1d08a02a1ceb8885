"""visavis demo: writes its files without camera or display, or opens the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from typer.testing import CliRunner

from support.console import CommandLine
from visavis.capture.portrait import PortraitClip
from visavis.cli import app
from visavis.errors import DeviceError, InputError
from visavis.motion.motion3 import read_motion3
from visavis.pipeline import Pipeline
from visavis.track import Track

FILES = {"demo.mp4", "demo.npz", "demo.motion3.json"}


@pytest.fixture(autouse=True)
def stand_ins(visavis: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scripted face on a short clip, and a computer with camera and display."""
    monkeypatch.setattr("visavis.capture.portrait.PortraitClip", lambda: PortraitClip(0.2))
    monkeypatch.setattr("visavis.evaluate.doctor.camera_likely", lambda: True)
    monkeypatch.setattr("visavis.evaluate.doctor.display_likely", lambda _: True)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def serve(make_pipeline: object, **options: Any) -> None:
        calls.append(options)
        options["announce"]("http://127.0.0.1:9/")

    monkeypatch.setattr("visavis.serve.server.serve", serve)
    return calls


def test_headless_writes_whole_files(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    out = tmp_path / "new" / "folder"
    result = CliRunner().invoke(app, ["demo", "--headless", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == FILES
    with av.open(str(out / "demo.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 5
    assert len(Track.load(out / "demo.npz")) == 5
    assert read_motion3(out / "demo.motion3.json").fps == 25.0
    assert all(str(out / name) in result.stdout for name in FILES)
    assert scripted_pipeline.mirror is False  # as the picture beside it


def test_json_is_one_object_and_implies_headless(
    visavis: CommandLine, tmp_path: Path, served: list[dict[str, Any]]
) -> None:
    data = visavis.json("demo", "--json", "--out", tmp_path)
    assert data["frames"] == data["frames_with_face"] == 5
    assert {Path(path).name for path in data["written"]} == FILES
    assert not served


def test_with_camera_and_display_the_page_opens(served: list[dict[str, Any]]) -> None:
    result = CliRunner().invoke(app, ["demo", "--port", "0"])
    assert result.exit_code == 0, result.output
    assert served[0]["open_browser"] is True
    assert served[0]["port"] == 0
    assert "http://127.0.0.1:9/" in result.stderr


@pytest.mark.parametrize("lacking", ["camera_likely", "display_likely"])
def test_without_camera_or_display_it_writes_files_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: list[dict[str, Any]], lacking: str
) -> None:
    monkeypatch.setattr(f"visavis.evaluate.doctor.{lacking}", lambda *_: False)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert f"no {lacking.removesuffix('_likely')} here" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert not served


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["demo", "--headless", "--out", str(tmp_path / "file")])
    assert isinstance(result.exception, InputError)
    assert "name another --out" in str(result.exception)


def test_a_port_in_use_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(make_pipeline: object, **options: Any) -> None:
        raise DeviceError("cannot listen on 127.0.0.1, port 9")

    monkeypatch.setattr("visavis.serve.server.serve", serve)
    result = CliRunner().invoke(app, ["demo", "--port", "9"])
    assert isinstance(result.exception, DeviceError)


def test_a_run_that_is_cut_short_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(PortraitClip):
        def __iter__(self) -> Any:
            for number, frame in enumerate(super().__iter__()):
                if number == 4:
                    raise KeyboardInterrupt
                yield frame

    monkeypatch.setattr("visavis.capture.portrait.PortraitClip", lambda: Interrupted(0.2))
    result = CliRunner().invoke(app, ["demo", "--headless", "--out", str(tmp_path)])
    assert result.exit_code == 130
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert 1 <= len(Track.load(tmp_path / "demo.npz")) <= 4
