"""The labels' loss where labels are rare: which faces and labels weigh more, and by how much."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from visavis_train.expression.imbalance import Imbalance, LabelLoss

# Nine faces of label 0, one of label 1, and one without a label.
GOALS = torch.cat([torch.eye(2)[[0] * 9 + [1]], torch.zeros(1, 2)])
LOGITS = torch.tensor([[0.3, -0.2]]).expand(11, 2)


def test_without_a_method_it_is_the_cross_entropy() -> None:
    found = LabelLoss(GOALS, "none", 0.5)(LOGITS, GOALS)
    assert torch.allclose(found, functional.cross_entropy(LOGITS, GOALS, reduction="sum"))


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_rare_labels_weigh_more_and_the_mean_stays(power: float) -> None:
    weighted, plain = LabelLoss(GOALS, "weights", power), LabelLoss(GOALS, "none", power)
    ratio = [weighted(LOGITS[[n]], GOALS[[n]]) / plain(LOGITS[[n]], GOALS[[n]]) for n in (0, 9)]
    assert (ratio[1] / ratio[0]).item() == pytest.approx(9**power)
    assert (9 * ratio[0] + ratio[1]).item() / 10 == pytest.approx(1)
    drawn = weighted.face_weights(GOALS)
    assert (drawn[9] / drawn[0]).item() == pytest.approx(9**power)
    assert drawn[10].item() == 1  # A face that only teachers answer is drawn as often as the mean.


@pytest.mark.parametrize("method", ["weights", "logits"])
def test_a_label_without_faces_is_not_made_more_probable(method: Imbalance) -> None:
    smooth = functional.pad(GOALS, (0, 1)) * 0.9 + 0.1 / 3 * GOALS.sum(dim=1, keepdim=True)
    loss = LabelLoss(smooth, method, 1.0)
    nothing = torch.zeros(1, 3)
    asked = [loss(nothing, torch.eye(3)[[label]]).item() for label in range(3)]
    assert asked[1] > asked[0]  # The rare label asks for more;
    assert asked[2] == pytest.approx(asked[0])  # the absent one does not.


def test_focal_loss_spares_what_is_known() -> None:
    focal, plain = LabelLoss(GOALS, "focal", 1), LabelLoss(GOALS, "none", 1)
    sure = torch.tensor([[4.0, 0.0]])
    share = torch.softmax(sure, dim=1)[0, 0]
    assert torch.allclose(focal(sure, GOALS[[0]]), (1 - share) ** 2 * plain(sure, GOALS[[0]]))


def test_adjusted_logits_ask_more_of_rare_labels() -> None:
    adjusted = LabelLoss(GOALS, "logits", 1.0)
    # With logits that only say how frequent the labels are, the adjusted loss is that of frequency squared.
    wanted = functional.cross_entropy(LOGITS + torch.tensor([0.9, 0.1]).log(), GOALS, reduction="sum")
    assert torch.allclose(adjusted(LOGITS, GOALS), wanted)
