"""Robustness and fairness of the embedded expression network, and the model card's tables of both.

    python benchmarks/expression_card.py ../shared/data/fer2013 ../shared/data/faces
    python benchmarks/expression_card.py --tables-only

Run it after every change of the embedded expression network. It writes benchmarks/results/robustness.json and
fairness.json, docs/pictures/robustness.svg, and the text between the marks of docs/models/expression.md.
``--tables-only`` makes the tables from the existing results.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from visavis.base.files import whole_file
from visavis_train.loop.marks import write_between

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PLOT = ROOT / "docs" / "pictures" / "robustness.svg"
CARD = ROOT / "docs" / "models" / "expression.md"


def measure(fer2013: Path, faces: Path, limit: int | None) -> None:
    """Run both measurements; nothing is written if one fails."""
    command = [sys.executable, "-m", "visavis", "evaluate", "robustness", str(fer2013)]
    if limit is not None:
        command += ["--limit", str(limit)]
    done = subprocess.run([*command, "--plot", str(PLOT), "--json"], check=True, stdout=subprocess.PIPE)
    with whole_file(RESULTS / "robustness.json") as partial:
        partial.write_bytes(done.stdout)
    script, out = ROOT / "benchmarks" / "fairness.py", RESULTS / "fairness.json"
    subprocess.run([sys.executable, str(script), str(faces), "--out", str(out)], check=True)


def percent(value: float | None) -> str:
    """A share, without its sign."""
    return "-" if value is None else f"{100 * value:.1f}"


def with_interval(value: float | None, interval: list[float] | None) -> str:
    """A share and its 95% interval."""
    if interval is None:
        return percent(value)
    return f"{percent(value)} ({' to '.join(map(percent, interval))})"


def robustness_table(result: dict[str, Any]) -> list[str]:
    """One row for each corruption."""
    clean = with_interval(result["clean"]["accuracy"], result["clean"]["interval_95"])
    mean = percent(result["mean_corrupted_accuracy"])
    limit = "" if result["limit"] is None else f" --limit {result['limit']}"
    lines = [
        f"`visavis evaluate robustness fer2013.csv{limit} --seed {result['seed']}`: {result['dataset']}, "
        f"{result['split']}, {result['n']} faces. Accuracy in % on the faces as they are: {clean}; mean of "
        f"all below: {mean}." + (" A random part lies off the whole split by chance." if limit else ""),
        "",
        "| % right at level | severity 1 | 2 | 3 |",
        "|---|---|---|---|",
    ]
    for name, group in result["corruptions"].items():
        cells = [f"{percent(score['accuracy'])} at {score['level']:g}" for score in group["severities"]]
        lines.append(f"| {name} ({group['unit']}) | {' | '.join(cells)} |")
    return lines


def fairness_table(result: dict[str, Any]) -> list[str]:
    """One row for each age group."""
    lines = [
        f"{result['data']}, {result['all']['n']} faces, seed {result['seed']}. In %, with 95% intervals.",
        "",
        "| age | faces | found | happy against the smile, AUC | happy or not, as the smile "
        "| smiling, read happy | not smiling, read happy "
        "| not smiling, read sad, fear, disgust, anger or contempt | mean confidence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for age, group in {**result["ages"], "all": result["all"]}.items():
        shares = [
            with_interval(group[key]["share"], group[key]["interval_95"])
            for key in ("agreement", "happy_of_smiling", "happy_of_unsmiling", "unpleasant_of_unsmiling")
        ]
        cells = [age, str(group["n"]), percent(group["found"]["share"])]
        cells += [with_interval(group["auc"], group["auc_interval_95"]), *shares]
        lines.append(f"| {' | '.join([*cells, percent(group['mean_confidence'])])} |")
    return lines


def main() -> None:
    """Measure, unless told otherwise, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("fer2013", type=Path, nargs="?")
    parser.add_argument("faces", type=Path, nargs="?")
    parser.add_argument("--limit", type=int, help="random faces of FER-2013; default: all")
    parser.add_argument("--tables-only", action="store_true")
    args = parser.parse_args()
    if not args.tables_only:
        if args.fer2013 is None or args.faces is None:
            parser.error("name FER-2013 and the face crops, or say --tables-only")
        measure(args.fer2013, args.faces, args.limit)
    for name, table in (("robustness", robustness_table), ("fairness", fairness_table)):
        marks = f"<!-- {name}: by benchmarks/expression_card.py -->", f"<!-- end of {name} -->"
        write_between(CARD, marks, table(json.loads((RESULTS / f"{name}.json").read_text("utf-8"))))


if __name__ == "__main__":
    main()
