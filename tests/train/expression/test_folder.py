"""A run folder is never overwritten by accident, and describes its run's machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis_train.expression.config import Experiment
from visavis_train.expression.task import release_expression, train_expression
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import read_log

SHORT = ["training.epochs=2", "training.image_px_schedule=[]"]


@pytest.fixture
def experiment(toml: Path) -> Experiment:
    """A short run, trained."""
    experiment = load_experiment(toml, Experiment, SHORT)
    train_expression(experiment)
    return experiment


@pytest.mark.parametrize("lost", [[], ["last.safetensors"], ["best.safetensors"], ["log.jsonl"]])
def test_a_folder_that_holds_any_of_a_run_is_refused(lost: list[str], experiment: Experiment) -> None:
    for name in lost:
        (experiment.out / name).unlink()
    rest = {path.name: path.read_bytes() for path in experiment.out.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="already holds a run: add --resume"):
        train_expression(experiment)
    assert {path.name: path.read_bytes() for path in experiment.out.iterdir() if path.is_file()} == rest


def test_a_trained_run_is_exported_on_another_machine(experiment: Experiment, tmp_path: Path) -> None:
    (experiment.out / "last.safetensors").unlink()  # What does not come along: it is large.
    there = {"processor": "Abacus", "threads": "3", "gpu": "Loom"}
    (experiment.out / "machine.json").write_text(json.dumps(there))
    assert train_expression(experiment, resume=True) == experiment.out
    release_expression(experiment, tmp_path / "tiny.toml")
    assert json.loads((experiment.out / "report.json").read_text())["machine"] == there


def test_a_run_without_what_it_goes_on_from_is_kept(experiment: Experiment, toml: Path) -> None:
    (experiment.out / "last.safetensors").unlink()
    more = load_experiment(toml, Experiment, ["training.epochs=3", "training.image_px_schedule=[]"])
    with pytest.raises(InputError, match=r"no last\.safetensors to go on from"):
        train_expression(more, resume=True)
    assert len(read_log(experiment.out)) == 2


def test_other_settings_are_told(
    experiment: Experiment, toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = load_experiment(
        toml, Experiment, ["training.epochs=3", "training.image_px_schedule=[]", "training.mixup=0.5"]
    )
    capsys.readouterr()
    train_expression(more, resume=True)
    said = " ".join(capsys.readouterr().err.split())
    assert "goes on with other settings: training.epochs 2 -> 3, training.mixup 0.2 -> 0.5" in said
    assert json.loads((experiment.out / "config.json").read_text())["training"]["mixup"] == 0.5


def test_a_damaged_description_is_named(experiment: Experiment, tmp_path: Path) -> None:
    for text, said in (("{", "cannot be read"), ("[]", "holds no object")):
        (experiment.out / "machine.json").write_text(text)
        with pytest.raises(InputError, match=rf"machine\.json: {said}"):
            release_expression(experiment, tmp_path / "tiny.toml")
