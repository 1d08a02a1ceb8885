"""Run folders in; the first paper's tables and figures beside ours, as HTML, JSON and Markdown, out.

``visavis report RUN... [--out DIR] [--data DATASET] [--split NAME] [--json]``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from visavis.base.console import print_error, print_json, print_line
from visavis.base.files import require_folder, whole_file
from visavis.errors import InputError, VisavisError
from visavis_train.expression.report import page
from visavis_train.expression.report.findings import find
from visavis_train.expression.report.runs import find_not_run, read_runs
from visavis_train.expression.report.sizes import read_quantised

EXPERIMENTS, QUANTISED = Path("experiments"), Path("benchmarks/results/quantization.json")


def report(
    folders: list[Path],
    out: Path,
    *,
    data: Path | None = None,
    split: str | None = None,
    experiments: Path | None = None,
    quantised: Path | None = None,
) -> dict[str, Any]:
    """Measure the runs and write ``report.html``, ``report.json`` and ``report.md``; returns the JSON values.

    Args:
        folders: run folders, finished or under way.
        out: folder for the three files; made if missing.
        data: what to measure on; None for each run's own data set.
        split: its part; None for its default one.
        experiments: TOML files, to list those that were not run; None for none.
        quantised: what ``visavis quantize`` measured; None for none.

    Raises:
        InputError: something cannot be read, or the files cannot be written.
        WeightsError: a run's ONNX file is no emotion network.
    """
    require_folder(out)
    runs = read_runs(folders)
    not_run = () if experiments is None else find_not_run(experiments, runs)
    smaller = () if quantised is None else read_quantised(quantised)
    findings = find(runs, not_run, data=data, split=split)
    facts = page.facts(findings, smaller)
    texts = {
        "report.html": page.html(findings, smaller),
        "report.json": json.dumps(facts, indent=2, allow_nan=False) + "\n",
        "report.md": page.markdown(findings),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror}; choose another folder") from error
    for name, text in texts.items():
        with whole_file(out / name) as partial:
            partial.write_text(text, "utf-8")
    return facts


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Report on training runs beside the paper.")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--data", type=Path, help="measure all runs on this data set")
    parser.add_argument("--split", help="part of the data set")
    parser.add_argument("--experiments", type=Path, help="folder of experiment files")
    parser.add_argument("--quantised", type=Path, help="JSON of visavis quantize")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    try:
        facts = report(
            args.runs,
            args.out,
            data=args.data,
            split=args.split,
            experiments=args.experiments or _if_there(EXPERIMENTS),
            quantised=args.quantised or _if_there(QUANTISED),
        )
    except VisavisError as error:
        print_error(str(error))
        return 2
    if args.json:
        print_json(facts)
    else:
        print_line(f"{args.out / 'report.html'}, with report.json and report.md beside it")
    return 0


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
