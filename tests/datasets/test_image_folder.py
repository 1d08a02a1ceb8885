from pathlib import Path

import numpy as np
import pytest

from support.pictures import picture, write
from visavis.channels import EXPRESSIONS
from visavis.datasets import fer2013_folders, image_folder
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS, expression_of

WORDS = ("neutral", "Happiness", "sad", "SURPRISED", "fearful", "disgusted", "angry", "contempt")


def fill(folder: Path, words: tuple[str, ...], first: int = 0, side_px: int = 60) -> Path:
    """Two pictures for each class, one PNG, one in a format that most files have."""
    for number, word in enumerate(words, start=first):
        write(folder / word / "a.png", picture(number, side_px))
        write(folder / word / "B.JPG", picture(number + 100, side_px))
    return folder


@pytest.mark.parametrize("inside", ["", "test"])
def test_classes_are_told_by_the_words_that_people_use(tmp_path: Path, inside: str) -> None:
    fill(tmp_path / inside, WORDS)
    faces = image_folder.find_image_folder(tmp_path).read()
    assert faces.split == (inside or "all")
    assert [expression_of(name) for name in faces.names] == list(EXPRESSIONS)
    assert faces.counts == dict.fromkeys(WORDS, 2)
    for row, label in enumerate(faces.labels):
        assert Path(faces.images.place(row)).parent.name == faces.names[label]


def test_splits_keep_their_pictures_and_share_their_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train", ("angry", "sad", "happy"))
    fill(tmp_path / "test", ("sad", "happy"), first=1)
    found = image_folder.find_image_folder(tmp_path)
    assert (found.splits, found.default_split, found.training_split) == (("test", "train"), "test", "train")
    assert found.read("test").counts == {"happy": 2, "sad": 2, "angry": 0}
    pixels = found.read("test").images.read(1)  # B.JPG comes before a.png.
    np.testing.assert_array_equal(pixels[..., 0], picture(2, 60))


def test_folders_without_expressions_are_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "holiday" / "beach").mkdir(parents=True)
    assert image_folder.find_image_folder(tmp_path) is None
    assert image_folder.find_image_folder(tmp_path / "none") is None


@pytest.mark.parametrize("inside", ["", "train"])
def test_an_unknown_class_is_named(tmp_path: Path, inside: str) -> None:
    fill(tmp_path / inside, ("angry", "sad"))
    (tmp_path / inside / "bored").mkdir()
    with pytest.raises(InputError, match=r"bored: a class folder that names no expression; expected neutral"):
        image_folder.find_image_folder(tmp_path)


def test_two_words_for_one_expression_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, ("anger", "angry"))
    with pytest.raises(InputError, match="angry: names the same expression as anger"):
        image_folder.find_image_folder(tmp_path)


def test_litter_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, ("angry", "sad"))
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "sad" / name).write_bytes(b"x")
    (tmp_path / ".cache").mkdir()
    assert len(image_folder.find_image_folder(tmp_path).read()) == 4


@pytest.mark.parametrize("name", ["notes.txt", "more", "picture"])
def test_other_things_among_the_pictures_are_named(tmp_path: Path, name: str) -> None:
    fill(tmp_path, ("angry", "sad"))
    if name == "more":
        (tmp_path / "sad" / name).mkdir()
    else:
        (tmp_path / "sad" / name).write_bytes(b"x")
    with pytest.raises(InputError, match=rf"sad/{name}: not an image"):
        image_folder.find_image_folder(tmp_path).read()


def test_folders_without_pictures_have_no_faces(tmp_path: Path) -> None:
    (tmp_path / "angry").mkdir()
    with pytest.raises(InputError, match="angry: no pictures; put pictures of faces there"):
        image_folder.find_image_folder(tmp_path).read()


def test_a_split_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    fill(tmp_path / "train", ("angry",))
    fill(tmp_path / "val", ("angry",))
    with pytest.raises(InputError, match=": no split 'test' here; it has train, val: name one"):
        image_folder.find_image_folder(tmp_path).read()


# FER-2013 as folders.


def kaggle(folder: Path, splits: dict[str, str]) -> Path:
    """Two pictures of 48 px a class and split; their names begin with the official split's."""
    for at, (split, usage) in enumerate(splits.items()):
        for label, word in enumerate(FER2013_LABELS):
            for copy in range(2):
                write(folder / split / word / f"{usage}{copy}.png", picture(100 * at + 10 * label + copy))
    return folder


def test_fer2013_is_known_by_its_words_and_its_size(tmp_path: Path) -> None:
    found = fer2013_folders.find_fer2013_folders(
        kaggle(tmp_path, {"train": "Training_", "test": "PublicTest_"})
    )
    assert (found.name, found.training_split) == ("FER-2013", "train")
    faces = found.read()
    assert (faces.split, faces.names) == ("PublicTest", FER2013_LABELS)
    assert faces.labels[::2].tolist() == [FER2013_LABELS.index(name) for name in sorted(FER2013_LABELS)]
    np.testing.assert_array_equal(faces.images.read(5)[..., 0], picture(121))
    assert found.read("test").counts == faces.counts == dict.fromkeys(FER2013_LABELS, 2)


def test_the_official_splits_inside_of_kaggles_test_stay_apart(tmp_path: Path) -> None:
    kaggle(tmp_path, {"test": "PublicTest_", "train": "Training_"})
    write(tmp_path / "test" / "sad" / "PrivateTest_7.png", picture(7))
    found = fer2013_folders.find_fer2013_folders(tmp_path)
    sizes = {split: len(found.read(split)) for split in found.splits}
    assert sizes == {"test": 15, "train": 14, "Training": 14, "PublicTest": 14, "PrivateTest": 1}


def test_the_official_names_may_be_the_folders(tmp_path: Path) -> None:
    found = fer2013_folders.find_fer2013_folders(
        kaggle(tmp_path, {"training": "a", "PublicTest": "b", "PrivateTest": "c"})
    )
    assert found.splits == ("PrivateTest", "PublicTest", "training")
    assert (found.read().split, found.training_split) == ("PublicTest", "training")


def test_pictures_of_its_size_and_words_without_official_names_are_ones_own(tmp_path: Path) -> None:
    # FER-2013's repeats are always kept; one's own in two splits are refused.
    kaggle(tmp_path, {"test": "im", "Training": "im"})
    assert fer2013_folders.find_fer2013_folders(tmp_path) is None
    found = image_folder.find_image_folder(tmp_path)
    assert set(found.splits) == {"test", "Training"}
    assert found.read().split == "test"


@pytest.mark.parametrize(("words", "side_px"), [(WORDS, 48), (("angry", "sad"), 60)])
def test_other_folders_are_not_fer2013(tmp_path: Path, words: tuple[str, ...], side_px: int) -> None:
    assert fer2013_folders.find_fer2013_folders(fill(tmp_path, words, side_px=side_px)) is None
    assert image_folder.find_image_folder(tmp_path) is not None
    assert fer2013_folders.find_fer2013_folders(tmp_path / "angry") is None


def test_class_folders_of_ones_own_without_splits_are_not_fer2013(tmp_path: Path) -> None:
    for word in ("happy", "neutral"):
        write(tmp_path / word / "a.png", picture(1))
    assert fer2013_folders.find_fer2013_folders(tmp_path) is None
    found = image_folder.find_image_folder(tmp_path)
    assert (found.name, found.read().counts) == ("folders of faces", {"neutral": 1, "happy": 1})
