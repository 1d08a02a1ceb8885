"""--recognizer and --keep: the network that the commands read expressions with, and their refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support import tiny_sparse
from support.console import CommandLine
from visavis.base import networks
from visavis.channels import EXPRESSION_CHANNELS
from visavis.cli.recognizer import DENSE, parse_keep
from visavis.evaluate.bench import Timing
from visavis.expression.registry import DEFAULT, NETWORKS
from visavis.pipeline import Pipeline
from visavis.track import Track
from visavis.types import Frame

CONTEMPT = EXPRESSION_CHANNELS.index("contempt")

pytestmark = pytest.mark.usefixtures("painted_puppet")


@pytest.fixture
def sparse(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, scripted_pipeline: Pipeline
) -> CommandLine:
    """Runs a command line with a scripted tracker and the tiny sparse network; returns its exit status."""
    tiny_sparse.embed(monkeypatch)
    monkeypatch.setattr("visavis.pipeline.open_tracker", lambda *_: scripted_pipeline._tracker)
    return command_line


def test_the_options_offer_what_there_is() -> None:
    assert DENSE == DEFAULT
    assert DENSE in NETWORKS


def test_a_network_of_ones_own_reads_too(
    sparse: CommandLine, make_video, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, own = make_video(count=2), tmp_path / "expression.onnx"
    own.write_bytes(networks.read("expression"))
    assert sparse("run", clip, "--recognizer", own, "--track", tmp_path / "t.npz", "--json") == 0
    assert f'"recognizer": "{own}"' in capsys.readouterr().out
    assert sparse("run", clip, "--recognizer", tmp_path, "--track", tmp_path / "t.npz", "--json") == 0
    assert f'"recognizer": "{tmp_path}"' in capsys.readouterr().out
    assert np.isfinite(Track.load(tmp_path / "t.npz").expression[:, CONTEMPT]).all()
    own.write_bytes(b"no network")
    for name, said in (
        (own, "expression.onnx"),
        (tmp_path / "none.onnx", "no such file or folder"),
        ("dnse", "is called 'dnse'"),
    ):
        assert said in sparse.error("run", clip, "--recognizer", name, "--track", tmp_path / "u.npz")


@pytest.mark.parametrize(("text", "expected"), [(None, None), ("0.3", 0.3), (".3", 0.3), ("1", 1)])
def test_keep_is_a_rate(text: str | None, expected: object) -> None:
    assert parse_keep(text) == expected


def test_run_reads_with_the_sparse_network(sparse: CommandLine, make_video, tmp_path: Path) -> None:
    clip, contempt = make_video(count=4), []
    for number, options in enumerate([["--keep", "0.1"], [], ["--keep", "1"]]):
        track = tmp_path / f"{number}.npz"
        assert sparse("run", clip, "--recognizer", "sparse", *options, "--track", track) == 0
        contempt.append(Track.load(track).expression[:, CONTEMPT])
    # Fewer cells are brighter ones: a quarter of the picture is white, the rest dark.
    assert (contempt[0] > contempt[1]).all()
    assert (contempt[1] > 0.75).all()
    assert (contempt[2] < 0.5).all()


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--recognizer", "sparse", "--keep", "0.1"], ("sparse", "0.1")), (["--no-expressions"], (None, None))],
)
def test_run_names_what_read_the_expressions(
    options: list[str], named: tuple[str | None, str | None], sparse: CommandLine, make_video
) -> None:
    summary = sparse.json("run", make_video(count=2), *options, "--json")
    assert (summary["recognizer"], summary["keep"]) == named


def test_run_reads_with_the_other_network_by_default(sparse: CommandLine, make_video, tmp_path: Path) -> None:
    clip, files = make_video(count=4), [tmp_path / "a.npz", tmp_path / "b.npz"]
    assert sparse("run", clip, "--track", files[0]) == 0
    assert sparse("run", clip, "--recognizer", "dense", "--track", files[1]) == 0
    first, second = (Track.load(path).expression for path in files)
    np.testing.assert_array_equal(first, second)
    assert (first[:, CONTEMPT] < 0.5).all()


def test_recognize_reads_with_the_sparse_network(
    sparse: CommandLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.full((240, 320, 3), 51, np.uint8)
    image[:120, :160] = 255
    assert cv2.imwrite(str(tmp_path / "a.png"), image)
    shown = []
    for keep in ("0.1", "1"):
        assert (
            sparse("recognize", tmp_path / "a.png", "--recognizer", "sparse", "--keep", keep, "--json") == 0
        )
        (face,) = json.loads(capsys.readouterr().out)["files"][0]["faces"]
        shown.append(face["expressions"]["contempt"])
    assert shown[0] == 1
    # Of the expression stage's crop a quarter is white, or a little more: it sits higher than the face.
    assert shown[1] == pytest.approx(0.25 + 0.75 * 0.2, abs=0.04)


def test_serve_gives_every_session_a_sparse_reader_of_its_own(
    sparse: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Pipeline] = []
    monkeypatch.setattr(
        "visavis.serve.server.serve",
        lambda make_pipeline, **_: made.extend([make_pipeline(), make_pipeline()]),
    )
    assert sparse("serve", "--recognizer", "sparse", "--keep", "0.5") == 0
    one, other = made
    moment = one.step(Frame(np.zeros((48, 64, 3), np.uint8), 0.0))
    assert moment.face.kept.sum() == moment.face.kept.size / 2
    assert other._reader is not one._reader


def test_bench_times_the_sparse_network_and_says_so(
    sparse: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Pipeline] = []

    def measure(names: list[str], make_pipeline: Callable[[], Pipeline], **_: Any) -> dict[str, Timing]:
        made.append(make_pipeline())
        return {name: Timing(5, 1.5, 2.0, 3.0) for name in names}

    monkeypatch.setattr("visavis.evaluate.bench.measure_speed", measure)
    answer = sparse.json("bench", "expression", "--recognizer", "sparse", "--keep", "0.5", "--json")
    assert (answer["recognizer"], answer["keep"]) == ("sparse", "0.5")
    moment = made[0].step(Frame(np.zeros((48, 64, 3), np.uint8), 0.0))
    assert moment.face.kept.sum() == 72
    answer = sparse.json("bench", "expression", "--json")
    assert (answer["recognizer"], answer["keep"]) == ("dense", None)


COMMANDS = [["run", "clip.mp4"], ["recognize", "clip.mp4"], ["serve", "--port", "0"], ["bench", "expression"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "0.3"], "a keep rate is for a recogniser that drops tokens"),
        (["--recognizer", "sparse", "--keep", "1.5"], "keep rate 1.5; expected above 0 and at most 1"),
        (["--recognizer", "sparse", "--keep", "0"], "keep rate 0.0; expected above 0 and at most 1"),
        (["--recognizer", "sparse", "--keep", "nan"], "keep rate nan; expected above 0 and at most 1"),
        (["--recognizer", "sparse", "--keep", "few"], "--keep is 'few'; expected a keep rate above 0"),
        (
            ["--recognizer", "hybrid"],
            "no recogniser is called 'hybrid'; there are dense, sparse, files NET.onnx, and folders",
        ),
    ],
)
def test_bad_options_are_one_line_and_status_2(
    sparse: CommandLine,
    make_video,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    options: list[str],
    message: str,
) -> None:
    make_video("clip.mp4", count=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("visavis.serve.server.serve", lambda *_, **__: pytest.fail("it was served"))
    assert message in sparse.error(*command, *options)


@pytest.mark.parametrize("options", [["--recognizer", "sparse"], ["--keep", "0.3"]])
def test_expressions_that_are_not_read_need_no_recognizer(
    sparse: CommandLine, make_video, options: list[str]
) -> None:
    assert "leave out --no-expressions" in sparse.error(
        "run", make_video(count=3), "--no-expressions", *options
    )


@pytest.mark.parametrize("options", [["--recognizer", "sparse"], ["--keep", "0.3"]])
def test_timing_the_avatar_needs_no_recognizer(
    sparse: CommandLine, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr("visavis.evaluate.bench.measure_speed", lambda *_, **__: pytest.fail("it was timed"))
    assert "puppet, which reads no expressions" in sparse.error("bench", "puppet", *options)


def test_a_version_without_the_sparse_network_says_so(
    command_line: CommandLine, make_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name: entry for name, entry in networks.manifest().items() if name != "expression_sparse"}
    monkeypatch.setattr(networks, "manifest", lambda: known)
    monkeypatch.setattr(networks, "_OPENED", {})  # Another test may have opened the network.
    assert "no embedded network is called 'expression_sparse'; there are: " in command_line.error(
        "run", make_video(count=3), "--recognizer", "sparse"
    )
