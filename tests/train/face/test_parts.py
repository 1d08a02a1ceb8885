"""The parts of the face network."""

from __future__ import annotations

import torch

from visavis_train.face.parts import places_around


def test_places_are_the_center_and_each_offset_as_grid_sample_counts() -> None:
    centers = torch.rand(2, 5, 2) - 0.5
    offsets = torch.rand(7, 2) - 0.5
    found = places_around(centers, offsets).view(2, 5, 7, 2)
    torch.testing.assert_close(found, 2 * (centers[:, :, None] + offsets))
