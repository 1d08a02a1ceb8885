"""The command ``visavis lab dropped-tokens``: what a trained network loses when it drops other tokens.

It writes one JSON file, and the text between the marks of a page.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from visavis.base.console import progress
from visavis.datasets.faces import LabeledFaces
from visavis_train.expression.sparsity.dropping import drop_in_every_way, dropping_table, require_first_layer
from visavis_train.expression.sparsity.keep_rates import open_run
from visavis_train.loop.marks import measured_on

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
