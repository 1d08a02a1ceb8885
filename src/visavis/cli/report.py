"""Run folders in; a page about them beside the first paper out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.research import NEEDED, start


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of emotion experiments.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the report.")] = Path("out/runs"),
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET", help="Measure all runs on this data set.", show_default="each run's own"
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of the data set.", show_default="as in evaluate emotion")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare training runs with each other and with the paper. Needs the extra `train`.

    Measures the network of every finished run and writes report.html (tables and charts), report.json and
    report.md. Runs under way are shown by their log; experiment files in experiments/ without a run are
    listed as not run.

    Examples:

        visavis report runs/fer_first runs/fer_hybrid
        visavis report runs/fer_*_small --data fer2013.csv --split PrivateTest --out out/fair
    """
    words = [*map(str, runs), "--out", str(out)]
    words += [] if data is None else ["--data", str(data)]
    words += [] if split is None else ["--split", split]
    words += ["--json"] if as_json else []
    start("visavis_train.expression.report.command", "visavis report", words, (*NEEDED, "matplotlib"))
