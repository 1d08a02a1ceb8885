"""The faces of an experiment: any data set, declared labels, held-out splits, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from visavis.channels import EXPRESSIONS
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis_train.expression.data.sources import DataSource, Splits, read_splits


def picture(seed: int, shape: tuple[int, ...] = (30, 30, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


def write(path: Path, seed: int, shape: tuple[int, ...] = (30, 30, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed, shape))
    return path


def folder(root: Path, counts: Mapping[str, int], first: int = 0, persons: int = 0) -> Path:
    """Class folders; the pictures of each class may be of some persons in turn."""
    for number, (name, count) in enumerate(counts.items()):
        for index in range(count):
            person = f"p{index % persons}_" if persons else ""
            write(root / name / f"{person}{index}.png", first + 1000 * number + index)
    return root


def read(*sources: DataSource | Path, **options: object) -> Splits:
    known = [each if isinstance(each, DataSource) else DataSource(path=each) for each in sources]
    return read_splits(known, **options)  # type: ignore[arg-type]


def labels(faces: LabeledFaces | None) -> dict[str, int]:
    return {} if faces is None else {name: count for name, count in faces.counts.items() if count}


def pictures(faces: LabeledFaces | None) -> set[bytes]:
    return set() if faces is None else {faces.images.read(row).tobytes() for row in range(len(faces))}


def test_one_folder_is_divided_by_label_and_always_in_the_same_way(tmp_path: Path) -> None:
    path = folder(tmp_path, {"angry": 40, "happy": 20})
    splits = read(path, held_out=0.25, seed=3)
    assert labels(splits.training) == {"anger": 20, "happy": 10}
    assert labels(splits.validation) == labels(splits.test) == {"anger": 10, "happy": 5}
    parts = [pictures(part) for part in (splits.training, splits.validation, splits.test)]
    assert len(set.union(*parts)) == 60  # No picture is in two of them.
    again = read(path, held_out=0.25, seed=3)
    assert [pictures(part) for part in (again.training, again.validation, again.test)] == parts
    assert splits.training.images.read(0).shape == (48, 48)
    assert splits.training.names == EXPRESSIONS
    told = "25% of the training faces are held out for validation and as many for test; a person may be in"
    assert splits.notes[0].startswith(f"{path}: {told}")


def test_an_empty_class_folder_is_noted(tmp_path: Path) -> None:
    path = folder(tmp_path, {"angry": 20, "happy": 20})
    assert not any("has no picture" in note for note in read(path).notes)
    (path / "fear").mkdir()
    assert f"{path}: the folder 'fear' has no picture" in read(path).notes


def test_persons_and_copies_stay_together(tmp_path: Path) -> None:
    path = folder(tmp_path / "people", {"angry": 24, "happy": 24}, persons=8)
    splits = read(DataSource(path=path, person=r"^(p\d+)_"), held_out=0.25)
    persons = [set(part.persons.tolist()) for part in (splits.training, splits.validation, splits.test)]  # type: ignore[union-attr]
    assert [len(each) for each in persons] == [4, 2, 2]
    assert len(set.union(*persons)) == 8
    for index in range(20):  # Every picture twice.
        for copy in ("a", "b"):
            write(tmp_path / "twins" / "sad" / f"{index}{copy}.png", 5000 + index)
    twins = read(tmp_path / "twins", held_out=0.25)
    assert [len(part) for part in (twins.training, twins.validation)] == [20, 10]
    assert not pictures(twins.training) & pictures(twins.validation)


def test_sets_of_all_sizes_and_colours_are_joined(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"angry": 12})
    two = tmp_path / "two"
    for seed, (split, count) in enumerate((("train", 6), ("val", 3), ("test", 3), ("extra", 2))):
        for index in range(count):
            write(two / split / "Happiness" / f"{index}.png", 9000 + 50 * seed + index, (64, 40))
    splits = read(one, two, held_out=0.25, side_px=32)
    assert labels(splits.training) == {"anger": 6, "happy": 6}
    assert labels(splits.validation) == {"anger": 3, "happy": 3}
    assert labels(splits.test) == {"anger": 3, "happy": 3}
    assert f"{two}: splits without a usual name are not used: extra" in splits.notes
    assert splits.training.images.read(0).shape == (32, 32)
    assert splits.training.images.place(0).startswith(str(one))


def test_declared_labels(tmp_path: Path) -> None:
    path = folder(tmp_path, {"calm": 10, "neutral": 10, "bored": 10, "happy": 10})
    with pytest.raises(InputError, match="bored: a class folder that names no expression"):
        read(path)
    declared = DataSource(path=path, labels={"calm": "neutral", "bored": ""})
    assert labels(read(declared, held_out=0.2).training) == {"neutral": 12, "happy": 6}
    with pytest.raises(InputError, match="no class folder has the name 'bord'"):
        read(DataSource(path=path, labels={"calm": "neutral", "bored": "", "bord": ""}))
    with pytest.raises(ValidationError, match="'fine' is no expression"):
        DataSource(path=path, labels={"calm": "fine"})


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["picture,label,split,person", *rows]) + "\n")
    return path


def test_a_table_gives_labels_splits_and_persons(tmp_path: Path) -> None:
    for index in range(9):
        write(tmp_path / f"{index}.png", index)
    splits = ("train", "train", "train", "val", "val", "test", "test", "train", "train")
    rows = [
        f"{index}.png,{'angry' if index % 2 else 'happy'},{split},q{split}"
        for index, split in enumerate(splits)
    ]
    path = table(tmp_path / "mine.csv", *rows)
    found = read(path)
    assert [labels(part) for part in (found.training, found.validation, found.test)] == [
        {"anger": 2, "happy": 3}, {"anger": 1, "happy": 1}, {"anger": 1, "happy": 1},
    ]  # fmt: skip
    assert set(found.training.persons.tolist()) == {"qtrain"}  # type: ignore[union-attr]


def test_a_pattern_finds_the_person_in_the_names_of_a_tables_pictures(tmp_path: Path) -> None:
    rows = []
    for index in range(12):
        write(tmp_path / "faces" / f"p{index % 4}_{index}.png", index)
        rows.append(f"faces/p{index % 4}_{index}.png,{'angry' if index < 6 else 'happy'},,")
    path = table(tmp_path / "mine.csv", *rows)
    found = read(DataSource(path=path, person="^(p[0-9])_"))
    assert {person for _, faces in found.files for person in faces.persons.tolist()} == {
        "p0",
        "p1",
        "p2",
        "p3",
    }  # type: ignore[union-attr]
    with pytest.raises(
        InputError, match=r"mine\.csv:2: person = '\(x\)' finds no person in the file name p0_0"
    ):
        read(DataSource(path=path, person="(x)"))


def test_splits_and_sets_that_are_declared_wrongly_are_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"angry": 8, "happy": 8})
    with pytest.raises(InputError, match="its only split 'all' is declared for validation, so there is none"):
        read(DataSource(path=one, validation="all"))
    with pytest.raises(InputError, match="the split 'all' is declared twice; name another one for training"):
        read(DataSource(path=one, training="all", test="all"), repeats="keep")
    with pytest.raises(InputError, match=r"data names .*one twice; name it once"):
        read(one, one)
    assert read(DataSource(path=one, training="all")).training


@pytest.mark.parametrize(("split", "noted"), [("val", True), ("Test", True), ("train", False), ("", False)])
def test_it_is_noted_that_the_only_split_is_no_training_split(
    split: str, noted: bool, tmp_path: Path
) -> None:
    for index in range(12):
        write(tmp_path / f"{index}.png", index)
    path = table(tmp_path / "mine.csv", *(f"{index}.png,happy,{split}," for index in range(12)))
    told = f"{path}: training learns from {split!r}, its only split"
    assert (told in read(path, held_out=0.25).notes) is noted
    assert told not in read(DataSource(path=path, training=split or "all"), held_out=0.25).notes


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["0.png,,train,"], r"mine\.csv:2: no label; .*declare labels = \{ \"\" = \"\" \}"),
        (["0.png,happy,train,", "1.png,odd,train,"], r"mine\.csv:3: label is 'odd', which is no expression"),
        (["nine.png,happy,train,"], r"mine\.csv:2: the picture 'nine\.png' is missing"),
        (
            ["0.png,happy,train,", "copy.png,angry,train,", "1.png,sad,val,"],
            r"mine\.csv:3: labelled anger, but .*mine\.csv:2 is the same picture, labelled happy: correct",
        ),
        (
            ["0.png,happy,train,", "copy.png,happy,val,"],
            r"mine\.csv:2: in training, but .*mine\.csv:3 is the same picture, in validation: correct",
        ),
        (
            ["0.png,happy,train,ann", "1.png,happy,val,ann"],
            r"mine\.csv:2: in training, but the person ann is in validation too: correct",
        ),
        (
            ["0.png,happy,one,", "1.png,happy,two,"],
            r"none of its splits one, two is for training by its name",
        ),
        (["0.png,happy,,", ",happy,,"], r"mine\.csv:3: no picture: name one or delete the row"),
        (
            ["0.png,happy,train,", "1.png,sad,,", "2.png,sad,,"],
            r"mine\.csv:3: no split, but other rows have one: name one, such as train, or delete the row",
        ),
        (["0.png,happy,,"], ": 1 different picture; validation, test and training need more"),
        (["0.png,happy,,", "1.png,happy,,"], "2 different pictures; validation, test and training need more"),
    ],
)
def test_bad_tables_are_refused_by_file_and_row(rows: list[str], said: str, tmp_path: Path) -> None:
    for name, seed in (("0", 0), ("1", 1), ("2", 2), ("copy", 0)):
        write(tmp_path / f"{name}.png", seed)
    with pytest.raises(InputError, match=said) as refused:
        read(table(tmp_path / "mine.csv", *rows))
    assert "\n" not in str(refused.value)


def test_repeats_may_be_left_out_or_kept(tmp_path: Path) -> None:
    for name, seed in (("0", 0), ("1", 1), ("2", 2), ("copy", 0), ("clash", 1)):
        write(tmp_path / f"{name}.png", seed)
    rows = ["0.png,happy,train,", "copy.png,happy,val,", "1.png,sad,train,", "clash.png,fear,train,"]
    path = table(tmp_path / "mine.csv", *rows, "2.png,sad,train,")
    left = read(path, repeats="leave out")
    assert (labels(left.training), labels(left.validation)) == ({"sad": 1}, {"happy": 1})
    assert "3 faces left out: in two splits, or with two labels" in left.notes
    assert len(read(path, repeats="keep").training) == 4
    path = table(tmp_path / "mine.csv", "2.png,sad,train,", "0.png,happy,val,", "copy.png,happy,test,")
    with pytest.raises(InputError, match="no face is left for validation"):
        read(path, repeats="leave out")


def test_fer2013_keeps_its_own_splits_labels_and_repeats(data: Path) -> None:
    splits = read(data)
    assert (splits.training.name, splits.training.names[0], splits.test) == ("FER-2013", "angry", None)
    assert (len(splits.training), len(splits.validation)) == (140, 35)
    assert splits.training.votes is not None
