"""Training of one network by several processes, as ``torchrun`` starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.tiny_fer import KINDS
from visavis_train.loop.log import read_log

LAUNCH = "torch.distributed.run --standalone --nproc_per_node 2 -m visavis train"


def test_two_processes_train_one_network_in_mixed_precision(toml: Path) -> None:
    words = ["-m", *LAUNCH.split(), str(toml)]
    for change in (
        KINDS["vgg"],
        "model.image_px=24",
        "training.epochs=2",
        "training.image_px_schedule=[]",
        "mixed_precision=bf16",
        "model.dropout=0.1",
    ):
        words += ["--set", change]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)  # Printed once.
    assert report["processes"] == 2
    assert report["validation"]["faces"] == 35
    assert done.stderr.count("epoch 2/2") == 1
    rows = read_log(toml.parent / "run")
    assert [row["epoch"] for row in rows] == [0, 1]
    assert rows[1]["loss"] < rows[0]["loss"]
