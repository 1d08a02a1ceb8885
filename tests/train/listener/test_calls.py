"""Training on calls: it learns, repeats exactly, and finds out who listens to whom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support import tiny_listening
from support.tiny_listener import entropy
from visavis.cli import app
from visavis.datasets.calls import Call, read_calls
from visavis.errors import InputError
from visavis.evaluate import speaker_gain
from visavis.reaction.signals import as_heard
from visavis_train.listener.calls import (
    CallsExperiment,
    call_conversations,
    codec_for,
    deal,
    report_of,
    train_calls_listener,
)
from visavis_train.loop.experiment import load_experiment

FOLLOWED = 0.9
CONFIG = """
task = "calls"
name = "tiny"
data = "{data}"
out = "{out}"
seed = 1
folds = 2

[signals]
levels = [2, 2, 2]
"""


def write_calls(path: Path, pairs: int = 4, frames: int = 900) -> None:
    """Calls in which both smile mostly as the other did a tenth of a second before; nothing else moves."""
    rng = np.random.default_rng(0)
    arrays = {}
    for pair in range(pairs):
        signals = np.zeros((frames // 3, 2, 4), np.float32)
        signals[0, :, 1] = rng.integers(0, 2, 2)
        for k in range(1, len(signals)):
            other = rng.random(2) >= FOLLOWED
            signals[k, :, 1] = np.where(other, 1 - signals[k - 1, ::-1, 1], signals[k - 1, ::-1, 1])
        arrays[f"s{pair}_x"] = np.repeat(signals, 3, axis=0)
    np.savez(path, **arrays)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    write_calls(tmp_path / "calls.npz")
    path = tmp_path / "tiny.toml"
    network = tiny_listening.NETWORK.format(round_steps=80, frames=48)
    path.write_text(CONFIG.format(data=tmp_path / "calls.npz", out=tmp_path / "run") + network)
    return path


def test_it_learns_who_listens_to_whom(toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker_gain, "SAMPLES", 2)
    experiment = load_experiment(toml, CallsExperiment)
    report = report_of(experiment, train_calls_listener(experiment), toml.name)
    rows = [json.loads(line) for line in (tmp_path / "run/all/log.jsonl").read_text().splitlines()]
    assert rows[-1]["bits_per_frame"] < rows[0]["bits_per_frame"]
    bits = report["bits_per_frame"]
    # Who sees the other knows what is copied; who is alone knows what the other copied before.
    assert bits["true_speaker"] == pytest.approx(entropy(FOLLOWED), abs=0.1)
    assert bits["alone"] == pytest.approx(entropy(FOLLOWED**2 + (1 - FOLLOWED) ** 2), abs=0.1)
    assert bits["other_speaker"] > 0.9
    assert len(report["calls"]) == 4
    assert list(report["by_guidance"]) == ["1", "2", "3", "4"]
    assert report["by_guidance"]["3"]["au12_peak_r"] == report["au12_peak_r"]
    model = ["--model", str(tmp_path / "run/all/listener.onnx"), "--json"]
    result = CliRunner().invoke(app, ["evaluate", "dyads", str(tmp_path / "calls.npz"), *model])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["calls"] == 4
    assert set(printed["bits_per_frame"]) == {"true_speaker", "other_speaker", "alone"}
    assert set(printed["au12_peak_r"]) == {
        "truth",
        "model",
        "copy_speaker",
        "mean",
        "random",
        "model_with_strangers",
    }


def test_folds_keep_pairs_together() -> None:
    signals = np.zeros((3, 2, 4), np.float32)
    calls = [Call(f"s{pair}_{take}", signals) for pair in range(5) for take in range(3)]
    folds = deal(calls, 2, seed=0)
    assert sorted(len(fold) for fold in folds) == [6, 9]
    assert not {c.pair for c in folds[0]} & {c.pair for c in folds[1]}
    with pytest.raises(InputError, match="5 pairs of people cannot be dealt into 6 folds"):
        deal(calls, 6, seed=0)


def test_each_person_reacts_to_the_other(toml: Path, tmp_path: Path) -> None:
    calls = read_calls(tmp_path / "calls.npz")
    codec = codec_for(load_experiment(toml, CallsExperiment), calls)
    first, second = call_conversations(calls[:1], codec, 3)
    slow = calls[0].slowed(3)
    np.testing.assert_array_equal(codec.encode(slow[:, 0]), first.own)
    np.testing.assert_array_equal(as_heard(slow[:, 1], 10.0), first.sound)
    np.testing.assert_array_equal(as_heard(slow[:, 0], 10.0), second.sound)


@pytest.mark.shared
def test_the_committed_experiment_fits_the_real_calls(shared: Path) -> None:
    path = Path(__file__).parents[3] / "experiments/calls_listener.toml"
    experiment = load_experiment(path, CallsExperiment)
    calls = read_calls(shared / "data/dyads/vc_dyads.npz")
    folds = deal(calls, experiment.folds, experiment.seed)
    assert [len(fold) for fold in folds] == [9] * 5
