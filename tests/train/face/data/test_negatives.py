"""Squares that hold no face."""

from __future__ import annotations

import numpy as np

from visavis_train.face.data.negatives import from_video
from visavis_train.face.network import INPUT_PX


def test_squares_of_a_video_are_shrunk_without_aliasing() -> None:
    fine = np.zeros((1600, 1600, 3), np.uint8)
    fine[::2, ::2] = fine[1::2, 1::2] = 255
    squares = list(from_video(fine, [], np.random.default_rng(0), 30))
    assert len(squares) == 30
    plain = 0
    for square in squares:
        assert square.shape == (INPUT_PX, INPUT_PX, 3)
        inside = square[square > 0]
        plain += len(inside) > 0 and abs(float(np.median(inside)) - 127) < 3 and inside.std() < 20
    assert plain > 15


def test_squares_of_a_video_avoid_faces() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:200, 300:400] = 255
    box = np.array([300, 100, 400, 200], np.float32)
    squares = list(from_video(image, [box], np.random.default_rng(0), 200))
    assert 20 < len(squares) < 200
    assert max(float((square > 250).mean()) for square in squares) < 0.15
