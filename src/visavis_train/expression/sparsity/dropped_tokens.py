"""A trained network that drops tokens, and labelled faces, in; what dropping others would cost out.

``python -m visavis_train.expression.sparsity.dropped_tokens runs/fer_sparse_more --data fer2013``

Writes one JSON file, and what stands between the marks of a page.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from visavis.base.console import progress
from visavis.base.files import require_place
from visavis.datasets.faces import LabelledFaces
from visavis.datasets.opening import find_dataset
from visavis_train.expression.models.pruning import check_rate
from visavis_train.expression.sparsity.dropping import drop_in_every_way, dropping_table, require_first_layer
from visavis_train.expression.sparsity.keep_rates import open_run
from visavis_train.expression.sparsity.kept_tokens import grey
from visavis_train.loop.command import run_parser, status_of
from visavis_train.loop.marks import measured_on, write_results

RESULTS = Path("benchmarks/results/dropped_tokens.json")
PAGE = Path("docs/reference/sparse.md")
MARKS = (
    "<!-- dropped tokens: by visavis_train.expression.sparsity.dropped_tokens -->",
    "<!-- end of dropped tokens -->",
)
RATES = (0.3, 0.1, 0.03)


def compare(run: Path, faces: LabelledFaces, rates: tuple[float, ...]) -> tuple[dict[str, Any], list[str]]:
    """Measure a run's network; returns the JSON values and the Markdown between the marks.

    Raises:
        InputError: the run has no such network, or a picture cannot be read.
    """
    network, side_px = open_run(run)
    require_first_layer(network)
    pictures = grey(faces, side_px)
    with progress("dropping", len(faces), "faces") as advance:
        found = drop_in_every_way(network.eval(), pictures, torch.from_numpy(faces.labels), rates, advance)
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


def main() -> int:
    """Command line; returns the exit status."""
    parser = run_parser("Drop other tokens than a network would, and earlier.", RESULTS, PAGE)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="keep rates")
    args = parser.parse_args()
    try:
        for rate in args.rates:
            check_rate(rate)
    except ValueError as error:
        parser.error(f"--rates: {error}")

    def work() -> None:
        require_place(args.results)
        result, lines = compare(args.run, find_dataset(args.data).read(args.split), tuple(args.rates))
        write_results(args.results, result, args.page, MARKS, lines)

    return status_of(work, "interrupted: nothing was written")


if __name__ == "__main__":
    sys.exit(main())
