"""Markdown tables of the comparisons of listeners."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import StatisticsError, correlation
from typing import Any

from visavis.base.reading import regular
from visavis.errors import InputError
from visavis_train.loop.experiment import flat
from visavis_train.loop.marks import over_seeds

METRICS = {
    "fr_corr": ("FRCorr", 3),
    "fr_dist": ("FRDist", 2),
    "fr_div": ("FRDiv", 4),
    "fr_var": ("FRVar", 4),
    "fr_dvs": ("FRDvs", 4),
    "fr_syn": ("FRSyn", 2),
}
# Keys in which runs of one row may differ.
NO_SETTINGS = ("name", "out", "seed", "threads")
# Dam et al. 2024, Table I. FRRea, which needs rendered pictures, is left out.
PUBLISHED = (
    ("ground truth, validation", "8.35", "0", "0", "0.0635", "0.2117", "48.42"),
    ("copy speaker, validation", "0.37", "84.78", "0.2483", "0.0635", "0.2117", "43.50"),
    ("random, validation", "0.05", "228.33", "0.1666", "0.0833", "0.1666", "46.27"),
    ("Trans-VAE, validation", "0.07", "90.31", "0.0009", "0.0012", "0.0064", "44.65"),
    ("BeLFusion (k = 10, binary AU), validation", "0.12", "94.09", "0.0397", "0.0248", "0.0379", "49"),
    ("the paper, validation", "0.26", "86.73", "0.116", "0.035", "0.116", "46.96"),
    ("the paper, test", "0.319", "82.03", "0.116", "0.035", "0.116", "43.09"),
)


def listener_tables(result: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown from what ``visavis lab listener-report`` writes."""
    test, names = result["test"], [label for label, _ in METRICS.values()]
    head = [*names, "FRRea"]
    return [
        f"Test split of {test['corpus']}: {test['clips']} speakers' clips of {test['frames']} frames, "
        f"{test['listeners']} listeners, {result['samples']} reactions to each clip. Mean over clips, ± "
        "standard deviation over seeds where there are several, and in brackets the 95% interval over clips. "
        f"Commit {result['commit'][:12]}.",
        "",
        f"| method | seeds | {' | '.join(head)} |",
        "|---" * (len(head) + 2) + "|",
        *(_row(name, scores) for name, scores in result["methods"].items()),
        *(f"| {name} | not run |{' - |' * len(head)}" for name in result["not_run"]),
        *_tokenizers(result.get("tokenizers", ())),
        "",
        "Published figures on REACT2024. **The data, the people and the reading of expressions differ, so "
        "these figures cannot be compared with those above.**",
        "",
        f"| system, on REACT2024 | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
        *(f"| {' | '.join(row)} |" for row in PUBLISHED),
        "",
        "Multiply-accumulates of matrix products per second of stream, in the listeners' networks without "
        "tokenizer and speech features. *Re-encoded* is the method of the published code: every frame is a "
        "position, and the whole context is encoded again for each patch. A guided listener counts twice: "
        "with the speaker and without.",
        "",
        "| network | parameters | cached context, per second | re-encoded, per second |",
        "|---|---|---|---|",
        *(_cost(name, cost) for name, cost in result["costs"].items()),
    ]


def _row(name: str, scores: Mapping[str, Any]) -> str:
    cells = [_cell(scores[metric], digits) for metric, (_, digits) in METRICS.items()]
    return f"| {name} | {scores['fr_dvs']['seeds']} | {' | '.join(cells)} | - |"


def _cell(found: Mapping[str, Any], digits: int) -> str:
    parts = [f"{found['mean']:.{digits}f}"]
    if found["deviation_over_seeds"] is not None:
        parts.append(f"± {found['deviation_over_seeds']:.{digits}f}")
    if "interval" in found:
        low, high = found["interval"]
        parts.append(f"[{low:.{digits}f}, {high:.{digits}f}]")
    return " ".join(parts)


def _cost(name: str, cost: Mapping[str, Any]) -> str:
    numbers: Sequence[str] = (
        f"{cost['parameters'] / 1e6:.2f} million",
        f"{cost['streamed'] / 1e6:.0f} million",
        f"{cost['re_encoded'] / 1e6:.0f} million",
    )
    return f"| {name} | {' | '.join(numbers)} |"


