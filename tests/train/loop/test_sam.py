from __future__ import annotations

import pytest
import torch
from torch import nn

from visavis_train.loop.sam import climbed, still_statistics


def steep(weights: torch.Tensor) -> torch.Tensor:
    """A loss whose gradient can be written down: 3 x^2 + x y + y^4."""
    x, y = weights
    return 3 * x**2 + x * y + y**4


def gradient(x: float, y: float) -> torch.Tensor:
    return torch.tensor([6 * x + y, x + 4 * y**3], dtype=torch.float64)


def test_the_gradient_inside_is_that_of_the_definition() -> None:
    weights = nn.Parameter(torch.tensor([0.5, -1.0], dtype=torch.float64))
    steep(weights).backward()
    first = gradient(0.5, -1.0)
    assert weights.grad is not None
    assert torch.allclose(weights.grad, first)
    with climbed([weights], 0.1):
        uphill = torch.tensor([0.5, -1.0], dtype=torch.float64) + 0.1 * first / first.norm()
        assert torch.allclose(weights.detach(), uphill)
        weights.grad = None
        steep(weights).backward()
    assert torch.allclose(weights.grad, gradient(*uphill.tolist()))
    assert weights.tolist() == [0.5, -1.0]


def test_the_norm_is_of_all_weights_together_and_those_without_gradient_stay() -> None:
    parts = [nn.Parameter(torch.tensor([3.0])), nn.Parameter(torch.tensor([[4.0]]))]
    idle = nn.Parameter(torch.ones(2))
    (sum(part.square().sum() for part in parts) / 2).backward()
    with climbed([*parts, idle], 0.5):
        assert parts[0].item() == pytest.approx(3.3)
        assert parts[1].item() == pytest.approx(4.4)
        assert idle.tolist() == [1, 1]


def test_weights_come_back_exactly_also_after_an_error() -> None:
    weights = nn.Parameter(torch.randn(1000))
    before = weights.detach().clone()
    weights.pow(4).sum().backward()

    def fail() -> None:
        with climbed([weights], 0.7):
            assert not torch.equal(weights, before)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert torch.equal(weights, before)


def test_statistics_stand_still_inside_and_move_outside() -> None:
    norm = nn.BatchNorm2d(2)
    network = nn.Sequential(norm, nn.ReLU())
    with still_statistics(network):
        network(torch.randn(4, 2, 3, 3) + 5)
        assert norm.running_mean is not None
        assert norm.running_mean.tolist() == [0, 0]
    network(torch.randn(4, 2, 3, 3) + 5)
    assert (norm.running_mean > 0.3).all()
