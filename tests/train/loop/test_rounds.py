"""Training in rounds: its log and its checkpoint after it was killed between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from visavis_train.loop import rounds
from visavis_train.loop.experiment import Settings
from visavis_train.loop.log import read_log
from visavis_train.loop.rounds import run_rounds


class Recipe(Settings):
    """Nothing to choose."""

    rounds: int = 4


def train(out: Path, *, resume: bool = False) -> nn.Linear:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def one_round(_: int) -> dict[str, float]:
        loss = (net(torch.randn(8, 2)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    run_rounds(out, Recipe(), 0, Recipe().rounds, one_round, {"net": net}, optimizer, resume=resume)
    return net


def without_times(out: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(out, "round")]


def test_a_run_killed_before_its_checkpoint_has_each_round_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = train(tmp_path / "whole")
    save, saved = rounds.save_checkpoint, []

    def killed(path: Path, *rest: Any) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(path)
        save(path, *rest)

    monkeypatch.setattr(rounds, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken")
    monkeypatch.undo()
    assert [row["round"] for row in without_times(tmp_path / "broken")] == [1, 2, 3]
    resumed = train(tmp_path / "broken", resume=True)
    assert without_times(tmp_path / "broken") == without_times(tmp_path / "whole")
    assert torch.equal(resumed.weight, unbroken.weight)
