"""The sweep over keep rates: its trainings, measurements, files and refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support.research import run_lab
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS
from visavis_train.expression import task
from visavis_train.expression.config import Experiment
from visavis_train.expression.report.by_class import ByClass
from visavis_train.expression.sweep import MARKS, Sweep
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import read_log

PUBLISHED = Path(__file__).parents[3] / "experiments" / "fer_sae_published.toml"
SPARSE = """
name = "{name}"
data = "{data}"
out = "{out}"
seed = 1
threads = 1

[model]
kind = "sparse"
stem = [4, 8]
blocks = [0, 0]
width = 8
layers = {layers}
heads = 2

[training]
epochs = 1
batch_size = 32
"""


def raf_db(folder: Path, faces: int = 0) -> Path:
    """A small RAF-DB: two test faces, and some to train on, of all labels in turn."""
    (folder / "aligned").mkdir(parents=True)
    names = [*(f"train_{n:05}" for n in range(faces)), "test_0001", "test_0002"]
    lines = [f"{name}.jpg {number % 7 + 1}" for number, name in enumerate(names)]
    (folder / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    for number, name in enumerate(names):
        face = np.random.default_rng(number).integers(0, 256, (100, 100, 3), np.uint8)
        cv2.imwrite(str(folder / "aligned" / f"{name}_aligned.jpg"), face)
    return folder


def write(folder: Path, name: str, data: Path, layers: int = 2) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(SPARSE.format(name=name, data=data, out=folder / name, layers=layers))
    return path


@pytest.fixture
def files(data: Path, tmp_path: Path) -> list[Path]:
    """How to tune, what to prune, and a shallower network."""
    (tmp_path / "page.md").write_text("\n".join(["# Page", *MARKS["sparse"]]))
    return [write(tmp_path, name, data, n) for name, n in (("tune", 2), ("base", 2), ("shallow", 1))]


def test_one_command_trains_tunes_and_compares(files: list[Path], tmp_path: Path) -> None:
    words = [*files, "--rate", 0.3, "--baseline", "learned", "--baseline-rate", 0.3, "--calls", 3]
    words += ["--raf-db", raf_db(tmp_path / "raf")]
    words += ["--results", tmp_path / "all.json", "--page", tmp_path / "page.md"]
    assert run_lab("sweep", *words) == 0
    result: dict[str, Any] = json.loads((tmp_path / "all.json").read_text())
    assert (result["split"], result["n"]) == ("PublicTest", 35)
    names = ["base_keep100", "base_keep30", "base_learned30", "shallow"]
    assert [row["name"] for row in result["networks"]] == [f"{name}_tuned_seed1" for name in names]
    full, sparse, learned, shallow = result["networks"]
    assert (full["method"], full["keep"], sparse["method"], sparse["keep"]) == ("none", 1, "cls", 0.3)
    assert sparse["parameters"] == full["parameters"] > shallow["parameters"]
    assert sparse["macs"] < full["macs"]
    assert sparse["macs_equation_4"] < full["macs_equation_4"]
    assert learned["parameters"] > sparse["parameters"]  # It has scores.
    assert {row["raf_db"]["value"] for row in result["networks"]} <= {0, 0.5, 1}  # Two faces.
    for row in result["networks"]:
        low, high = row["overall"]["interval_95"]
        assert 0 <= low <= row["overall"]["value"] <= high <= 1
        assert len(row["classes"]) == 7
        assert row["latency"]["p95_ms"] >= row["latency"]["p50_ms"] > 0
        assert sys.platform != "linux" or row["memory_bytes"] > 0
        assert row["against_first"]["second"] == full["name"]
    page = (tmp_path / "page.md").read_text()
    assert "| base_keep30_tuned_seed1 | 0.3 | 1 |" in page
    assert "needs the data set" not in page
    assert f"| network | {' | '.join(FER2013_LABELS)} |" in page
    start = Experiment.model_validate_json((tmp_path / "base_keep30_tuned_seed1/config.json").read_text())
    assert start.init == tmp_path / "base" / "best.safetensors"
    stored = (tmp_path / "base_keep30_tuned_seed1" / "last.safetensors").stat().st_mtime_ns
    assert run_lab("sweep", *words) == 0  # Nothing is trained again.
    assert (tmp_path / "base_keep30_tuned_seed1" / "last.safetensors").stat().st_mtime_ns == stored
    assert len(read_log(tmp_path / "base_keep30_tuned_seed1")) == 1
    assert run_lab("sweep", *words, "--set", "training.label_smoothing=0.1") == 2


def test_another_data_set_is_not_raf_db(files: list[Path], data: Path, capsys: Any) -> None:
    assert run_lab("sweep", *files, "--raf-db", data) == 2
    assert "is FER-2013; --raf-db expects RAF-DB, with list_patition_label.txt" in capsys.readouterr().err


def test_the_published_recipe_reads_a_copy_of_raf_db(tmp_path: Path) -> None:
    folder = raf_db(tmp_path / "raf", 70)
    splits = task.experiment_faces(load_experiment(PUBLISHED, Experiment, [f"data={folder}"]))
    assert splits.test is not None
    assert (len(splits.training), len(splits.validation), len(splits.test)) == (56, 14, 2)
    assert next(splits.training.batches(4, 112)).shape[1:] == (112, 112)


def sweep(files: list[Path], **changes: Any) -> Sweep:
    tuning, *bases = (load_experiment(path, Experiment) for path in files)
    return Sweep(tuning, tuple(bases), **changes)


def test_every_seed_has_runs_of_its_own(files: list[Path]) -> None:
    planned = sweep(files)
    first, second = (list(planned.runs(seed)) for seed in (1, 2))
    assert len(first) == 5 + 2 * 2 + 1
    assert len({run.out for run in (*first, *second)}) == len({r.name for r in (*first, *second)}) == 20
    assert {run.seed for run in second} == {2}
    assert second[0].init == files[1].parent / "base_seed2" / "best.safetensors"
    assert first[0].model.pruning.rates == {}


@pytest.mark.parametrize("changes", [{"rates": (0.5, 1.2)}, {"baseline_rates": (0.0,)}])
def test_rates_out_of_range_are_refused(files: list[Path], changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"keep rates of the sweep: keep_rate is (1\.2|0); expected above 0"):
        sweep(files, **changes)


def test_a_network_that_drops_no_tokens_is_refused(files: list[Path], toml: Path) -> None:
    with pytest.raises(InputError, match=r"tiny: model\.kind is hybrid, which drops no tokens"):
        sweep([*files, toml])
    files[1].write_text(files[1].read_text().split("[model]")[0] + "[model]\nkind = 'sae'")
    with pytest.raises(InputError, match="base: sae drops tokens by cls alone"):
        sweep(files)
    assert len(list(sweep(files, baselines=()).runs(1))) == 6


def test_classes_count_alike_in_the_mean() -> None:
    truth = np.asarray([0] * 8 + [1] * 2)
    right = np.asarray([True] * 8 + [True, False])
    found = ByClass.of(truth, right, ("a", "b", "c"))
    assert found.overall.value == pytest.approx(0.9)
    assert found.mean.value == pytest.approx(0.75)
    assert {name: share.value for name, share in found.classes.items()} == {"a": 1, "b": 0.5}
    assert found.mean.interval_95 == (0.5, 1.0)  # Of two faces 0, 1 or 2 are right.
