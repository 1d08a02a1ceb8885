from pathlib import Path

import numpy as np
import pytest

from support.conversations import write_npy
from visavis.datasets import appropriateness
from visavis.errors import InputError


def test_a_matrix_must_fit_its_split(tmp_path: Path) -> None:
    matrix = np.eye(6)
    matrix[0, 3] = 1
    write_npy(tmp_path / "n.npy", matrix)
    assert np.array_equal(appropriateness.read_neighbours(tmp_path / "n.npy", 6), matrix.astype(bool))
    with pytest.raises(InputError, match=r"the matrix is \(6, 6\); expected \(8, 8\), one row for each"):
        appropriateness.read_neighbours(tmp_path / "n.npy", 8)
    write_npy(tmp_path / "n.npy", matrix * 0.5)
    with pytest.raises(InputError, match="other numbers than 0 and 1"):
        appropriateness.read_neighbours(tmp_path / "n.npy", 6)


def test_a_matrix_survives_being_written(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).integers(0, 2, (6, 6)).astype(bool)
    appropriateness.write_neighbours(tmp_path / "neighbour_emotion_val.npy", matrix)
    assert np.array_equal(appropriateness.read_neighbours(tmp_path / "neighbour_emotion_val.npy", 6), matrix)
    assert np.load(tmp_path / "neighbour_emotion_val.npy").dtype == np.float64
