import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.expression.labels import (
    FER2013_LABELS,
    FER2013_TO_EXPRESSION,
    FERPLUS_COLUMNS,
    expression_of,
    ferplus_distribution,
    ferplus_majority,
    to_seven,
)
from visavis.expression.labels import given as given_classes

VOTES = arrays(np.int64, (3, len(FERPLUS_COLUMNS)), elements=st.integers(0, 10))


def votes(**counts: int) -> np.ndarray:
    return np.asarray([[counts.get(column, 0) for column in FERPLUS_COLUMNS]])


def test_fer2013_labels_are_all_expressions_but_contempt() -> None:
    named = {EXPRESSIONS[i] for i in FER2013_TO_EXPRESSION}
    assert named == set(EXPRESSIONS) - {"contempt"}
    assert len(FER2013_TO_EXPRESSION) == len(FER2013_LABELS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("angry", "anger"), ("happiness", "happy"), ("Sadness", "sad"), ("FEAR", "fear"), ("NF", None)),
        *(("surprised", "surprise"), ("fearful", "fear"), ("disgusted", "disgust"), ("bored", None)),
    ],
)
def test_data_sets_words_become_ours(name: str, expected: str | None) -> None:
    assert expression_of(name) == expected


@given(st.integers(0, 6), st.floats(0, 0.99))
def test_seven_keep_their_ratios_and_sum_to_one(label: int, contempt: float) -> None:
    eight = np.full(8, 0.05, np.float32)
    eight[FER2013_TO_EXPRESSION[label]] = 0.6
    eight[EXPRESSIONS.index("contempt")] = contempt
    seven = to_seven(eight)
    assert seven.sum() == pytest.approx(1)
    assert seven.argmax() == label
    others = np.delete(seven, label)
    np.testing.assert_allclose(seven[label] / others, 12, rtol=1e-5)


@given(
    arrays(np.float32, 8, elements=st.floats(0, 1, width=32)), st.permutations(EXPRESSIONS), st.integers(1, 8)
)
def test_shares_of_chosen_classes_keep_their_ratios(
    eight: np.ndarray, order: list[str], classes: int
) -> None:
    names = order[:classes]
    found = given_classes(eight, names)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    chosen = eight[[EXPRESSIONS.index(name) for name in names]]
    np.testing.assert_allclose(found * chosen.sum(), chosen if chosen.any() else 0, atol=1e-5)


@pytest.mark.parametrize("names", [("happy", "bored"), ("happy", "happiness")])
def test_classes_that_are_not_different_expressions_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="different expressions"):
        given_classes(np.full(8, 1 / 8, np.float32), names)


def test_pure_contempt_tells_nothing_of_the_seven() -> None:
    pure = np.eye(8, dtype=np.float32)[EXPRESSIONS.index("contempt")]
    np.testing.assert_allclose(to_seven(pure), 1 / 7, rtol=1e-6)


@given(VOTES)
def test_distributions_sum_to_one_where_there_is_one(counts: np.ndarray) -> None:
    soft, voted = ferplus_distribution(counts)
    np.testing.assert_allclose(soft.sum(axis=1), voted.astype(float), atol=1e-6)


@given(VOTES)
def test_a_majority_is_the_top_of_its_distribution(counts: np.ndarray) -> None:
    soft, _ = ferplus_distribution(counts)
    majority = ferplus_majority(counts)
    for row in np.flatnonzero(majority >= 0):
        assert soft[row, majority[row]] == soft[row].max() > 0.5


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"happiness": 9, "neutral": 1}, "happy"),
        ({"sadness": 4, "neutral": 3, "fear": 1, "anger": 1, "unknown": 1}, "sad"),  # 4 of 7 trusted votes
        ({"sadness": 5, "neutral": 5}, None),
        ({"unknown": 8, "happiness": 2}, None),
        ({"NF": 10}, None),
        ({}, None),
    ],
)
def test_majority_follows_the_authors_rule(counts: dict[str, int], expected: str | None) -> None:
    found = int(ferplus_majority(votes(**counts))[0])
    assert (EXPRESSIONS[found] if found >= 0 else None) == expected


def test_single_votes_are_slips() -> None:
    soft, voted = ferplus_distribution(votes(fear=8, contempt=1, unknown=1))
    assert voted.all()
    assert soft[0, EXPRESSIONS.index("fear")] == 1


def test_votes_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="FER\\+ votes"):
        ferplus_majority(np.zeros((2, 8), np.int64))
