import csv
from pathlib import Path

import numpy as np
import pytest

from support.pictures import write
from visavis.datasets import affectnet
from visavis.errors import InputError

COLUMNS = [
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
]
ROWS = [
    ["1/a.jpg", 10, 20, 30, 30, "1;2", 1, 0.5, 0.1],
    ["1/n.jpg", "NULL", "NULL", "NULL", "NULL", "NULL", 10, -2, -2],
    ["2/b.png", 0, 0, 40, 20, "1;2", 7, 0.0, 0.0],
    ["2/u.png", 0, 0, 40, 40, "1;2", 9, -2, -2],
    ["2/u.png", 0, 0, 40, 40, "1;2", 9, -2, -2],
]


def write_affectnet(
    folder: Path, tables: str = "", pictures: str = "", rows: list[list[object]] = ROWS
) -> Path:
    (folder / tables).mkdir(parents=True, exist_ok=True)
    for name in ("training", "validation"):
        with (folder / tables / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    photo = np.zeros((80, 60, 3), np.uint8)
    photo[20:50, 10:40] = 200
    write(folder / pictures / "1" / "a.jpg", photo)
    write(folder / pictures / "2" / "b.png", photo)
    return folder


@pytest.mark.parametrize(
    ("tables", "pictures"),
    [
        ("", ""),
        ("", "Manually_Annotated_Images"),
        ("Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_Images"),
    ],
)
def test_faces_are_cut_out_and_other_rows_counted(tmp_path: Path, tables: str, pictures: str) -> None:
    found = affectnet.find_affectnet(write_affectnet(tmp_path, tables, pictures))
    assert (found.splits, found.default_split) == (("training", "validation"), "validation")
    faces = found.read()
    assert [faces.names[label] for label in faces.labels] == ["Happy", "Contempt"]
    assert faces.left_out == {"No-Face": 1, "Uncertain": 2}
    face = faces.images.read(0)
    assert face.shape == (30, 30, 3)
    assert face.min() > 150  # A JPEG.
    assert faces.images.place(1).endswith("validation.csv:4")
    assert faces.images.read(1).shape == (40, 40, 3)


def test_a_table_may_be_named_itself(tmp_path: Path) -> None:
    write_affectnet(tmp_path)
    found = affectnet.find_affectnet((tmp_path / "validation.csv").rename(tmp_path / "mine.csv"))
    assert (found.splits, found.read().split) == (("mine",), "mine")


def test_other_tables_are_not_affectnet(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("sheet,cell\n")
    assert affectnet.find_affectnet(tmp_path) is None
    assert affectnet.find_affectnet(tmp_path / "training.csv") is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["1/a.jpg", 10, 20, 30, 30, "", 11, 0, 0], r"validation\.csv:2: expression is 11; expected 0 to 10"),
        (["1/a.jpg", 10, 20, 30, 30, "", "sad", 0, 0], r"validation\.csv:2: expression is 'sad'"),
        (["1/a.jpg", "NULL", 20, 30, 30, "", 1, 0, 0], r"validation\.csv:2: face_x is 'NULL'"),
        (["1/a.jpg", 10, 20, 0, 30, "", 1, 0, 0], r"validation\.csv:2: face_width is 0"),
        (["1/a.jpg", 10, 20], r"validation\.csv:2: 3 cells; the header has 9"),
        (["1/c.jpg", 10, 20, 30, 30, "", 1, 0, 0], r"validation\.csv:2: the picture 1/c\.jpg was not found"),
        (["1/a.jpg", 10, 20, 30, 30, "", 8, 0, 0], r"validation\.csv: no row shows an expression"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: list[object], message: str) -> None:
    found = affectnet.find_affectnet(write_affectnet(tmp_path, rows=[row]))
    with pytest.raises(InputError, match=message):
        found.read()


def test_a_missing_picture_is_named_by_its_row(tmp_path: Path) -> None:
    found = affectnet.find_affectnet(write_affectnet(tmp_path))
    (tmp_path / "2" / "b.png").unlink()
    with pytest.raises(InputError, match=r"validation\.csv:4: the picture 2/b\.png is missing in"):
        found.read()


def write_sets(folder: Path, labels: dict[str, object]) -> Path:
    for name in affectnet.SETS:
        (folder / name / "annotations").mkdir(parents=True)
        for stem, label in labels.items():
            np.save(folder / name / "annotations" / f"{stem}_exp.npy", np.asarray(label))
            np.save(folder / name / "annotations" / f"{stem}_val.npy", np.asarray("0.5"))
            write(folder / name / "images" / f"{stem}.jpg", np.full((224, 224, 3), 20 * int(stem), np.uint8))
    (folder / "val_set" / "images" / "._1.jpg").write_bytes(b"litter")
    return folder


def test_the_form_of_today_is_read(tmp_path: Path) -> None:
    write_sets(tmp_path, {"0": "7", "1": 1, "2": "8", "3": "0"})
    for path, default in ((tmp_path, "val_set"), (tmp_path / "train_set", "train_set")):
        found = affectnet.find_affectnet(path)
        assert found.default_split == default
        faces = found.read()
        assert [faces.names[label] for label in faces.labels] == ["Contempt", "Happy", "Neutral"]
        assert [round(float(faces.images.read(row).mean())) for row in range(3)] == [0, 20, 60]
        assert faces.left_out == {"None": 1}


def test_what_is_wrong_in_the_form_of_today_is_named(tmp_path: Path) -> None:
    write_sets(tmp_path, {"0": "7"})
    np.save(tmp_path / "val_set" / "annotations" / "5_exp.npy", np.asarray("1"))
    with pytest.raises(InputError, match=r"5_exp\.npy: its picture is missing in .*images"):
        affectnet.find_affectnet(tmp_path).read()
    np.save(tmp_path / "val_set" / "annotations" / "5_exp.npy", np.asarray("11"))
    with pytest.raises(InputError, match=r"5_exp\.npy: expression is 11; expected 0 to 10"):
        affectnet.find_affectnet(tmp_path).read()
