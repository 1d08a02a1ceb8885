import csv
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.tiny_fer import write_faces
from visavis.datasets import fer2013
from visavis.errors import InputError
from visavis.expression.labels import FERPLUS_COLUMNS

FACES = np.random.default_rng(0).integers(0, 256, (66, 48, 48), np.uint8)
USAGES = ["Training"] * 65 + ["PublicTest"]
PIXELS = " ".join(map(str, FACES[0].ravel()))
VOTES = [[] if row == 3 else [row % 11, *[0] * 9] for row in range(66)]


def write_kaggle(folder: Path, *, votes: bool = True) -> Path:
    path = write_faces(folder, [(row % 7, FACES[row], USAGES[row]) for row in range(66)])
    if votes:
        with (folder / "fer2013new.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Usage", "Image name", *FERPLUS_COLUMNS])
            for row in range(66):
                writer.writerow([USAGES[row], "x", *(VOTES[row] or [""] * 10)])
    return path


def write_sheets(folder: Path) -> Path:
    sheet = np.zeros((96, 64 * 48), np.uint8)
    for cell, face in enumerate(FACES[:65]):
        y, x = (48 * v for v in divmod(cell, 64))
        sheet[y : y + 48, x : x + 48] = face
    cv2.imwrite(str(folder / "training_00.png"), sheet)
    cv2.imwrite(str(folder / "publictest_00.png"), np.hstack([FACES[65]] * 64))
    for table, rows in (("training", range(65)), ("publictest", range(65, 66))):
        with (folder / f"{table}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sheet", "cell", "usage", "emotion", *FERPLUS_COLUMNS, "source"])
            for row in rows:
                cell = row if table == "training" else 0
                counts = VOTES[row] or [""] * 10
                writer.writerow([f"{table}_00.png", cell, USAGES[row], row % 7, *counts, "png"])
    return folder


def test_both_forms_hold_the_same(tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    (tmp_path / "s").mkdir()
    kaggle = fer2013.load(write_kaggle(tmp_path / "k"))
    sheets = fer2013.load(write_sheets(tmp_path / "s"))
    for one in (kaggle, sheets, fer2013.load(tmp_path / "k")):
        np.testing.assert_array_equal(one.images, FACES)
        np.testing.assert_array_equal(one.labels, np.arange(66) % 7)
        assert one.usage.tolist() == USAGES
        assert one.votes[5, 0] == 5
        assert not one.votes[3].any()
    assert (kaggle.places[4], kaggle.places[65]) == ("fer2013.csv:6", "fer2013.csv:67")
    assert (sheets.places[4], sheets.places[65]) == ("training.csv:6", "publictest.csv:2")


def test_splits(tmp_path: Path) -> None:
    data = fer2013.load(write_kaggle(tmp_path))
    training, test = data.split("Training"), data.split("PublicTest")
    assert (len(training), len(test)) == (65, 1)
    with pytest.raises(InputError, match=r"no PrivateTest rows here; it has PublicTest, Training"):
        data.split("PrivateTest")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n1,", "\n7,", r"fer2013.csv:3: emotion is 7; expected 0 to 6"),
        ("\n1,", "\nx,", r"fer2013.csv:3: emotion is 'x'"),
        ("PublicTest", "Test", r"fer2013.csv:67: Usage is 'Test'"),
        ("\n0,", "\n0,999 ", r"fer2013.csv:2: 2305 pixels"),
        ("\n0,", "\n0,a ", r"fer2013.csv:2: pixels must be whole numbers"),
        ("\n0,", "\n0,256 ", r"fer2013.csv:2: 2305 pixels"),
        ("pixels", "pictures", r"the header lacks pixels"),
        (PIXELS, "", r"fer2013.csv:2: 0 pixels; expected 2304"),
        (PIXELS, PIXELS[4:], r"fer2013.csv:2: 2303 pixels"),
        (PIXELS, PIXELS + " x", r"fer2013.csv:2: pixels must be whole numbers"),
        (f",{PIXELS}", "", r"fer2013.csv:2: 2 cells; the header has 3 columns"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_kaggle(tmp_path)
    path.write_text(path.read_text().replace("\r\n", "\n").replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        fer2013.load(path)


def test_votes_must_match_the_faces(tmp_path: Path) -> None:
    path = write_kaggle(tmp_path)
    votes = path.with_name("fer2013new.csv")
    votes.write_text("\n".join(votes.read_text().splitlines()[:-1]))
    with pytest.raises(InputError, match="65 rows of votes for 66 faces"):
        fer2013.load(path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names in Unicode")
def test_a_folder_whose_name_is_no_utf_8_is_read(tmp_path: Path) -> None:
    folder = write_sheets(tmp_path).rename(tmp_path.with_name(os.fsdecode(b"fer \xe9")))
    np.testing.assert_array_equal(fer2013.load(folder).images, FACES)


def test_missing_sheet_is_named(tmp_path: Path) -> None:
    write_sheets(tmp_path)
    (tmp_path / "publictest_00.png").unlink()
    with pytest.raises(InputError, match=r"publictest.csv:2: the sheet publictest_00.png is missing"):
        fer2013.load(tmp_path)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no FER-2013 here"):
        fer2013.load(tmp_path)


def test_evaluation_gets_a_split_with_its_votes_and_places(tmp_path: Path) -> None:
    found = fer2013.find_fer2013(write_kaggle(tmp_path))
    assert (found.splits, found.training_split) == (("Training", "PublicTest"), "Training")
    faces = found.read()
    assert (faces.name, faces.split, len(faces)) == ("FER-2013", "PublicTest", 1)
    np.testing.assert_array_equal(faces.images.read(0), FACES[65])
    assert faces.images.place(0) == "fer2013.csv:67"
    assert faces.votes[0, 0] == 10
    with pytest.raises(InputError, match="no split 'test' here; it has Training, PublicTest"):
        found.read("test")


def test_without_votes_a_split_has_none(tmp_path: Path) -> None:
    assert fer2013.load(write_kaggle(tmp_path, votes=False)).faces("PublicTest").votes is None


@pytest.mark.shared
@pytest.mark.slow
def test_the_real_set_has_its_official_counts(shared: Path) -> None:
    data = fer2013.load(shared / "data" / "fer2013")
    training, test = data.split("Training"), data.split("PublicTest")
    assert np.bincount(training.labels).tolist() == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert np.bincount(test.labels).tolist() == [467, 56, 496, 895, 653, 415, 607]


def test_votes_of_other_faces_are_refused(tmp_path: Path) -> None:
    path = write_kaggle(tmp_path)
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    (tmp_path / "fer2013new.csv").write_text("\n".join([lines[0], lines[66], *lines[1:66]]))
    with pytest.raises(InputError, match=r"fer2013new\.csv:2: Usage is PublicTest, but .* is of Training"):
        fer2013.load(path)


def test_the_other_name_of_kaggles_table_is_found_in_its_folder(tmp_path: Path) -> None:
    write_kaggle(tmp_path).rename(tmp_path / "icml_face_data.csv")
    found = fer2013.find_fer2013(tmp_path)
    assert len(found.read("Training")) == 65
