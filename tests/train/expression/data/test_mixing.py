from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visavis_train.expression.data.mixing import Mixing, cut_box, cutmix, mixup


@pytest.fixture
def batch() -> tuple[torch.Tensor, list[torch.Tensor]]:
    images = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return images, [torch.eye(8)[:6], torch.eye(7)[:6]]


def test_cutmix_mixes_labels_by_area(batch: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    images, goals = batch
    found, mixed = cutmix(images, goals, (4, 8, 12, 14))
    pasted = found == images.flip(0)
    assert pasted[:, :, 8:14, 4:12].all()
    assert torch.equal(found[:, :, :8], images[:, :, :8])
    share = pasted.float().mean(dim=(1, 2, 3))
    assert torch.allclose(share, torch.full((6,), 8 * 6 / 256))
    for goal, result in zip(goals, mixed, strict=True):
        assert torch.allclose(result, (1 - share[0]) * goal + share[0] * goal.flip(0))


def test_mixup_blends_pictures_and_labels_alike(batch: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    images, goals = batch
    found, (eight, _) = mixup(images, goals, 0.7)
    assert torch.allclose(found, 0.7 * images + 0.3 * images.flip(0))
    assert torch.allclose(eight, 0.7 * goals[0] + 0.3 * goals[0].flip(0))


@given(st.integers(4, 64), st.floats(0.1, 5), st.integers(0, 1000))
def test_boxes_lie_in_the_picture(side_px: int, alpha: float, seed: int) -> None:
    x0, y0, x1, y1 = cut_box(side_px, alpha, np.random.default_rng(seed))
    assert 0 <= x0 <= x1 <= side_px
    assert 0 <= y0 <= y1 <= side_px


def test_boxes_far_from_the_edges_have_the_area_that_was_drawn() -> None:
    centered = SimpleNamespace(beta=lambda *_: 0.75, uniform=lambda *_: np.asarray([24.0, 24.0]))
    assert cut_box(48, 1.0, centered) == (12, 12, 36, 36)  # A quarter.


def test_each_way_is_off_at_zero_and_a_coin_decides_between_both(
    batch: tuple[torch.Tensor, list[torch.Tensor]],
) -> None:
    images, goals = batch

    def ways(mixing: Mixing) -> set[str]:
        rng, found = np.random.default_rng(0), set()
        for _ in range(30):
            result, _ = mixing(images, goals, rng)
            own = (result == images).all()
            whole = ((result == images) | (result == images.flip(0))).all()
            found.add("neither" if own else "cutmix" if whole else "mixup")
        return found

    assert ways(Mixing(0, 0)) == {"neither"}
    assert ways(Mixing(1, 0)) == {"mixup"}
    assert "mixup" not in ways(Mixing(0, 1))
    assert {"mixup", "cutmix"} <= ways(Mixing(1, 1))
