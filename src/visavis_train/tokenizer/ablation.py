"""Comparison of tokenizers: every experiment is trained with several seeds, and the results make one table.

It measures reconstruction. The third paper's Table II, one predictor on several tokenizers, is made by
``visavis lab listener-report experiments/predictor_*.toml``. ``visavis lab tokenizer-ablation`` writes
``benchmarks/results/tokenizer_ablation.json`` and the text between the marks of
``docs/reference/tokens.md``. Runs that have ended are not trained again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from visavis.base.console import print_note
from visavis.base.machine import machine, versions
from visavis.base.reading import regular
from visavis.errors import InputError
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.marks import over_seeds
from visavis_train.onnx.export import current_commit
from visavis_train.tokenizer.config import TokenizerExperiment
from visavis_train.tokenizer.task import REPORT, release_tokenizer, train_tokenizer

RESULTS = Path("benchmarks/results/tokenizer_ablation.json")
PAGE = Path("docs/reference/tokens.md")
# The source whose people training never saw.
UNSEEN = "video"
MARKS = ("<!-- ablation: by visavis lab tokenizer-ablation -->", "<!-- end of ablation -->")


def run_experiment(config: Path, seed: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Train, export and measure one experiment with one seed, or read the report of an earlier run.

    Raises:
        InputError: the experiment or its data cannot be used, or the run folder holds another experiment.
    """
    named = load_experiment(config, TokenizerExperiment, overrides)
    out = named.out.with_name(f"{named.out.name}_seed{seed}")
    experiment = named.model_copy(update={"seed": seed, "out": out})
    stored, report = out / "config.json", out / REPORT
    if stored.exists() and json.loads(regular(stored).read_text("utf-8-sig")) != experiment.model_dump(
        mode="json"
    ):
        raise InputError(f"{out} holds a run of other settings; move it away")
    if not report.exists():
        release_tokenizer(experiment, train_tokenizer(experiment, resume=True), config.name)
    result: dict[str, Any] = json.loads(regular(report).read_text("utf-8-sig"))
    for part in ("validation", "test"):
        for errors in result[part].values():
            errors.pop("channels", None)  # Too much for one file; the run's report has it.
    return result


def run_experiments(configs: Sequence[Path], seeds: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Every experiment with the seeds 1, 2, and so on."""
    runs = []
    for config in configs:
        for seed in range(1, seeds + 1):
            runs.append(run_experiment(config, seed, overrides))
            error = runs[-1]["test"][UNSEEN]["unexplained"]
            print_note(f"{config.stem}, seed {seed}: unexplained {error:.3f} on unseen people")
    return {"commit": current_commit(), "machine": machine(), "versions": versions(), "runs": runs}


def ablation_tables(result: dict[str, Any]) -> list[str]:
    """The Markdown between the marks."""
    named: dict[str, list[dict[str, Any]]] = {}
    for run in result["runs"]:
        named.setdefault(run["name"].removeprefix("tokenizer_"), []).append(run)
    seeds = {len(runs) for runs in named.values()}
    over = f"Mean ± standard deviation over {max(seeds)} seeds" if max(seeds) > 1 else "One seed"
    return [
        f"{over}; commit {result['commit'][:12]}; {result['machine']['processor']}, one thread.",
        "",
        "| tokenizer | tokens | a frame | unexplained: unseen people | known talker | smiles of calls "
        "| r: unseen people | used % | perplexity | jitter | changes a second | tokens a second, streamed "
        "| parameters |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_row(name, runs) for name, runs in named.items()),
        "",
        "Mean absolute error by group on unseen people, in weights (0 to 1), radians and centimetres; first "
        "the mean face's, which knows nothing:",
        "",
        *_groups(named),
        "",
        "Mean absolute error of the decoded expression on unseen people:",
        "",
        *_expressions(named),
    ]


def _row(name: str, runs: Sequence[dict[str, Any]]) -> str:
    first, unseen = runs[0], [run["test"][UNSEEN] for run in runs]
    use = [run["code_use"] for run in runs]
    places = range(len(first["vocabulary"]))
    cells = [
        name,
        " x ".join(str(size) for size in first["vocabulary"]),
        str(len(first["vocabulary"])),
        *(
            over_seeds([run["test"][source]["unexplained"] for run in runs], 3)
            for source in (UNSEEN, "grid", "dyads")
        ),
        over_seeds([part["mean_r"] for part in unseen], 2),
        ", ".join(over_seeds([100 * part["all"]["used"][place] for part in use], 1) for place in places),
        ", ".join(over_seeds([part["all"]["perplexity"][place] for part in use], 0) for place in places),
        over_seeds([part["jitter"] for part in unseen], 2),
        over_seeds([part["changes_per_s"] for part in unseen], 1),
        over_seeds([run["tokens_per_s"]["streamed"] for run in runs], 0),
        str(first["parameters"]),
    ]
    return f"| {' | '.join(cells)} |"


def _groups(named: dict[str, list[dict[str, Any]]]) -> list[str]:
    some = next(iter(named.values()))[0]["test"][UNSEEN]
    groups = [name for name, error in some["groups"].items() if error is not None]
    plain = " | ".join(f"{some['mean_face'][group]:.3f}" for group in groups)
    lines = [
        f"| tokenizer | {' | '.join(groups)} |",
        "|---" * (len(groups) + 1) + "|",
        f"| mean face | {plain} |",
    ]
    for name, runs in named.items():
        cells = [f"{mean(run['test'][UNSEEN]['groups'][group] for run in runs):.3f}" for group in groups]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _expressions(named: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = ["| tokenizer | action units | valence and arousal | expressions |", "|---|---|---|---|"]
    for name, runs in named.items():
        parts = [run["test"][UNSEEN]["expression"] for run in runs]
        cells = [
            over_seeds([part[key] for part in parts], 3) for key in ("action_units", "affect", "expressions")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
