"""visavis evaluate expressions: the promised figures, and bad input."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support import tiny_sparse
from support.pictures import picture, write
from support.tiny_fer import write_faces
from visavis.base import networks
from visavis.channels import EXPRESSIONS
from visavis.expression.labels import FER2013_LABELS, FERPLUS_COLUMNS

FIELDS = """dataset split n left_out accuracy interval_95 mean_accuracy macro_f1 ece labels per_class
confusion duplicates model ms_per_face repeats tokens""".split()


@pytest.fixture
def fer2013(tmp_path: Path) -> Path:
    """14 faces to train on, 6 to test on, of which the first also stands in Training; no neutral one."""
    rows = [(seed % 7, picture(seed), "Training") for seed in range(14)]
    rows += [(seed % 6, picture(seed), "PublicTest") for seed in (12, 20, 21, 22, 23, 25)]
    with (tmp_path / "fer2013new.csv").open("w", newline="") as file:
        split = [[0] * 10] * 14 + [[10, *[0] * 9]] * 5 + [[5, 5, *[0] * 8]]
        csv.writer(file).writerows(
            [["Usage", "Image name", *FERPLUS_COLUMNS], *(["", "", *votes] for votes in split)]
        )
    return write_faces(tmp_path, rows)


@pytest.mark.slow
def test_json_has_what_it_promises(visavis, fer2013: Path) -> None:
    answer = visavis.json("evaluate", "expressions", fer2013, "--json", quiet=True)
    assert list(answer) == FIELDS
    assert (answer["dataset"], answer["split"], answer["n"]) == ("FER-2013", "PublicTest", 6)
    assert answer["labels"] == list(answer["per_class"]) == list(FER2013_LABELS)
    confusion = np.asarray(answer["confusion"])
    assert confusion.sum() == 6
    assert answer["accuracy"] == round(np.trace(confusion) / 6, 4)
    assert answer["interval_95"][0] <= answer["accuracy"] <= answer["interval_95"][1]
    assert [row["support"] for row in answer["per_class"].values()] == confusion.sum(axis=1).tolist()
    empty = answer["per_class"]["neutral"]
    assert empty == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert answer["duplicates"]["in_training"] == 1
    assert answer["duplicates"]["n_without"] == 5
    entry = networks.manifest()["expression"]
    assert answer["model"].keys() == {"name", "bytes", "parameters", "sha256", "mirror", "keep"}
    assert (answer["model"]["name"], answer["model"]["keep"], answer["tokens"]) == ("expression", None, None)
    assert (answer["model"]["bytes"], answer["model"]["sha256"]) == (entry.size, entry.sha256)
    assert answer["ms_per_face"] > 0
    assert set(answer["repeats"].values()) == {0}


def test_repeats_inside_the_split_are_told(
    visavis, fer2013: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = " ".join(map(str, picture(20).ravel()))
    with fer2013.open("a", newline="") as file:
        csv.writer(file).writerow([0, again, "PublicTest"])
    (fer2013.parent / "fer2013new.csv").unlink()
    assert visavis.json("evaluate", "expressions", fer2013, "--json")["repeats"] == {
        "pictures": 1,
        "faces": 2,
        "pictures_with_other_labels": 1,
        "faces_with_other_labels": 2,
    }
    assert visavis("evaluate", "expressions", fer2013) == 0
    told = "1 repeated picture in PublicTest, as 2 faces; 1 of them with different labels"
    assert told in capsys.readouterr().out


def test_ferplus_and_splits(visavis, fer2013: Path) -> None:
    answer = visavis.json("evaluate", "expressions", fer2013.parent, "--labels", "ferplus", "--json")
    assert (answer["dataset"], answer["n"], answer["left_out"]) == ("FER+", 5, {"no majority": 1})
    assert answer["labels"] == list(EXPRESSIONS)
    assert answer["duplicates"]["in_training"] == 1
    answer = visavis.json("evaluate", "expressions", fer2013, "--split", "Training", "--json")
    assert (answer["split"], answer["n"], answer["duplicates"]) == ("Training", 14, None)


def test_folders_with_a_model_of_ones_own(visavis, tmp_path: Path) -> None:
    for number, word in enumerate(("Anger", "Happiness")):
        write(tmp_path / "faces" / word / "a.png", picture(number, 90))
    (tmp_path / "mine.onnx").write_bytes(networks.read("expression"))
    model = tmp_path / "mine.onnx"
    options = ("--model", model, "--mirror", "--json")
    answer = visavis.json("evaluate", "expressions", tmp_path / "faces", *options)
    assert (answer["dataset"], answer["split"], answer["n"]) == ("folders of faces", "all", 2)
    assert answer["labels"] == ["Happiness", "Anger"]
    assert (answer["model"]["name"], answer["model"]["mirror"]) == ("mine.onnx", True)


@pytest.mark.parametrize(
    ("options", "kept"), [([], 0.25), (["--keep", "0.5"], 0.5), (["--keep", "1", "--mirror"], 1)]
)
def test_the_sparse_recognizer_says_what_it_kept(
    visavis,
    fer2013: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    kept: float,
) -> None:
    data = tiny_sparse.embed(monkeypatch)
    answer = visavis.json("evaluate", "expressions", fer2013, "--model", "sparse", *options, "--json")
    assert (answer["model"]["name"], answer["model"]["bytes"]) == ("expression_sparse", len(data))
    assert answer["model"]["parameters"] == 12
    assert answer["model"]["keep"] == {"rate": kept}
    assert answer["tokens"] == {"kept": kept}
    assert visavis("evaluate", "expressions", fer2013, "--model", "sparse", *options) == 0
    assert f"{kept:.1%} of the tokens kept" in capsys.readouterr().out


def test_a_bare_word_is_a_recognizer_and_all_else_a_file(
    visavis, fer2013: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fer2013.parent)
    for name in ("dense", "sparse.onnx"):
        Path(name).write_bytes(tiny_sparse.network())
    for model, name, keep in (
        ("dense", "expression", None),
        ("./dense", "dense", {"rate": 0.25}),
        ("sparse.onnx", "sparse.onnx", {"rate": 0.25}),
    ):
        found = visavis.json("evaluate", "expressions", fer2013, "--model", model, "--json")["model"]
        assert (found["name"], found["keep"]) == (name, keep)


def test_text_is_figures_and_two_tables(visavis, fer2013: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visavis("evaluate", "expressions", fer2013) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "FER-2013, PublicTest: 6 faces"
    assert lines[1].startswith("accuracy ")
    assert lines[2].startswith("without 1 face that training shows too: ")
    assert lines[3].startswith("expression: ")
    assert lines[3].endswith(" ms per face on one thread")
    rows = [line.split() for line in lines]
    assert ["%", "precision", "recall", "F1", "faces"] in rows
    assert ["neutral", "-", "-", "-", "0"] in rows
    assert ["%", "answered", "angr", "disg", "fear", "happ", "sad", "surp", "neut"] in rows
    assert ["neutral", *["-"] * 7] in rows


def bad_row(folder: Path) -> list[object]:
    table = folder / "fer2013.csv"
    table.write_text(table.read_text().replace("\n1,", "\n9,", 1))
    return [table]


def bad_model(folder: Path) -> list[object]:
    (folder / "m.onnx").write_bytes(b"x")
    return [folder / "fer2013.csv", "--model", folder / "m.onnx"]


def with_options(*words: str) -> Callable[[Path], list[object]]:
    return lambda folder: [folder / "fer2013.csv", *words]


def keep_of_another(folder: Path) -> list[object]:
    (folder / "m.onnx").write_bytes(networks.read("expression"))
    return [folder / "fer2013.csv", "--model", folder / "m.onnx", "--keep", "0.3"]


def bad_image(folder: Path) -> list[object]:
    write(folder / "f" / "sad" / "a.png", picture(1))
    (folder / "f" / "happy").mkdir()
    (folder / "f" / "happy" / "b.png").write_bytes(b"")
    return [folder / "f"]


def no_votes(folder: Path) -> list[object]:
    (folder / "fer2013new.csv").unlink()
    return [folder / "fer2013.csv", "--labels", "ferplus"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_options("--split", "test"), "no split 'test' here; it has Training, PublicTest"),
        (bad_row, "fer2013.csv:3: emotion is 9; expected 0 to 6"),
        (bad_model, "m.onnx"),
        (keep_of_another, "m.onnx: a keep rate is for a recogniser that drops tokens"),
        (with_options("--keep", "0.3"), "expression: a keep rate is for"),
        (with_options("--keep", "3"), "keep rate 3.0; expected above 0 and at most"),
        (with_options("--model", "spars"), "--model spars: no recogniser of that name; expected dense or"),
        (bad_image, "b.png: the file is empty"),
        (no_votes, "no FER+ votes here"),
        (lambda folder: [folder / "none"], "no such file or folder"),
        (with_options("--labels", "mine"), "'mine' is not one of"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis, fer2013: Path, spoil: Callable[[Path], list[object]], message: str
) -> None:
    assert message in visavis.error("evaluate", "expressions", *spoil(fer2013.parent), "--json")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("options", "score"),
    [
        (["--split", "PublicTest"], "public_test_fer2013_accuracy"),
        (["--labels", "ferplus"], "public_test_ferplus_accuracy"),
    ],
)
@pytest.mark.slow
def test_the_embedded_network_reaches_what_its_manifest_states(
    visavis, shared: Path, options: list[str], score: str
) -> None:
    answer = visavis.json("evaluate", "expressions", shared / "data" / "fer2013", *options, "--json")
    assert answer["accuracy"] == networks.manifest()["expression"].score[score]
