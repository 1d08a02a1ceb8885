from __future__ import annotations

import torch

from visavis_train.expression.data.augment import Augmentation, augment
from visavis_train.expression.models.heads import standardize

STILL = Augmentation(rotation_deg=0, scale=0, shift=0, gamma=0, blur=0, erase=0)


def test_augmentation_without_range_only_mirrors() -> None:
    images = torch.randint(0, 256, (16, 1, 48, 48), dtype=torch.uint8)
    found = augment(images, 48, STILL, torch.Generator().manual_seed(0))
    plain = standardize(images.float().clamp(0.255, 255) / 255)
    same = [torch.allclose(f, p, atol=1e-3) for f, p in zip(found, plain, strict=True)]
    mirrored = [torch.allclose(f.flip(2), p, atol=1e-3) for f, p in zip(found, plain, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert any(same)
    assert any(mirrored)


def test_faces_are_mirrored_where_that_is_wanted_and_nothing_else_changes() -> None:
    images = torch.randint(0, 256, (16, 1, 48, 48), dtype=torch.uint8)
    drawn, none, all_ = (
        augment(images, 48, Augmentation(), torch.Generator().manual_seed(2), mirrored)
        for mirrored in (None, torch.zeros(16, dtype=torch.bool), torch.ones(16, dtype=torch.bool))
    )
    plain = [torch.equal(one, other) for one, other in zip(drawn, none, strict=True)]
    turned = [torch.equal(one, other) for one, other in zip(drawn, all_, strict=True)]
    assert [a != b for a, b in zip(plain, turned, strict=True)] == [True] * 16
    assert any(plain)
    assert any(turned)


def test_augmentation_repeats_with_its_seed_and_leaves_its_input() -> None:
    images = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8)
    before = images.clone()
    one, two = (augment(images, 40, Augmentation(), torch.Generator().manual_seed(seed)) for seed in (5, 5))
    other = augment(images, 40, Augmentation(), torch.Generator().manual_seed(6))
    assert one.shape == (8, 1, 40, 40)
    assert torch.equal(one, two)
    assert not torch.allclose(one, other)
    assert torch.equal(images, before)


def test_erasing_covers_a_rectangle_of_the_wanted_share_of_faces() -> None:
    images = torch.randint(0, 256, (400, 1, 48, 48), dtype=torch.uint8)
    erasing = STILL.model_copy(update={"erase": 0.5, "erase_area": 0.2})
    # The same seed, so the same faces are mirrored: what differs is what erasing covered.
    plain, erased = (augment(images, 48, how, torch.Generator().manual_seed(3)) for how in (STILL, erasing))
    covered = (plain != erased)[:, 0]
    assert 0.4 < covered.any(dim=(1, 2)).float().mean() < 0.55
    assert covered.float().mean(dim=(1, 2)).max() <= 0.25
    for face in covered[covered.any(dim=(1, 2))][:20]:
        assert torch.equal(face, face.any(1)[:, None] & face.any(0)[None, :])
