"""The sparse recogniser with a network that is easy to compute: its kept tokens and its answers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import tiny_sparse
from support.tiny_sparse import GRID, SIDE_PX, answers, brightness
from visavis.base.networks import session_of
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError, WeightsError
from visavis.expression.reader import ExpressionReader
from visavis.expression.sparse import SparseClassifier, check_keep
from visavis.types import BoolArray, Face, FloatArray, ImageArray

CELLS = GRID**2
# At the tiny network's own keep rate, 0.25.
USUAL = 36


def open_tiny(keep: float | None = None, *, mirror: bool = False, **changes: Any) -> SparseClassifier:
    session = session_of(tiny_sparse.network(**changes), "the tiny network")
    return SparseClassifier(session, keep, mirror=mirror)


@pytest.fixture(scope="module")
def tiny() -> SparseClassifier:
    return open_tiny()


def noise(count: int = 3, seed: int = 0) -> ImageArray:
    """Faces (N, 48, 48) whose cells are all different."""
    cells = np.random.default_rng(seed).permuted(np.tile(np.arange(CELLS), (count, 1)), axis=1)
    return cells.reshape(count, GRID, GRID).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)


def brightest(crops: ImageArray, count: int) -> BoolArray:
    """(N, G, G) which cells the network should keep."""
    ranks = (-brightness(crops)).argsort(axis=1).argsort(axis=1)
    return (ranks < count).reshape(-1, GRID, GRID)


def read(classifier: SparseClassifier, crops: ImageArray) -> tuple[FloatArray, BoolArray]:
    """Expressions and kept cells."""
    answer = classifier.predict(crops)
    assert classifier.kept is not None
    return answer, classifier.kept


@given(st.integers(1, 1000).map(lambda thousandths: Fraction(thousandths, 1000)))
def test_as_many_cells_are_kept_as_the_rate_says(tiny: SparseClassifier, rate: Fraction) -> None:
    tiny.keep = float(rate)
    _, kept = read(tiny, noise(2))
    assert kept.sum(axis=(1, 2)).tolist() == [math.ceil(rate * CELLS)] * 2


def test_the_smallest_rate_keeps_one() -> None:
    _, kept = read(open_tiny(1e-300), noise())
    assert kept.sum(axis=(1, 2)).tolist() == [1] * 3


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.6, 1.0])
def test_kept_is_where_the_network_says_and_the_answers_are_its(rate: float) -> None:
    crops, count = noise(), math.ceil(rate * CELLS)
    classifier = open_tiny(rate)
    answer, kept = read(classifier, crops)
    np.testing.assert_array_equal(kept, brightest(crops, count))
    np.testing.assert_allclose(answer, answers(crops, count, "expressions"), atol=1e-6)
    np.testing.assert_allclose(classifier.predict_labels(crops), answers(crops, count, "labels"), atol=1e-6)


def test_rate_1_keeps_every_cell() -> None:
    _, kept = read(open_tiny(1), noise())
    assert kept.shape == (3, GRID, GRID)
    assert kept.all()


def test_a_batch_is_its_faces_one_by_one() -> None:
    classifier, crops = open_tiny(), np.concatenate([noise(), 255 - noise()])
    answer, kept = read(classifier, crops)
    for number, crop in enumerate(crops):
        alone, alone_kept = read(classifier, crop[None])
        np.testing.assert_allclose(alone[0], answer[number], atol=1e-6)
        np.testing.assert_array_equal(alone_kept[0], kept[number])


def test_without_a_rate_that_of_the_metadata_counts() -> None:
    assert open_tiny().keep == 0.25
    _, kept = read(open_tiny(), noise())
    assert kept.sum(axis=(1, 2)).tolist() == [USUAL] * 3


def test_nothing_is_kept_before_the_first_face() -> None:
    assert open_tiny().kept is None


# Mirrored.


def lopsided() -> ImageArray:
    """Faces that differ from their mirror image: bright on the left, and more so at the top."""
    return np.tile(np.linspace(250, 0, SIDE_PX)[None, :] - np.arange(SIDE_PX)[:, None], (2, 1, 1)).clip(0)


class Turned(SparseClassifier):
    """Says of a face how bright its left half is."""

    def _answer(self, faces: ImageArray, output: str) -> FloatArray:
        super()._answer(faces, output)
        left = faces[..., : SIDE_PX // 2].mean(axis=(1, 2, 3)) / 255
        return np.stack([left, 1 - left, *[0 * left] * 6], axis=1).astype(np.float32)


def test_mirrored_answers_are_averaged_and_kept_is_that_of_the_faces_as_they_are() -> None:
    crops = lopsided().astype(np.uint8)
    session = session_of(tiny_sparse.network(), "the tiny network")
    plain, both = Turned(session), Turned(session, mirror=True)
    answer, kept = read(plain, crops)
    turned, turned_kept = read(plain, crops[..., ::-1])
    assert not np.allclose(answer, turned)
    assert (kept != turned_kept).any()
    averaged, kept_of_both = read(both, crops)
    np.testing.assert_allclose(averaged, (answer + turned) / 2, atol=1e-6)
    np.testing.assert_array_equal(kept_of_both, kept)


# What is refused.


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.0000001, math.nan])
def test_keep_rates_out_of_range_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match=f"keep rate {rate}; expected above 0 and at most 1"):
        open_tiny(rate)


@pytest.mark.parametrize("rate", [1e-9, 1.0])
def test_the_ends_of_the_range_are_in_it(rate: float) -> None:
    assert check_keep(rate) == rate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": None}, "grid None"),
        ({"grid": "12"}, "grid 12"),
        ({"grid": 0}, "grid 0"),
        ({"grid": 49}, "grid 49"),
        ({"keep": None}, "keep rate None"),
        ({"keep": 0.3}, "keep rate None"),
        ({"keep": {"rate": 2}}, "keep rate is 2; expected above 0 and at most 1"),
        ({"keep": {"rate": "much"}}, "keep rate much"),
        ({"keep": {"share": 0.3}}, "keep rate None"),
    ],
)
def test_bad_metadata_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        open_tiny(changes=changes)
    assert "\n" not in str(caught.value)


def test_a_network_without_the_input_keep_is_refused() -> None:
    with pytest.raises(WeightsError, match="expected images, keep, expressions, labels, kept"):
        SparseClassifier(session_of(tiny_sparse.networks.read("expression"), "the other"))


def test_an_input_keep_of_another_kind_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"keep as tensor\(int64\) \[1\]; expected tensor\(int64\) \[\]"):
        open_tiny(keep_shape=(1,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shift": CELLS}, r"kept cell \d+; expected 0 to 143"),
        ({"shift": -CELLS}, r"kept cell -\d+; expected 0 to 143"),
        ({"extra": 1}, r"kept are int64 \(2, 37\); expected int64 \(2, 36\)"),
        ({"classes": 9}, r"expressions are \(2, 9\); expected \(2, 8\)"),
    ],
)
def test_answers_of_other_shapes_and_cells_out_of_range_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    classifier = open_tiny(**changes)
    with pytest.raises(WeightsError, match=message):
        classifier.predict(noise(2))


# In a stream.


def test_a_reader_tells_which_tokens_of_each_crop_were_kept() -> None:
    reader, crops = ExpressionReader(open_tiny()), noise(2)
    face = Face.of_crop(np.asarray([0, 0, *crops.shape[1:3]], np.float32))
    for number, crop in enumerate(crops):
        (found,) = reader.read([face], lambda _, crop=crop: crop, number / 10)
        np.testing.assert_array_equal(found.kept, brightest(crop[None], USUAL)[0])
    assert found.expression.label == EXPRESSIONS[tiny_sparse.SHOWN["expressions"]]
    (still,) = reader.read_stills(crops[:1], [face])
    np.testing.assert_array_equal(still.kept, brightest(crops[:1], USUAL)[0])
