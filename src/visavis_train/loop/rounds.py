"""Training in rounds, with a log and a checkpoint after every round.

Each round draws its randomness from (seed, round), so a run that was killed and resumed equals an unbroken
one. The run folder receives ``config.json``, ``log.jsonl`` and ``last.safetensors``.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from visavis.base.console import print_note
from visavis.base.files import whole_file
from visavis.base.reading import parse_json, regular
from visavis.base.words import reason
from visavis.errors import InputError
from visavis_train.loop.checkpoint import LAST, load_checkpoint, save_checkpoint
from visavis_train.loop.experiment import Settings, checked, flat
from visavis_train.loop.log import LOG, cut_log


def run_rounds(
    out: Path,
    config: Settings,
    seed: int,
    rounds: int,
    one_round: Callable[[int], Mapping[str, Any]],
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    *,
    resume: bool = False,
) -> None:
    """Run every round that is not in the folder yet.

    Args:
        out: the run folder.
        config: the settings, written next to the log.
        seed: of the run.
        rounds: their number.
        one_round: trains the round of that number, from 0, and returns figures for the log.
        modules: the modules in a checkpoint, by name.
        optimizer: the optimiser in a checkpoint.
        resume: go on from the folder's checkpoint.

    Raises:
        InputError: the folder holds a run and ``resume`` is off, its checkpoint is of another network or
            other settings, or its log was not written by visavis.
    """
    out.mkdir(parents=True, exist_ok=True)
    last, first = out / LAST, 0
    if last.exists():
        if not resume:
            raise InputError(f"{out} already holds a run: add --resume, or choose another folder")
        first = int(load_checkpoint(last, modules, optimizer)["round"])
        require_same(out / "config.json", config)
    elif resume:
        print_note(f"{out}: no run to go on with; a new one begins")
    with whole_file(out / "config.json") as partial:
        partial.write_text(config.model_dump_json(indent=2) + "\n", "utf-8")
    cut_log(out, first, "round")  # A round that is in the log but not in the checkpoint is trained again.
    with (out / LOG).open("a", encoding="utf-8") as log:
        for number in range(first, rounds):
            torch.manual_seed(int(np.random.default_rng((seed, number)).integers(2**63)))
            start_s = time.perf_counter()
            row = {"round": number + 1, **one_round(number)}
            row["seconds"] = round(time.perf_counter() - start_s, 1)
            line = json.dumps(row)
            print(line, file=log, flush=True)
            save_checkpoint(last, modules, optimizer, {"round": number + 1})
            print(f"round {number + 1}/{rounds}: {line}", file=sys.stderr, flush=True)


def require_same(path: Path, config: Settings) -> None:
    """Check that a run goes on with its first settings; only paths and threads may change.

    Raises:
        InputError: the settings differ, or the old ones cannot be read.
    """
    try:
        stored = checked("", parse_json(regular(path).read_text("utf-8-sig")), type(config))
    except (OSError, ValueError, InputError) as error:
        raise InputError(
            f"{path}: not the settings of this run: {reason(error)}; train in another folder"
        ) from error
    was, now = (flat(each.model_dump(exclude={"out", "data", "threads"})) for each in (stored, config))
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) != now.get(key):
            raise InputError(
                f"{path}: this run began with {key} {was.get(key)}; now it is {now.get(key)}: put it back, "
                "or choose another folder"
            )


def warm_cosine(step: int, steps: int, warm: int) -> float:
    """Share of the learning rate: linear over the first ``warm`` steps, then a cosine down to 1%."""
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def descend(
    loss: Tensor, net: nn.Module, optimizer: torch.optim.Optimizer, clip_grad_norm: float, number: int
) -> float:
    """One step of the optimiser on a loss () of the round ``number``; returns the loss.

    Raises:
        InputError: the loss is not finite; nothing is changed.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise InputError(f"the loss became {value} in round {number}: lower learning_rate")
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), clip_grad_norm)
    optimizer.step()
    return value
