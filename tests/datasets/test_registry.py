import csv
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.pictures import picture, write
from visavis.datasets.picture_table import write_picture_table
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such file or folder"):
        find_dataset(tmp_path / "none")


def test_an_unknown_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError, match=r"expected fer2013\.csv, .*RAF-DB.*AffectNet.*expressions") as told:
        find_dataset(tmp_path)
    assert len(str(told.value).removeprefix(str(tmp_path))) < 200


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", "none"),
        ("a,b\n1,2\n", "a, b"),
        ("a;b\n1;2\n", "a, b"),
        ("a,b,c,d,e,f,g", r"a, b, c, d, e, f, \.\.\."),
    ],
)
def test_a_file_that_is_no_known_table_names_its_columns(tmp_path: Path, text: str, columns: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    expected = f"mine.csv: no data set .* with the columns {columns}; expected .* picture and label$"
    with pytest.raises(InputError, match=expected):
        find_dataset(tmp_path / "mine.csv")


def test_columns_labels_and_splits_may_have_capitals_and_blanks(tmp_path: Path) -> None:
    write(tmp_path / "1.png", picture(1, 48))
    (tmp_path / "1.csv").write_text(
        "Split,Label ,Picture\nTRAIN, Happy ,1.png\nTest,SAD,1.png\nextra,sad,1.png\n"
    )
    for split in ("Train", "Test", "Valid"):
        write(tmp_path / "folders" / split / "HAPPY" / "1.png", picture(1, 100))
    for place, splits in (("1.csv", ("TRAIN", "Test")), ("folders", ("Train", "Test"))):
        data = find_dataset(tmp_path / place)
        assert (data.training_split, data.default_split) == splits
        assert len(data.read()) == 1


def test_each_layout_finds_its_reader(tmp_path: Path) -> None:
    gray = " ".join(["7"] * 48**2)
    (tmp_path / "fer").mkdir()
    # As in icml_face_data.csv: another order, blanks after the commas.
    (tmp_path / "fer" / "fer2013.csv").write_text(f"emotion, Usage, pixels\n3, PublicTest, {gray}\n")
    for word in ("angry", "sad"):
        write(tmp_path / "small" / "test" / word / "PublicTest_1.png", picture(1, 48))
        write(tmp_path / "large" / "test" / word / "1.png", picture(1, 100))
    (tmp_path / "raf").mkdir()
    (tmp_path / "raf" / "list_patition_label.txt").write_text("test_1.jpg 1\n")
    write(tmp_path / "raf" / "aligned" / "test_1_aligned.jpg", picture(1, 100))
    write(tmp_path / "affect" / "1" / "a.png", picture(1, 100))
    (tmp_path / "affect" / "validation.csv").write_text(
        "subDirectory_filePath,face_x,face_y,face_width,face_height,expression\n1/a.png,0,0,9,9,2\n"
    )
    names = {folder.name: find_dataset(folder).name for folder in tmp_path.iterdir()}
    assert names == {
        "fer": "FER-2013",
        "small": "FER-2013",
        "large": "folders of faces",
        "raf": "RAF-DB",
        "affect": "AffectNet",
    }
    assert find_dataset(tmp_path / "fer" / "fer2013.csv").read(None).images.place(0) == "fer2013.csv:2"


def write_tables(script: Path, out: Path) -> None:
    """What the script writes as csv, sooner: it makes text of each of 74 million numbers."""
    known, texts = runpy.run_path(str(script)), np.asarray([str(level) for level in range(256)], object)
    with (
        (out / "fer2013.csv").open("w", newline="") as faces,
        (out / "fer2013new.csv").open("w", newline="") as votes,
    ):
        pixels, counts = csv.writer(faces), csv.writer(votes)
        pixels.writerow(["emotion", "pixels", "Usage"])
        counts.writerow(["Usage", "Image name", *known["VOTES"]])
        for number, (row, image) in enumerate(known["faces"]()):
            name = f"fer{number:07d}.png" if row["neutral"] else ""
            pixels.writerow([row["emotion"], " ".join(texts[image.ravel()]), row["usage"]])
            counts.writerow([row["usage"], name, *(row[vote] or 0 for vote in known["VOTES"])])


@pytest.mark.shared
@pytest.mark.parametrize("layout", ["csv", "folders"])
@pytest.mark.slow
def test_the_real_set_is_the_same_in_every_layout(shared: Path, tmp_path: Path, layout: str) -> None:
    folder = shared / "data" / "fer2013"
    if layout == "csv":
        write_tables(folder / "expand.py", tmp_path)
    else:
        subprocess.run([sys.executable, folder / "expand.py", tmp_path, "--as", layout], check=True)
    ours, theirs = find_dataset(folder), find_dataset(tmp_path)
    for split in ("Training", "PublicTest"):
        assert theirs.read(split).counts == ours.read(split).counts
    test, expanded = ours.read(), theirs.read()
    order = np.argsort(test.labels, kind="stable") if layout == "folders" else np.arange(len(test))
    by_class = np.argsort(expanded.labels, kind="stable") if layout == "folders" else order
    for mine, other in zip(order[::100], by_class[::100], strict=True):
        found = expanded.images.read(int(other))
        gray = found if found.ndim == 2 else found[..., 0]
        np.testing.assert_array_equal(gray, test.images.read(int(mine)))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names in Unicode")
def test_a_table_of_pictures_whose_names_are_no_utf_8_is_written(tmp_path: Path) -> None:
    plain = write(tmp_path / "set" / "happy" / "plain.png", picture(48))
    plain.rename(plain.with_name(os.fsdecode(b"caf\xe9.png")))
    faces = find_dataset(tmp_path / "set").read("all")
    write_picture_table(tmp_path / "faces.csv", [("train", faces)])
    assert "caf\\udce9.png,happy,train" in (tmp_path / "faces.csv").read_text("utf-8")
