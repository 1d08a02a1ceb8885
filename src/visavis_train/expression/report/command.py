"""The command ``visavis report``: the first paper's results next to ours, as HTML, JSON and Markdown.

``visavis report RUN... [--out DIR] [--data DATASET] [--split NAME] [--json]``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visavis.base.files import json_text, require_folder, whole_file
from visavis.errors import InputError
from visavis_train.expression.report import page
from visavis_train.expression.report.findings import measure_runs
from visavis_train.expression.report.runs import find_not_run, read_runs
from visavis_train.expression.report.sizes import read_quantized


def report_runs(
    folders: list[Path],
    out: Path,
    *,
    data: Path | None = None,
    split: str | None = None,
    experiments: Path | None = None,
    quantized: Path | None = None,
) -> dict[str, Any]:
    """Measure the runs and write ``report.html``, ``report.json`` and ``report.md``; returns the JSON values.

    The options are those of ``visavis report``.

    Raises:
        InputError: an input cannot be read, or the files cannot be written.
        WeightsError: a run's ONNX file is not an expression network.
    """
    require_folder(out)
    runs = read_runs(folders)
    not_run = () if experiments is None else find_not_run(experiments, runs)
    smaller = {} if quantized is None else read_quantized(quantized)
    findings = measure_runs(runs, not_run, data=data, split=split)
    facts = page.facts(findings, smaller)
    texts = {
        "report.html": page.html(findings, smaller),
        "report.json": json_text(facts) + "\n",
        "report.md": page.markdown(findings),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror}; choose another folder") from error
    for name, text in texts.items():
        with whole_file(out / name) as partial:
            partial.write_text(text, "utf-8", "backslashreplace")
    return facts
