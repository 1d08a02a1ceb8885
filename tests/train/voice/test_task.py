"""The voice task: rows in a talk, variations, a network that ignores padding, and a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.research import run_visavis
from support.tiny_ravdess import write_voices
from visavis.base.networks import metadata, open_file
from visavis.expression.voice import VOICE_LABELS, VoiceClassifier
from visavis_train.loop.experiment import load_experiment
from visavis_train.voice.data import Variation, padded, read_spoken, varied
from visavis_train.voice.network import VoiceNet, VoiceSize
from visavis_train.voice.task import VoiceExperiment, VoiceTrainer, train_voice

CONFIG = """
task = "voice"
data = "{data}"
out = "{out}"

[model]
width = 8
layers = 1

[training]
epochs = 2
batch = 8
talks = 1
"""
ROWS = np.random.default_rng(0).normal(size=(40, 44)).astype(np.float32)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voices(tmp_path_factory.mktemp("ravdess") / "clips", (1, 2, 17, 21))


def test_a_talk_has_the_rows_of_each_clip(clips: Path) -> None:
    spoken = read_spoken(clips, "train", 2, 0)
    assert [clip.actor for clip in spoken] == [1] * 8 + [2] * 8
    for clip in spoken:
        assert {len(clip.alone)} == {len(talk) for talk in clip.talks}
    # What is said first in a talk is heard as if it were alone, but for the window of the last row.
    firsts = [clip for clip in spoken if np.allclose(clip.talks[0][:-1], clip.alone[:-1], atol=1e-4)]
    assert {clip.actor for clip in firsts} == {1, 2}
    assert len(firsts) == 2


def test_no_variation_changes_nothing() -> None:
    still = Variation(least=1, gain=0, tilt=0, bands=0, speed=0, hide=0)
    np.testing.assert_array_equal(varied(ROWS, still, np.random.default_rng(0)), ROWS)


def test_variations_are_parts_of_any_speed() -> None:
    rng = np.random.default_rng(0)
    lengths = {len(varied(ROWS, Variation(least=0.5), rng)) for _ in range(200)}
    assert min(lengths) >= 16
    assert 30 < max(lengths) <= 50
    assert varied(ROWS[:1], Variation(), rng).shape[1] == 44


def test_padding_does_not_change_the_answer() -> None:
    torch.manual_seed(0)
    net = VoiceNet(VoiceSize(width=16)).eval()
    rows, there = padded([ROWS[:13], ROWS])
    with torch.no_grad():
        alone = net(torch.from_numpy(ROWS[:13])[None])
        torch.testing.assert_close(net(rows, there)[:1], alone, atol=1e-5, rtol=1e-5)


def test_a_run_writes_a_network_that_the_program_reads_and_goes_on(clips: Path, tmp_path: Path) -> None:
    config = tmp_path / "voice.toml"
    config.write_text(CONFIG.format(data=clips, out=tmp_path / "whole"), "utf-8")
    assert run_visavis("train", config) == 0
    report = json.loads((tmp_path / "whole" / "report.json").read_text("utf-8"))
    assert report["test_alone"]["n"] == 8
    assert set(report["test_alone"]["recall"]) == set(VOICE_LABELS)
    session = open_file(tmp_path / "whole" / "voice.onnx")
    assert metadata(session)["temperature"] == report["temperature"]
    assert VoiceClassifier(session).predict(ROWS).sum() == pytest.approx(1, abs=1e-5)

    # Killed after the first epoch: the learning rate's schedule is that of the whole run.
    split = load_experiment(config, VoiceExperiment, [f"out={tmp_path / 'split'}"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("visavis_train.voice.task.VoiceTrainer.run_round", _stops_after(1))
        with pytest.raises(KeyboardInterrupt):
            train_voice(split)
    assert train_voice(split, resume=True) == report


def _stops_after(rounds: int) -> Callable[[VoiceTrainer, int], dict[str, Any]]:
    run_round = VoiceTrainer.run_round

    def stopping(self: VoiceTrainer, number: int) -> dict[str, Any]:
        if number == rounds:
            raise KeyboardInterrupt
        return run_round(self, number)

    return stopping
