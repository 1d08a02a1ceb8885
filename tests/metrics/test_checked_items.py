"""Items of a reaction file: refusals that name the fault, and results without the extra."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from support.slow_reaction import corpus, walk
from visavis import metrics
from visavis.errors import InputError, MissingExtraError
from visavis.metrics.checked_items import OutOfRange, Work
from visavis.metrics.item_scores import nearest_distances
from visavis.metrics.reaction import fr_corr, fr_rea, fr_var, neighbour_matrix
from visavis.metrics.reaction_suite import score_reactions


def spoiled(name: str, value: object) -> dict[str, object]:
    return {**corpus(), name: value}


def with_value(name: str, place: tuple[int, ...], value: float) -> dict[str, object]:
    array = corpus()[name].astype(np.float32)
    array[place] = value
    return {**corpus(), name: array}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (spoiled("predictions", np.zeros((3, 2, 60))), r"predictions has shape \(3, 2, 60\); expected"),
        (spoiled("predictions", np.zeros((3, 2, 60, 24))), r"predictions has shape .* expected \(any.* 25\)"),
        (spoiled("predictions", np.zeros((0, 2, 60, 25))), "predictions is empty"),
        (spoiled("predictions", np.zeros((3, 2, 50, 25))), "predictions has 50 frames; lags up to 49"),
        (spoiled("predictions", [["a"]]), "predictions is not an array of numbers"),
        (
            spoiled("listeners", np.zeros((3, 61, 25))),
            r"listeners has shape \(3, 61, 25\); expected \(any, 60",
        ),
        (
            spoiled("speakers", np.zeros((2, 60, 25))),
            r"speakers has shape \(2, 60, 25\); expected \(3, 60, 25",
        ),
        (spoiled("neighbours", np.eye(2)), r"neighbours has shape \(2, 2\); expected \(3, any\)"),
        (spoiled("neighbours", 0.5 * np.eye(3)), r"neighbours\[0, 0\] is 0.5; expected 0 or 1"),
        (
            spoiled("neighbours", np.eye(3, 4, 1)),
            r"neighbours\[2\] names listener 3, but there are 3, 0 to 2",
        ),
        (spoiled("neighbours", np.eye(3, 3, 1)), r"neighbours\[2\] names no listener"),
        (
            with_value("predictions", (2, 1, 5, 7), math.nan),
            r"predictions\[2\] holds nan at index \(1, 5, 7\)",
        ),
        (with_value("predictions", (1, 0, 0, 0), math.inf), r"predictions\[1\] holds inf"),
        (with_value("listeners", (2, 3, 4), math.nan), r"listeners\[2\] holds nan at index \(3, 4\)"),
        (with_value("speakers", (1, 3, 4), -math.inf), r"speakers\[1\] holds -inf"),
        (with_value("predictions", (0, 0, 0, 0), 1e30), "too large to be warped"),
        ({**corpus(), "real_features": np.eye(3)}, "both real_features and fake_features"),
    ],
)
@pytest.mark.slow
def test_bad_input_is_named(data: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_reactions(**data)


def test_bad_annotations_and_features_are_named() -> None:
    with pytest.raises(InputError, match=r"rows\[1\] is 3; the annotation has clips 0 to 2"):
        neighbour_matrix(np.eye(6), [0, 3])
    with pytest.raises(InputError, match=r"appropriateness must be \(2A, 2A\)"):
        neighbour_matrix(np.eye(5), [0])
    with pytest.raises(InputError, match=r"rows must be \(S,\)"):
        neighbour_matrix(np.eye(6), [])
    with pytest.raises(InputError, match="fake_features has shape"):
        fr_rea(np.eye(3), np.eye(2))
    with pytest.raises(InputError, match="2 rows at least"):
        fr_rea(np.eye(3)[:1], np.eye(3))
    with pytest.raises(InputError, match=r"rows must be \(S,\) indices of clips"):
        neighbour_matrix(np.eye(6), [[0], [1, 2]])
    for threads in (0, 1.5, True):
        with pytest.raises(InputError, match=f"threads is {threads}; expected a whole number from 1"):
            Work(threads=threads)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out_of_range is 'none'; expected error, zero, leave-out"):
        Work(out_of_range="none")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no listener for any item"):
        fr_corr(
            corpus()["predictions"],
            corpus()["listeners"],
            np.zeros((3, 3)),
            Work(1, out_of_range=OutOfRange.ZERO),
        )


def test_a_treatment_is_known_by_its_text() -> None:
    found = corpus()["predictions"], corpus()["listeners"], np.eye(3, 4, 1)
    for treatment in (OutOfRange.ZERO, OutOfRange.LEAVE_OUT):
        text = Work(1, out_of_range=treatment.value)  # type: ignore[arg-type]
        assert fr_corr(*found, text) == fr_corr(*found, Work(1, out_of_range=treatment))
    with pytest.raises(InputError, match="names listener 3"):
        fr_corr(*found, Work(1, out_of_range="error"))  # type: ignore[arg-type]


def test_masks_and_imaginary_parts_are_not_forgotten() -> None:
    predictions = np.asarray(corpus()["predictions"])
    with pytest.raises(InputError, match=r"predictions\[0\] holds nan"):
        fr_var(np.ma.masked_greater(predictions, predictions.min()))
    with pytest.raises(InputError, match=r"predictions\[0\] holds complex numbers"):
        fr_var(predictions * 1j)


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(metrics, "reaction_kernels", raising=False)
    monkeypatch.delitem(sys.modules, "visavis.metrics.reaction_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(MissingExtraError, match=r"\.\[metrics\]"):
        nearest_distances(walk(0, 1, 60, 25), walk(1, 1, 60, 25))
