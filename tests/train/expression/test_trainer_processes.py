"""Several training processes: their group ends with the training, and they draw the same keep rates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from accelerate import Accelerator

from visavis.datasets.registry import find_dataset
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.loop.experiment import load_experiment

TRAINED = """
import gc
from pathlib import Path
import torch
import visavis_train.expression.trainer
from torch import distributed

def gloo():
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    return sum("gloo" in name for name in names)

distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
model(torch.ones(4, 3)).sum().backward()
print(gloo())
del model
distributed.destroy_process_group()
gc.collect()
print(gloo())
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by Linux's /proc")
def test_no_thread_of_the_group_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", TRAINED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert before > 0
    assert after == 0  # Else the process may abort at its end.


def test_all_processes_draw_the_same_keep_rates(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    model = "model={kind='sparse', stem=[4, 8], blocks=[0, 0], width=8, layers=1, heads=1, "
    model += "pruning={queries='kept', keep_rate=0.3}}"
    rates = "training.keep_rates=[1.0, 0.3, 0.1]"
    experiment = load_experiment(toml, Experiment, [model, rates, "training.batch_size=4"])
    drawn: list[list[float | None]] = []
    for process in range(2):
        monkeypatch.setattr(Accelerator, "process_index", process)
        trainer = ExpressionTrainer(experiment, find_dataset(experiment.data[0].path).read("Training"))
        network, each = cast(SparseNet, trainer.network), list[float | None]()
        network.register_forward_pre_hook(lambda *_, net=network, to=each: to.append(net.sampled_rate))
        trainer.run_epoch()
        drawn.append(each)
    assert len(drawn[0]) > 10
    assert set(drawn[0]) == {1.0, 0.3, 0.1}
    assert drawn[0] == drawn[1]
