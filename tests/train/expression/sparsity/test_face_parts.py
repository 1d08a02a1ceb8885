"""Landmarks of 48 px crops are trusted only on faces, and parts of the face are in the right place."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray
from visavis_train.expression.sparsity.face_parts import FINE_PX, PARTS, cell_parts, draw_parts
from visavis_train.face.data.crop_landmarks import CropLandmarks, find_landmarks


def test_landmarks_of_a_real_face_are_believed(crop: ImageArray, points: FloatArray) -> None:
    # In noise the network sees something else each time that it looks.
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    found = find_landmarks(np.stack([crop, noise]))
    assert found.believable.tolist() == [True, False]
    np.testing.assert_array_equal(found.points[0], points)
    mirrored = find_landmarks(crop[None, :, ::-1].copy()).points[0]
    nose = LANDMARKS_146.index(4)
    np.testing.assert_allclose(mirrored[nose], [1 - points[nose, 0], points[nose, 1]], atol=0.04)
    with pytest.raises(InputError, match="landmarks must be"):
        CropLandmarks(points[None], np.ones(2, np.bool_))


def test_parts_lie_where_their_landmarks_are(points: FloatArray) -> None:
    side = 96
    drawn = draw_parts(points, side)

    def at(*numbers: int) -> str:
        x, y = points[[LANDMARKS_146.index(number) for number in numbers]].mean(axis=0) * side
        return PARTS[drawn[int(y), int(x)]]

    assert [at(33, 133), at(263, 362)] == ["eyes", "eyes"]
    assert [at(105, 52), at(334, 282)] == ["brows", "brows"]
    assert (at(13, 14), at(4), at(10, 107, 336)) == ("mouth", "nose", "forehead")
    assert (at(17, 152), at(61, 234), at(291, 454)) == ("chin", "cheeks", "cheeks")
    assert PARTS[drawn[0, 0]] == "outside"


def test_shares_of_a_cell_sum_to_1_and_turn_with_the_face(points: FloatArray) -> None:
    shares = cell_parts(points, 12)
    assert shares.shape == (144, len(PARTS))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    drawn = draw_parts(points, 12 * FINE_PX)
    counts = np.bincount(drawn.ravel(), minlength=len(PARTS))
    np.testing.assert_allclose(shares.mean(axis=0), counts / drawn.size)
    assert (counts > 0).all()
    turned = np.stack([points[:, 1], 1 - points[:, 0]], axis=1)  # A quarter to the left.
    assert (draw_parts(turned, 96) == np.rot90(draw_parts(points, 96))).mean() > 0.97
