"""The face commands: their options reach the work, and nothing heavy is imported before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from support.tiny_faces import N, write
from visavis.errors import InputError
from visavis_train.commands import mount

APP = typer.Typer()
mount(APP)


def lab(*words: object) -> Result:
    return CliRunner().invoke(APP, ["lab", *map(str, words)])


class Called:
    """Stands for the work; keeps what it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        return self.answer


def test_declaring_commands_imports_nothing_heavy() -> None:
    heavy = ("numpy", "cv2", "torch", "pydantic")
    code = (
        "import sys, typer, visavis_train.commands.renders; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_pack_comes_back_from_its_shards(tmp_path: Path) -> None:
    write(tmp_path / "pack")
    packed = lab("pack-faces", tmp_path / "pack", tmp_path / "small", "--side", 32, "--step", 3)
    assert packed.output == f"1 shards in {tmp_path / 'small'}\n"
    unpacked = lab("unpack-faces", tmp_path / "small", tmp_path / "again")
    assert unpacked.output == f"{N // 3} faces in {tmp_path / 'again'}\n"
    assert len(np.load(tmp_path / "again" / "crops.npy")) == N // 3


def test_bad_input_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "no.task").write_bytes(b"nonsense")
    (tmp_path / "videos").mkdir()
    for words, told in (
        (("label-faces", "x.task", tmp_path / "out"), "nothing to label"),
        (("unpack-faces", tmp_path, tmp_path / "out"), "holds no shard"),
        (("export-face", tmp_path / "none.toml"), "no such file"),
        (("export-detector", tmp_path / "none.toml"), "no such file"),
        (("correspond", tmp_path / "head.npz", "x.task"), "head.npz"),
        (("skins", tmp_path / "head.npz", tmp_path, "x.task", tmp_path / "out.npz"), "head.npz"),
        (("negatives", tmp_path, tmp_path / "a.mp4"), "make it by  visavis lab label-faces"),
    ):
        ran = lab(*words)
        assert isinstance(ran.exception, InputError), ran.output
        assert told in str(ran.exception)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "no.task").write_bytes(b"nonsense")
    ran = lab("pairs", tmp_path / "no.task", tmp_path)
    assert "not a readable face_landmarker.task" in str(ran.exception)


def test_options_that_may_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    label, pairs, states = Called(7), Called(), Called()
    monkeypatch.setattr("visavis_train.face.data.teacher.label_pack", label)
    monkeypatch.setattr("visavis_train.face.data.blendshape_pairs.write_pairs", pairs)
    monkeypatch.setattr("visavis_train.face.data.face_states.write_states", states)
    assert (
        lab("label-faces", "m", "out", "--own", "a", "--own", "b", "--warps", 1).output == "7 faces in out\n"
    )
    assert label.kwargs == {
        "shared": None,
        "own": [Path("a"), Path("b")],
        "warps": 1,
        "seed": 0,
        "workers": 2,
    }
    assert lab("pairs", "m", "pack", "--pairs", 3, "--without", "c", "--without", "d").exit_code == 0
    assert pairs.kwargs == {"count": 3, "without": ["c", "d"], "seed": 0}
    assert lab("face-states", "fer", "p.npz", "--faces", "x").exit_code == 0
    assert states.args == (Path("fer"), Path("p.npz"), [Path("x")])


def test_what_to_render(monkeypatch: pytest.MonkeyPatch) -> None:
    render = Called()
    monkeypatch.setattr("visavis_train.face.rendering.pack.render_faces", render)
    ran = lab("render", "h", "c", "out", "--count", 5, "--seed", 2, "--split", "val", "--probes")
    assert "out: 5 faces of the split val" in ran.stderr
    assert render.args == (Path("h"), Path("c"), Path("out"))
    assert render.kwargs["split"] == "val"
    assert render.kwargs["probes"] is True
    assert render.kwargs["plain"] is False
    assert lab("render", "h", "c", "out", "--count", 5, "--seed", 2, "--split", "all").exit_code == 2


def test_an_interrupted_command_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("visavis_train.face.data.photographs.collect", interrupt)
    ran = lab("photographs", "sources.toml", "out")
    assert ran.exit_code == 130
    assert (
        ran.stderr
        == "interrupted: the same command starts again from the beginning; what was downloaded stays\n"
    )
