from __future__ import annotations

import pytest
import torch
from torch import nn

from visavis_train.loop.ema import running_average


def test_the_average_follows_its_definition() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = running_average(network, 0.9)
    expected = 0.0
    for step, value in enumerate([5.0, 2.0, -1.0, 4.0, 4.0, 0.0]):
        nn.init.constant_(network.weight, value)
        average.update_parameters(network)
        decay = min(0.9, (1 + step) / (10 + step))  # It is short at first; the start does not count at all.
        expected = value if step == 0 else decay * expected + (1 - decay) * value
        assert average.module.weight.item() == pytest.approx(expected)
    assert network.weight.item() == 0.0


def test_statistics_are_averaged_too_and_no_decay_is_no_average() -> None:
    network = nn.BatchNorm1d(3)
    average, none = running_average(network, 0.5), running_average(network, 0.0)
    for _ in range(4):
        network(torch.randn(8, 3) + 2)
        average.update_parameters(network)
        none.update_parameters(network)
    assert (average.module.running_mean < network.running_mean).all()
    assert (average.module.running_mean > 0.1).all()
    assert torch.equal(none.module.running_mean, network.running_mean)