def _tokenizers(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each run beside its tokenizer, and how the two go together; nothing if all runs share a tokenizer."""
    if len({run["unexplained"] for run in runs}) < 4:
        return []
    links = [
        f"{label} {_correlation([run[of] for run in runs], [run[metric] for run in runs])}"
        for of, what in (("unexplained", "error"), ("mean_r", "r"))
        for metric, label in (("fr_corr", f"{what} with FRCorr"), ("fr_dist", f"{what} with FRDist"))
    ]
    return [
        "",
        "Each run beside its tokenizer, measured on unseen people: *unexplained*, the error as a share of "
        "the mean face's, and *r*, the mean correlation of decoded and true channels. A predictor that "
        "stands still has FRVar 0. *Bits* a frame: beside the true speaker, and beside another one; whoever "
        "uses the speaker needs fewer beside the true one. *Changes*: the share of frames whose face is not "
        "the last frame's, of the predictor, and of real listeners through the same tokenizer.",
        "",
        "| predictor | seed | tokenizer: unexplained | tokenizer: r | FRCorr | FRDist | FRVar | bits "
        "| changes |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {run['name']} | {run['seed']} | {run['unexplained']:.3f} | {run['mean_r']:.2f} "
            f"| {run['fr_corr']:.3f} | {run['fr_dist']:.2f} | {run['fr_var']:.4f} "
            f"| {_pair(run, 'bits_true_speaker', 'bits_other_speaker', '.3f')} "
            f"| {_pair(run, 'changes', 'changes_real', '.0%')} |"
            for run in runs
        ),
        "",
        f"Pearson's correlation over these {len(runs)} runs, in brackets the 95% interval as if all runs "
        f"were independent (Fisher's z): {'; '.join(links)}. Low FRDist is good, and so is a low error.",
    ]


def _pair(run: Mapping[str, Any], first: str, second: str, digits: str) -> str:
    return f"{run[first]:{digits}}, {run[second]:{digits}}" if first in run else "-"


def _correlation(first: Sequence[float], second: Sequence[float]) -> str:
    try:
        found = correlation(first, second)
    except StatisticsError:  # One of the two does not vary.
        return "none"
    middle, half = math.atanh(max(-0.999999, min(found, 0.999999))), 1.96 / math.sqrt(len(first) - 3)
    return f"{found:.2f} [{math.tanh(middle - half):.2f}, {math.tanh(middle + half):.2f}]"


def bits_table(folders: Sequence[Path]) -> list[str]:
    """Lines of Markdown: bits a frame on the test split; runs that differ only in seeds share a row.

    Raises:
        InputError: a folder holds no finished run of a listener, or the runs are of several corpora.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    configs, reports = (
        [_read(folder / f"{name}.json") for folder in folders] for name in ("config", "report")
    )
    if len(corpora := {report["corpus"] for report in reports}) != 1:
        raise InputError(f"the runs are of {', '.join(sorted(corpora))}; expected one corpus")
    settings = [
        {key: value for key, value in flat(config).items() if key not in NO_SETTINGS} for config in configs
    ]
    differ = [key for key in settings[0] if len({json.dumps(each.get(key)) for each in settings}) > 1]
    for each, report in zip(settings, reports, strict=True):
        label = ", ".join(f"`{key} = {json.dumps(each.get(key))}`" for key in differ) or report["name"]
        rows.setdefault(label, []).append(report)
    return [
        "| run | seeds | parameters | true speaker | other speaker | alone | true speaker saves |",
        "|---|---|---|---|---|---|---|",
        *(_bits(label, runs) for label, runs in rows.items()),
    ]


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(f"{file}: not there; expected the folder of a finished run of visavis train")
    read: dict[str, Any] = json.loads(regular(file).read_text("utf-8-sig"))
    if file.stem == "report" and "test_bits_per_frame" not in read:
        raise InputError(f"{file}: found no test_bits_per_frame; expected the report of a listener")
    return read


def _bits(label: str, runs: Sequence[Mapping[str, Any]]) -> str:
    found = [run["test_bits_per_frame"] for run in runs]
    columns = [
        [one[who] for one in found if one[who] is not None]
        for who in ("true_speaker", "other_speaker", "alone")
    ]
    saved = [one["other_speaker"] - one["true_speaker"] for one in found if one["other_speaker"] is not None]
    cells = [over_seeds(column, 3) for column in columns] + [over_seeds(saved, 4)]
    return f"| {label} | {len(runs)} | {runs[0]['cost']['parameters']:,} | {' | '.join(cells)} |"
