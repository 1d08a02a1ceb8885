"""The running average of a network's weights and statistics during training."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def running_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average that forgets by ``decay`` each step; it forgets faster at first, to lose the random start.

    Call ``update_parameters(network)`` after every step; the averaged network is ``.module``.
    """

    def average(averaged: Any, current: Any, count: Any) -> None:
        steps = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(averaged, current, count)

    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
