from pathlib import Path

import numpy as np
import pytest

from support.conversations import REACT_ROWS as ROWS
from support.conversations import face_numbers, write_expression, write_npy, write_react
from visavis.datasets import react
from visavis.datasets.dyads import FaceSpace
from visavis.errors import InputError


def read(root: Path, split: str = "val"):
    return react.find_react(root).read(split)


def test_both_directions_in_the_order_of_the_matrix(tmp_path: Path) -> None:
    val = read(write_react(tmp_path, ROWS))
    assert len(val) == 6
    keys = [dyad.key for dyad in val]
    assert keys == [row[0] for row in ROWS] + [row[1] for row in ROWS]
    assert [dyad.listener.name for dyad in val] == [row[1] for row in ROWS] + [row[0] for row in ROWS]


def test_a_row_is_what_the_files_hold(tmp_path: Path) -> None:
    one = read(write_react(tmp_path, ROWS, frames=750))[1]
    assert (one.fps, one.space, one.split, len(one)) == (25.0, FaceSpace.FACEVERSE, "val", 750)
    assert np.array_equal(one.speaker.face, face_numbers(2, 751)[:750])
    assert one.listener.expression == pytest.approx(face_numbers(103, 750, 25))
    assert one.speaker.audio == tmp_path / "val" / "Audio_files" / f"{ROWS[1][0]}.wav"


def test_expressions_under_p1_and_p2_are_found(tmp_path: Path) -> None:
    numbered = {"Expert_video": "P1", "Novice_video": "P2", "P41": "P1", "P42": "P2"}
    val = read(write_react(tmp_path, ROWS, expression_person=lambda name: numbered.get(name, name)))
    assert val[1].listener.expression == pytest.approx(face_numbers(103, 8, 25))


def test_splits_are_listed_in_order_and_other_tables_passed_over(tmp_path: Path) -> None:
    for split in ("val", "train"):
        write_react(tmp_path, ROWS[:1], split)
    (tmp_path / "data_indices.csv").write_text("site,chat_index,clip_index\n")
    found = react.find_react(tmp_path)
    assert found.splits == ("train", "val")
    assert react.find_react(tmp_path / "val") is None
    assert react.find_react(tmp_path / "val.csv") is None


def test_without_expressions_or_sound_the_faces_remain(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS[:1])
    for folder in ("Emotion", "Audio_files"):
        (tmp_path / "val" / folder).rename(tmp_path / folder)
    one = read(tmp_path)[0]
    assert one.speaker.expression is None
    assert one.speaker.audio is None
    assert len(one) == 9


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "NoXI/none/Expert_video/1,NoXI/none/Novice_video/1",
            r"val\.csv:2: the face .*none/Expert_video/1\.npy",
        ),
        ("NoXI/1,NoXI/2", "'NoXI/1' is no path of a clip; expected site/chat/person/clip"),
        ("../../../x/1,NoXI/a/b/1", "is no path of a clip"),
        (f"{ROWS[0][0]},{ROWS[0][0]}", r"val\.csv:2: NoXI/.* is speaker and listener; expected two people"),
        ("a/b/c/1", r"val\.csv:2: 2 cells; the header has 3 columns"),
    ],
)
def test_rows_that_point_nowhere_are_named(tmp_path: Path, row: str, message: str) -> None:
    write_react(tmp_path, ROWS[:1])
    (tmp_path / "val.csv").write_text(f",speaker_path,listener_path\n0,{row}\n")
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_a_missing_expression_is_named_by_its_row(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS[:1])
    (tmp_path / "val" / "Emotion" / f"{ROWS[0][1]}.csv").unlink()
    with pytest.raises(InputError, match=r"val\.csv:2: the expression .*Novice_video/1\.csv is missing"):
        read(tmp_path)


def test_an_index_needs_its_folder(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(",speaker_path,listener_path\n")
    with pytest.raises(InputError, match=r"test\.csv: its faces are missing; expected the folder"):
        react.find_react(tmp_path)


def test_tables_with_semicolons_are_read(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS[:1])
    plain = read(tmp_path)[0]
    for table in tmp_path.rglob("*.csv"):
        table.write_text(table.read_text().replace(",", ";"))
    again = read(tmp_path)[0]
    assert again.key == plain.key
    assert np.array_equal(again.listener.expression, plain.listener.expression)


def test_sounds_of_no_clip_are_refused(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS[:1])
    for sound in (tmp_path / "val" / "Audio_files").rglob("*.wav"):
        sound.rename(sound.with_suffix(".mp3"))
    with pytest.raises(
        InputError, match=r"Audio_files: no file belongs to a clip; expected for example NoXI/.*/1\.wav"
    ):
        read(tmp_path)


@pytest.mark.parametrize("again", [ROWS[0], ROWS[0][::-1]])
def test_a_pair_that_stands_twice_is_refused(again: tuple[str, str], tmp_path: Path) -> None:
    write_react(tmp_path, [*ROWS, again])
    with pytest.raises(InputError, match=r"val\.csv:5: .* stand in .*val\.csv:2 already; delete one of the"):
        read(tmp_path)


def test_an_index_of_other_columns_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_react(tmp_path, ROWS[:1], split)
    table = tmp_path / "val.csv"
    table.write_text(table.read_text().replace("listener_path", "listener"))
    with pytest.raises(InputError, match=r"val\.csv: the index of .*3D_FV_files lacks listener_path in its"):
        react.find_react(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((8, 57)), r"the face has shape \(8, 57\); expected \(any, 58\)"),
        (np.zeros((8, 2, 58)), r"the face has shape \(8, 2, 58\)"),
        (np.full((8, 58), np.inf), r"the face holds inf at index \(0, 0\)"),
        (np.zeros((6, 58)), r"different numbers of frames: face of NoXI.* 6, .* expression of .* 8"),
        (np.asarray([["a"]]), "expected one array of numbers; found <U1"),
        (np.asarray([None]), r"not a readable array \(\.npy\)"),
    ],
)
def test_bad_faces_are_named(tmp_path: Path, array: np.ndarray, message: str) -> None:
    write_react(tmp_path, ROWS[:1])
    write_npy(tmp_path / "val" / "3D_FV_files" / f"{ROWS[0][0]}.npy", array)
    with pytest.raises(InputError, match=message):
        read(tmp_path)[0]


def test_expressions_in_another_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.csv"
    write_expression(path, face_numbers(0, 3, 25))
    assert react.read_expression(path) == pytest.approx(face_numbers(0, 3, 25))
    text = path.read_text()
    path.write_text(text.replace("AU1,AU2", "AU2,AU1"))
    with pytest.raises(InputError, match=r"1\.csv: column 1 of the header is 'au2'; expected 'au1'"):
        react.read_expression(path)
    path.write_text("AU1,AU2\n")
    with pytest.raises(InputError, match=r"1\.csv: column 3 of the header is ''; expected 'au4'"):
        react.read_expression(path)
    path.write_text(text.splitlines()[0] + "\n")
    with pytest.raises(InputError, match=r"1\.csv: a header without rows"):
        react.read_expression(path)
    path.write_text(text + "1,2\n")
    with pytest.raises(InputError, match=r"1\.csv: not a table of numbers"):
        react.read_expression(path)


def test_a_foreign_manifest_is_named(tmp_path: Path) -> None:
    write_react(tmp_path, ROWS[:1])
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match=r"manifest\.json: not what visavis corpus build writes"):
        read(tmp_path)
