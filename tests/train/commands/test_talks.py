"""The documented way from recordings to a measured listener, run as it is written."""

from __future__ import annotations

import glob
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.conversations import BLUE, draw, film
from support.research import run_visavis
from visavis_train.data.conversation_pack import SPLITS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/how-to/train-listener.md"
FRAMES = 60
# Small and short; everything else is as documented.
SMALL = {
    "model.width": 16,
    "model.heads": 2,
    "model.layers": 1,
    "training.rounds": 1,
    "training.round_steps": 2,
    "training.frames": 40,
}


@pytest.fixture
def calls(tmp_path: Path, squares: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drawn calls for each split; in the test's, the right face is gone for a moment."""
    pytest.importorskip("numba")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    for split in SPLITS:
        (tmp_path / "calls" / split).mkdir(parents=True)
        pictures = [draw([(32, (100 + 2 * n, 20, 20)), (96, BLUE)]) for n in range(FRAMES)]
        if split == "test":
            pictures[30:33] = [draw([(32, (160, 20, 20))])] * 3
        film(tmp_path / "calls" / split / f"{split}.mp4", pictures, sound_hz=200)
    return tmp_path


def documented() -> list[list[str]]:
    """The words of the page's first commands, without ``visavis``."""
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


@pytest.mark.slow
def test_the_page_leads_from_recordings_to_figures(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *before, last = documented()
    for words in before:
        found = [name for word in words for name in (sorted(glob.glob(word)) if "*" in word else [word])]
        if words[0] == "train":
            found += [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
        assert run_visavis(*found) == 0, capsys.readouterr().err
    told = capsys.readouterr().err
    assert "2.5% of the listeners' frames have no face and are filled" in told
    assert run_visavis(*last, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert {key: scores[key] for key in ("items", "predictions", "frames", "listeners", "neighbours")} == {
        "items": 2,
        "predictions": 10,
        "frames": FRAMES,
        "listeners": 2,
        "neighbours": 2,
    }
    assert np.isfinite([scores["fr_corr"], scores["fr_dist"], scores["fr_var"]]).all()
    report = json.loads((calls / "runs/mine/report.json").read_text())
    # Two people have no stranger among them.
    assert report["test_bits_per_frame"]["other_speaker"] is None
    assert report["test_bits_per_frame"]["true_speaker"] > 0


def test_a_missing_split_is_named_before_the_training(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, _, _, pack, train, *_ = documented()
    assert run_visavis(*[next(iter(glob.glob(word)), word) for word in build]) == 0
    assert run_visavis(*pack) == 0
    capsys.readouterr()
    assert run_visavis(*train) == 2
    assert "packs: no val.npz" in capsys.readouterr().err
    assert not (calls / "runs/mine").exists()
