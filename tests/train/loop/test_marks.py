"""Tables in a page: commands find the marks around them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis_train.expression import sweep
from visavis_train.expression.sparsity import dropped_tokens, keep_rates, kept_tokens
from visavis_train.listener import behavior, report
from visavis_train.loop.marks import write_between, write_results
from visavis_train.tokenizer import ablation

ROOT = Path(__file__).parents[3]
WRITERS = [
    *((sweep.PAGE, marks) for marks in sweep.MARKS.values()),
    *(
        (task.PAGE, task.MARKS)
        for task in (
            dropped_tokens,
            keep_rates,
            kept_tokens,
            behavior,
            report,
            ablation,
        )
    ),
]


@pytest.mark.parametrize(("page", "marks"), WRITERS)
def test_a_page_holds_each_mark_once_and_in_order(page: Path, marks: tuple[str, str]) -> None:
    text = (ROOT / page).read_text("utf-8")
    first, last = marks
    assert text.count(first) == text.count(last) == 1
    assert text.index(first) < text.index(last)


def test_every_kind_of_sweep_has_a_place_of_its_own() -> None:
    assert sweep.MARKS.keys() == sweep.RESULTS.keys()
    assert len(set(sweep.RESULTS.values())) == len(sweep.RESULTS)


def test_marks_must_stand_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(InputError, match="once"):
        write_between(page, ("<!-- a -->", "<!-- b -->"), ["x"])
    assert page.read_text() == "nothing"


def test_values_are_kept_although_the_page_lacks_the_marks(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "r.json"
    page.write_text("nothing")
    with pytest.raises(InputError, match="expected the marks"):
        write_results(results, {"hours": 3}, page, ("<!-- a -->", "<!-- b -->"), ["x"])
    assert json.loads(results.read_text()) == {"hours": 3}
