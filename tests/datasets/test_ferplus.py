from pathlib import Path

import numpy as np
import pytest

from support.pictures import picture
from visavis.channels import EXPRESSIONS
from visavis.datasets import ferplus
from visavis.datasets.fer2013 import Fer2013
from visavis.errors import InputError
from visavis.expression.labels import FERPLUS_COLUMNS


def fer2013(*votes: dict[str, int]) -> Fer2013:
    counts = np.asarray([[one.get(column, 0) for column in FERPLUS_COLUMNS] for one in votes], np.int64)
    pixels = np.stack([picture(row) for row in range(len(votes))])
    return Fer2013(pixels, np.zeros(len(votes), np.int64), counts, np.full(len(votes), "PublicTest"))


def test_the_majority_takes_the_labels_place() -> None:
    data = fer2013({"contempt": 8, "NF": 2}, {"sadness": 5, "neutral": 5}, {"happiness": 10}, {"NF": 10})
    faces = ferplus.majority(data.faces("PublicTest"))
    assert (faces.name, faces.names) == ("FER+", EXPRESSIONS)
    assert [faces.names[label] for label in faces.labels] == ["contempt", "happy"]
    assert faces.left_out == {"no majority": 2}
    np.testing.assert_array_equal(faces.images.read(1), picture(2))
    np.testing.assert_array_equal(faces.votes, data.votes[[0, 2]])


def test_without_votes_it_says_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"no FER\+ votes here; put FER\+'s fer2013new\.csv"):
        ferplus.majority(fer2013({}, {}).faces("PublicTest"))


def test_without_a_majority_there_are_no_faces() -> None:
    with pytest.raises(InputError, match=r"no face has a FER\+ majority"):
        ferplus.majority(fer2013({"NF": 10}).faces("PublicTest"))


def test_faces_from_no_file_say_so(tmp_path: Path) -> None:
    assert fer2013({"fear": 9}).faces("PublicTest").images.place(0) == "FER-2013"
