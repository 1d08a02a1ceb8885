from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.pictures import picture, write
from visavis.datasets.duplicates import Repeats, fingerprints, seen_in
from visavis.datasets.faces import FaceFile, ImageFiles, LabeledFaces, LoadedImages, as_square
from visavis.errors import InputError


def loaded(seeds: list[int], labels: list[int] | None = None) -> LabeledFaces:
    pixels = np.stack([picture(seed) for seed in seeds])
    places = np.asarray([f"t.csv:{row + 2}" for row in range(len(seeds))])
    known = np.asarray(labels or [0] * len(seeds), np.int64)
    return LabeledFaces("set", "test", ("sad", "happy"), known, LoadedImages(pixels, places))


@given(st.integers(1, 7), st.integers(1, 9))
def test_batches_hold_every_face_once_and_in_order(faces: int, size: int) -> None:
    data = loaded(list(range(faces)))
    parts = list(data.batches(size, 48))
    assert all(len(part) == size for part in parts[:-1])
    np.testing.assert_array_equal(np.concatenate(parts), [picture(seed) for seed in range(faces)])


@given(st.lists(st.booleans(), min_size=4, max_size=4).filter(any))
def test_a_choice_keeps_pictures_labels_and_places_together(chosen: list[bool]) -> None:
    data = loaded([3, 1, 4, 5], [0, 1, 1, 0])
    part = data[np.asarray(chosen)]
    rows = np.flatnonzero(chosen)
    assert part.labels.tolist() == data.labels[rows].tolist()
    for at, row in enumerate(rows):
        np.testing.assert_array_equal(part.images.read(at), data.images.read(int(row)))
        assert part.images.place(at) == f"t.csv:{row + 2}"


def test_row_numbers_choose_in_their_order() -> None:
    data = loaded([3, 1, 4], [0, 1, 1])
    part = data[np.array([2, 0])]
    assert part.labels.tolist() == [1, 0]
    assert [part.images.place(at) for at in range(2)] == ["t.csv:4", "t.csv:2"]


def test_a_slice_chooses_and_lists_are_arrays() -> None:
    assert loaded([3, 1, 4], [0, 1, 1])[1:].labels.tolist() == [1, 1]
    images = LoadedImages(np.zeros((2, 8, 8), np.uint8), ["a", "b"])  # type: ignore[arg-type]
    faces = LabeledFaces("set", "test", ("sad", "happy"), [0, 1], images, persons=["x", "y"])  # type: ignore[arg-type]
    assert faces[[1]].persons == ["y"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            np.ones(2, np.bool_),
            r"by a mask \(3,\), row numbers \(M,\) or a slice; found bool of shape \(2,\)",
        ),
        (np.ones(9, np.bool_), r"found bool of shape \(9,\)"),
        (np.array([0.5]), "found float64"),
        (1, r"found int64 of shape \(\)"),
        (np.array([3]), "set, test: no such row: index 3 is out of bounds"),
        (slice(0, 0), "no faces"),
        ([], "no faces"),
    ],
)
def test_a_wrong_choice_is_refused(chosen: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        loaded([3, 1, 4])[chosen]  # type: ignore[index]


def test_sizes_boxes_and_pictures_of_nothing_are_refused() -> None:
    data = loaded([3])
    with pytest.raises(InputError, match="size is 0; expected a whole number from 1"):
        list(data.batches(0, 48))
    for side in (0, -1, 4.5, None):
        with pytest.raises(InputError, match=f"side_px is {side}; expected a whole number from 1"):
            data.gray(side)  # type: ignore[arg-type]
    for width in (0, -1, np.nan):
        with pytest.raises(InputError, match="a face's box is finite and larger than 0"):
            FaceFile(Path("a.png"), "", (0, 0, width, 3))
    with pytest.raises(InputError, match=r"faces must have pixels; found \(1, 0, 0\)"):
        LoadedImages(np.zeros((1, 0, 0), np.uint8), np.array(["a"]))


def test_classes_are_counted() -> None:
    assert loaded([1, 2, 3], [1, 1, 0]).counts == {"sad": 1, "happy": 2}


@pytest.mark.parametrize(
    ("shape", "expected"), [((48, 48), (48, 48)), ((100, 100, 3), (48, 48, 3)), ((20, 30, 3), (48, 48, 3))]
)
def test_all_pictures_become_squares_of_one_size(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert as_square(np.full(shape, 7, np.uint8), 48).shape == expected


def test_a_tall_picture_gets_black_edges_left_and_right() -> None:
    square = as_square(np.full((48, 24), 200, np.uint8), 48)
    assert (square[:, :12] == 0).all()
    assert (square[:, 12:36] == 200).all()
    assert (square[:, 36:] == 0).all()


def test_files_are_read_when_they_are_wanted_and_cut_to_their_box(tmp_path: Path) -> None:
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[10:30, 30:50] = (250, 120, 10)
    files = ImageFiles((FaceFile(write(tmp_path / "a.png", photo), "t.csv:2", (30, 10, 20, 20)),))
    np.testing.assert_array_equal(files.read(0), photo[10:30, 30:50])
    assert files.place(0) == "t.csv:2"
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"^t\.csv:2: .*a\.png: no such file"):
        files.read(0)


def test_a_box_beside_the_picture_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", picture(0))
    with pytest.raises(InputError, match=r"t\.csv:2: the face's box lies outside .*a\.png of 48x48"):
        ImageFiles((FaceFile(path, "t.csv:2", (48, 0, 10, 10)),)).read(0)


@pytest.mark.parametrize(("data", "message"), [(b"", "the file is empty"), (b"x", "not an image")])
def test_a_bad_picture_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(data)
    files = ImageFiles((FaceFile(tmp_path / "a.png"),))
    assert files.place(0) == str(tmp_path / "a.png")
    with pytest.raises(InputError, match=rf"a\.png: {message}"):
        files.read(0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "no faces"), ([0, 2], "labels must be 0 to 1"), ([0, -1], "labels must be"), ([0], "one label")],
)
def test_labels_must_fit(labels: list[int], message: str) -> None:
    images = LoadedImages(np.zeros((2 * bool(labels), 48, 48), np.uint8), np.full(2 * bool(labels), "x"))
    with pytest.raises(InputError, match=message):
        LabeledFaces("set", "test", ("sad", "happy"), np.asarray(labels, np.int64), images)


