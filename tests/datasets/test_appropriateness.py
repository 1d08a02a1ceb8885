from pathlib import Path

import numpy as np
import pytest

from support.conversations import REACT_ROWS as ROWS
from support.conversations import write_npy, write_react
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


def test_the_annotation_finds_a_splits_rows(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS)
    clips = ["RECOLA,group-2,3", "NoXI,001_Paris,1", "UDIVA,005013_talk,1", "NoXI,005_2016-03-18_Paris,1"]
    table = tmp_path / "data_indices.csv"
    table.write_text("\n".join(["site,chat_index,clip_index", *clips]))
    assert appropriateness.annotation_rows(tmp_path, "val").tolist() == [3, 0, 2]
    write_npy(tmp_path / "Approprirate_facial_reaction.npy", np.eye(8))
    assert np.array_equal(appropriateness.read_annotation(tmp_path), np.eye(8))
    write_npy(tmp_path / "Approprirate_facial_reaction.npy", np.eye(3))
    with pytest.raises(InputError, match=r"the matrix is \(3, 3\); .*data_indices\.csv has 4 clips"):
        appropriateness.read_annotation(tmp_path)
    table.write_text("\n".join(["site,chat_index,clip_index", *clips[1:]]))
    with pytest.raises(InputError, match=r"val\.csv:3: RECOLA/group-2/3 is not in .*data_indices\.csv"):
        appropriateness.annotation_rows(tmp_path, "val")
