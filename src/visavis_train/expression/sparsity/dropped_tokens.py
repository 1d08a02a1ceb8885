"""The command ``visavis lab dropped-tokens``: what a trained network loses when it drops other tokens.

It writes one JSON file, and the text between the marks of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from visavis.base.console import progress
from visavis.base.files import require_writable
from visavis.datasets.faces import LabeledFaces
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError
from visavis_train.expression.models.pruning import check_rate
from visavis_train.expression.sparsity.dropping import drop_in_every_way, dropping_table, require_first_layer
from visavis_train.expression.sparsity.keep_rates import open_run
from visavis_train.loop.marks import measured_on, write_results

RESULTS = Path("benchmarks/results/dropped_tokens.json")
PAGE = Path("docs/reference/sparse.md")
MARKS = ("<!-- dropped tokens: by visavis lab dropped-tokens -->", "<!-- end of dropped tokens -->")
RATES = (0.3, 0.1, 0.03)


def compare_dropped_tokens(
    run: Path, faces: LabeledFaces, rates: tuple[float, ...]
) -> tuple[dict[str, Any], list[str]]:
    """Measure a run's network; returns the JSON values and the Markdown between the marks.

    Raises:
        InputError: the run has no such network, or a picture cannot be read.
    """
    network, side_px = open_run(run)
    require_first_layer(network)
    pictures, labels = faces.gray(side_px), torch.from_numpy(faces.labels)
    with progress("dropping", len(faces), "faces") as advance:
        found = drop_in_every_way(network.eval(), pictures, labels, rates, advance)
    result: dict[str, Any] = {
        **measured_on(faces),
        "run": run.name,
        "dropped": [asdict(each) for each in found],
    }
    lines = [
        f"{run.name}: {faces.name}, {faces.split}, {len(faces)} faces; commit {result['commit'][:12]}.",
        "",
        *dropping_table(found).markdown().splitlines(),
    ]
    return result, lines


def report_dropped_tokens(
    run: Path,
    data: Path,
    *,
    split: str,
    rates: Sequence[float] = RATES,
    results: Path | None = None,
    page: Path | None = None,
) -> None:
    """Drop tokens with every method, and write the results and the table.

    The options are those of ``visavis lab dropped-tokens``; the files are by default :data:`RESULTS` and
    :data:`PAGE`.

    Raises:
        InputError: a keep rate, the run, the data set or the page cannot be used.
    """
    try:
        for rate in rates:
            check_rate(rate)
    except ValueError as error:
        raise InputError(str(error)) from error
    results = results or RESULTS
    require_writable(results)
    result, lines = compare_dropped_tokens(run, find_dataset(data).read(split), tuple(rates))
    write_results(results, result, page or PAGE, MARKS, lines)