def test_votes_must_fit() -> None:
    data = loaded([1, 2])
    with pytest.raises(InputError, match=r"votes must be \(N, 10\)"):
        LabeledFaces("set", "test", data.names, data.labels, data.images, np.zeros((2, 8), np.int64))


@pytest.mark.parametrize("pixels", [np.zeros((2, 48), np.uint8), np.zeros((2, 48, 48), np.float32)])
def test_pictures_must_be_pictures(pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8"):
        LoadedImages(pixels, np.asarray(["a", "b"]))


def test_every_picture_has_a_place() -> None:
    with pytest.raises(InputError, match="2 faces need as many places"):
        LoadedImages(np.zeros((2, 48, 48), np.uint8), np.asarray(["a"]))


# Duplicates.


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6), st.lists(st.integers(0, 5), min_size=1, max_size=6)
)
@pytest.mark.slow
def test_repeated_pixels_are_found_and_nothing_else(ours: list[int], theirs: list[int]) -> None:
    assert seen_in(loaded(ours), loaded(theirs)).tolist() == [seed in theirs for seed in ours]


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    places, labels = np.asarray(["a"]), np.zeros(1, np.int64)
    wide, tall = (
        LabeledFaces("s", "t", ("sad",), labels, LoadedImages(np.zeros((1, *shape), np.uint8), places))
        for shape in ((2, 8), (8, 2))
    )
    assert seen_in(wide, wide).all()
    assert not seen_in(wide, tall).any()


def test_every_picture_read_for_a_comparison_is_told() -> None:
    seen: list[None] = []
    fingerprints(loaded([1, 2, 3]), lambda: seen.append(None))
    assert len(seen) == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=12))
def test_repeats_inside_a_set_follow_their_definition(rows: list[tuple[int, int]]) -> None:
    data = loaded([seed for seed, _ in rows], [label for _, label in rows])
    labels = {seed: [label for other, label in rows if other == seed] for seed, _ in rows}
    repeated = [given for given in labels.values() if len(given) > 1]
    torn = [given for given in repeated if len(set(given)) > 1]
    found = Repeats.of(fingerprints(data), data.labels)
    assert found == Repeats(len(repeated), sum(map(len, repeated)), len(torn), sum(map(len, torn)))
