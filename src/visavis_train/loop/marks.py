"""Results as a JSON file, and as Markdown lines between the marks of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from visavis.base.files import whole_file, write_json
from visavis.base.machine import machine, versions
from visavis.base.reading import regular
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis_train.onnx.export import current_commit


def measured_on(faces: LabeledFaces) -> dict[str, Any]:
    """JSON values that name the code, the machine and the faces of a measurement."""
    return {
        "commit": current_commit(),
        "machine": machine(),
        "versions": versions(),
        "dataset": faces.name,
        "split": faces.split,
        "n": len(faces),
    }


def over_seeds(values: Sequence[float], digits: int) -> str:
    """Mean of a figure over seeds, with ± its standard deviation where there are several; - for none."""
    if not values:
        return "-"
    deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{deviation}"


def write_between(page: Path, marks: tuple[str, str], lines: Sequence[str]) -> None:
    """Replace the text between two marks of a Markdown page, which stand in it once and in this order.

    Raises:
        InputError: the page cannot be read or written, or lacks these marks.
    """
    first, last = marks
    pattern = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
    try:
        text = regular(page).read_text("utf-8")
    except OSError as error:
        raise InputError(
            f"{page}: cannot be read: {error.strerror}; run from the project's folder"
        ) from error
    if len(pattern.findall(text)) != 1:
        raise InputError(f"{page}: expected the marks {first} and {last}, once")
    with whole_file(page) as partial:
        partial.write_text(pattern.sub(lambda _: "\n".join([first, "", *lines, "", last]), text), "utf-8")


def write_results(
    results: Path, values: Mapping[str, Any], page: Path, marks: tuple[str, str], lines: Sequence[str]
) -> None:
    """Write JSON values into a file, and lines into a page; see :func:`write_between`.

    Raises:
        InputError: the page cannot be read or written, or lacks these marks; the values are written before.
    """
    write_json(results, values, allow_nan=False)
    write_between(page, marks, lines)
