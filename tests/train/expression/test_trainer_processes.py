"""The group of several training processes ends with the training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
