from pathlib import Path

import numpy as np
import pytest

from support.pictures import picture, write
from visavis.datasets import raf_db
from visavis.errors import InputError

LINES = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7", "test_0002.jpg 4"]


def write_raf(folder: Path, lists: str = "", pictures: str = "aligned") -> Path:
    (folder / lists).mkdir(parents=True, exist_ok=True)
    (folder / lists / "list_patition_label.txt").write_text("\n".join(LINES) + "\n")
    for number, line in enumerate(LINES):
        color = np.stack([picture(number + shift, 100) for shift in (0, 10, 20)], axis=-1)
        write(folder / pictures / line.split()[0].replace(".jpg", "_aligned.jpg"), color)
    return folder


@pytest.mark.parametrize(
    ("root", "lists", "pictures"),
    [("", "", "aligned"), ("", "EmoLabel", "Image/aligned"), ("basic", "EmoLabel", "Image/aligned")],
)
def test_common_nestings_hold_the_same(tmp_path: Path, root: str, lists: str, pictures: str) -> None:
    write_raf(tmp_path / root, lists, pictures)
    found = raf_db.find_raf_db(tmp_path)
    assert (found.splits, found.default_split, found.training_split) == (("train", "test"), "test", "train")
    test, train = found.read(), found.read("train")
    assert [test.names[label] for label in test.labels] == ["Neutral", "Happiness"]
    assert [train.names[label] for label in train.labels] == ["Sadness", "Surprise"]
    assert test.images.read(0).shape == (100, 100, 3)
    assert test.images.place(1).endswith("list_patition_label.txt:4")


def test_other_folders_are_not_raf_db(tmp_path: Path) -> None:
    assert raf_db.find_raf_db(tmp_path) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00001.jpg 8", r"label\.txt:1: found 'train_00001\.jpg 8'; expected .* label from 1 to 7"),
        ("train_00001.jpg 0", "expected a picture's name"),
        ("train_00001.jpg", "expected a picture's name"),
        ("train_00001.jpg 5 1", "expected a picture's name"),
        ("valid_00001.jpg 5", r"label\.txt:1: valid_00001\.jpg begins with neither train_ nor test_"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = write_raf(tmp_path) / "list_patition_label.txt"
    path.write_text("\n".join([line, *LINES[1:]]))
    with pytest.raises(InputError, match=message):
        raf_db.find_raf_db(tmp_path)


@pytest.mark.parametrize(("data", "message"), [(b"", "lists no picture"), (b"\xff\xfe", "cannot be read")])
def test_a_list_without_lines_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (write_raf(tmp_path) / "list_patition_label.txt").write_bytes(data)
    with pytest.raises(InputError, match=message):
        raf_db.find_raf_db(tmp_path)


def test_a_missing_picture_is_named_by_its_line(tmp_path: Path) -> None:
    (write_raf(tmp_path) / "aligned" / "test_0002_aligned.jpg").unlink()
    found = raf_db.find_raf_db(tmp_path)
    assert len(found.read("train")) == 2
    with pytest.raises(InputError, match=r"label\.txt:4: the picture test_0002_aligned\.jpg is missing"):
        found.read("test")


def test_the_list_needs_its_pictures(tmp_path: Path) -> None:
    write_raf(tmp_path, pictures="elsewhere")
    with pytest.raises(InputError, match="no folder of aligned pictures"):
        raf_db.find_raf_db(tmp_path)
