"""The losses of the face network."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from visavis.channels import BLENDSHAPES
from visavis_train.face.losses import Losses

SNEER, JAW = BLENDSHAPES.index("noseSneerLeft"), BLENDSHAPES.index("jawOpen")


def losses() -> Losses:
    """Losses for a teacher that sees the jaw and no sneer."""
    spread = torch.zeros(len(BLENDSHAPES))
    spread[JAW] = 0.2
    points = {"eye": torch.arange(9), "other_eye": torch.arange(9, 18), "mouth": torch.arange(18, 30)}
    return Losses(
        SimpleNamespace(mean_shape=torch.zeros(146, 3), **points), spread, torch.ones(len(BLENDSHAPES))
    )


def truth_loss(sneers: list[float], rendered: float, moved: float = 0.0) -> float:
    """The truth head's loss for faces with these sneers, where the labels say that nobody sneers."""
    count = len(sneers)
    weights = torch.full((count, len(BLENDSHAPES)), 1e-4)
    weights[:, SNEER] = torch.tensor(sneers)
    wanted = torch.zeros_like(weights)
    kinds = torch.full((count,), rendered), torch.full((count,), moved)
    return float(losses().truth(weights.logit(), wanted, torch.ones(count), *kinds))


def test_what_the_teacher_does_not_see_may_move_on_some_real_faces() -> None:
    rare = [0.9] + [1e-4] * 29
    assert truth_loss(rare, 0.0) < 1e-3
    assert truth_loss(rare, 1.0) > 0.005
    assert truth_loss(rare, 0.0, moved=1.0) > 0.005


def test_what_the_teacher_does_not_see_cannot_be_on_all_real_faces() -> None:
    assert truth_loss([0.6] * 30, 0.0) > 1


def test_only_rendered_faces_teach_the_points_of_the_mesh() -> None:
    wanted = torch.zeros(2, 146, 3)
    found = torch.stack([torch.full((146, 2), 0.5), torch.zeros(146, 2)])
    assert losses().mesh(found, wanted, torch.tensor([0.0, 1.0])) == 0
    assert losses().mesh(found, wanted, torch.tensor([1.0, 0.0])) > 1


def test_a_weight_that_seldom_moves_counts_more() -> None:
    spread = torch.full((len(BLENDSHAPES),), 0.2)
    spread[SNEER] = 0.02
    points = {"eye": torch.arange(9), "other_eye": torch.arange(9, 18), "mouth": torch.arange(18, 30)}
    rare = Losses(SimpleNamespace(mean_shape=torch.zeros(146, 3), **points), spread, spread).rare
    assert rare[SNEER] > 2 * rare[JAW]
    torch.testing.assert_close(rare.mean(), torch.tensor(1.0))
