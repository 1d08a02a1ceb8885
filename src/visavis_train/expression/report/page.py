"""The report as one self-contained HTML page, as JSON, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from html import escape
from string import Template
from typing import Any

from visavis.base.machine import machine, versions
from visavis.cli.evaluate import evaluation_json
from visavis.datasets import fer2013
from visavis_train.expression.report import figures, paper, tables
from visavis_train.expression.report.findings import Findings, Reviewed
from visavis_train.expression.report.sizes import sizes_bytes
from visavis_train.expression.report.tables import Table

STYLE = """
:root { color-scheme: light dark; --ink: #1d2130; --soft: #636a80; --page: #f6f7fb; --card: #ffffff;
  --edge: #e1e4ee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9f3; --soft: #9aa1b8; --page: #14161f;
  --card: #1c1f2b; --edge: #2d3142; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0 0 12px; }
p { margin: 0 0 12px; } .soft { color: var(--soft); font-size: 14px; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 12px;
  padding: 20px; margin-top: 18px; }
svg { display: block; width: 100%; height: auto; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--edge); font-weight: 400; }
thead th { color: var(--soft); font-size: 13px; } .number { text-align: right; }
tr:last-child > * { border-bottom: 0; }
:root { --heat: #7f9bff; --series-0: #3a55d9; --series-1: #b8530a; --series-2: #0f7f63; --series-3: #b0307f;
  --series-4: #7a5cc4; --series-5: #8a6d00; --series-6: #0b7ea8; --series-7: #a33b3b; }
@media (prefers-color-scheme: dark) { :root { --heat: #4059c9; --series-0: #93a5ff; --series-1: #f0995a;
  --series-2: #4fc7a4; --series-3: #ee86c4; --series-4: #bda4f5; --series-5: #d9bd4e; --series-6: #5fc1e8;
  --series-7: #f08f8f; } }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px; }
.pair > svg { max-width: 500px; }
h3 { font-size: 15px; margin: 20px 0 8px; } li { margin-bottom: 6px; } ul { margin: 0; padding-left: 20px; }
tbody th { white-space: nowrap; }
td.number { white-space: nowrap; } .scroll + .soft { margin: 10px 0 0; } svg + .scroll { margin-top: 14px; }
th:last-child, td:last-child { padding-right: 0; } summary { cursor: pointer; }
"""
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>visavis: training runs compared with the paper</title>
<style>$style</style>
</head>
<body>
<main>
<h1>Training runs compared with the paper</h1>
<p class="soft">$runs. The paper: Chen, “Fine-Tuning and Optimization of Live2D Facial Expression Recognition
Based on Vision Transformer (ViT)”. Its values stand in its own words and are marked “paper”.</p>
$body
<p class="soft" style="margin-top:18px">An expression is not a feeling: these figures say how often a network
gives the label that people gave to a picture.</p>
</main>
</body>
</html>
""")


def html(findings: Findings, quantized: Mapping[str, int]) -> str:
    """The page, without external files and scripts."""
    runs = ", ".join(each.run.name for each in findings.runs)
    body = "\n".join(
        f"<section><h2>{title}</h2>\n{content}</section>" for title, content in _sections(findings, quantized)
    )
    return PAGE.substitute(style=STYLE, runs=escape(f"Runs: {runs}"), body=body)


def markdown(findings: Findings) -> str:
    """The tables for a document."""
    parts = [
        tables.results(findings).markdown(),
        tables.model_costs_table(findings).markdown(),
        *([tables.not_run(findings).markdown()] if findings.not_run else []),
        *([tables.pairs_table(findings).markdown()] if findings.pairs else []),
        *([findings.unpaired + "\n"] if findings.unpaired else []),
        "".join(f"- {caveat}\n" for caveat in (*paper.CAVEATS, *caveats(findings))),
    ]
    return "\n".join(parts)


def facts(findings: Findings, quantized: Mapping[str, int]) -> dict[str, Any]:
    """The page's content as JSON values."""
    return {
        "paper": {
            "table_1": [asdict(row) for row in paper.TABLE_1],
            "models": [asdict(model) for model in paper.MODELS],
            "sizes": [{"name": size.name, "bytes": round(size.size_bytes)} for size in paper.SIZES],
            "caveats": list(paper.CAVEATS),
        },
        "runs": [_run_facts(each) for each in findings.runs],
        "not_run": [{**asdict(each), "file": each.file.as_posix()} for each in findings.not_run],
        "pairs": [asdict(pair) for pair in findings.pairs],
        "unpaired": findings.unpaired or None,
        "counts": findings.counts,
        "quantized": [{"name": name, "size_bytes": size} for name, size in quantized.items()],
        "caveats": list(caveats(findings)),
        "measured_on": {"machine": machine(), "versions": versions()},
    }


def caveats(findings: Findings) -> Iterator[str]:
    """Notes on our own figures."""
    if any(m.evaluation.split == fer2013.PUBLIC_TEST for each in findings.runs if (m := each.measured)):
        yield (
            "Our runs also choose their epoch on PublicTest, so their figures on that split are slightly too "
            "good, like the paper's. For figures on an independent split use --split PrivateTest, if the "
            "data have it."
        )
    yield (
        "Our training loss is for augmented pictures and the recipe's own targets (votes, smoothing, "
        "mixing). So it can be compared within a recipe, but not with the paper's. The loss under Results is "
        "plain cross-entropy on the data set's labels."
    )
    yield (
        "Milliseconds per face were measured for this page, on one thread, one face at a time, run after "
        "run: if other programs ran at the same time, only the ratios are reliable."
    )
    if len(findings.pairs) > 1:
        yield f"The p values are not corrected for {len(findings.pairs)} comparisons."


def _run_facts(each: Reviewed) -> dict[str, Any]:
    run, measured = each.run, each.measured
    return {
        "name": run.name,
        "folder": run.folder.as_posix(),
        "status": run.status,
        "network": run.kind,
        "start": run.start,
        "seed": run.recipe.seed,
        "epochs_planned": run.recipe.training.epochs,
        "training_s": round(run.training_s, 1),
        "release": None if run.release is None else run.release.model_dump(),
        "evaluation": None if measured is None else evaluation_json(measured.evaluation, measured.model),
        "loss": None if measured is None else round(measured.loss, 4),
        "faces_sha256": None if measured is None else measured.faces_sha256,
        "log": [row.model_dump() for row in run.epochs],
    }


def _sections(findings: Findings, quantized: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    finished = [(each.run.name, each.measured) for each in findings.runs if each.measured is not None]
    missing = f"<h3>Not run</h3>{_table(tables.not_run(findings))}" if findings.not_run else ""
    yield "Results", figures.accuracies(findings) + _table(tables.results(findings)) + missing
    yield "Cost", _table(tables.model_costs_table(findings))
    paired = _table(tables.pairs_table(findings)) if findings.pairs else ""
    yield "Run against run, on the same faces", paired + _soft(findings.unpaired)
    yield (
        "Table 1: epoch by epoch",
        figures.loss_curves(findings)
        + _table(tables.table_1(findings))
        + _soft(
            "* the epoch that was chosen. Accuracy of ours: FER-2013's labels on PublicTest, from the log."
        ),
    )
    yield "Figure 1: faces of each label", "".join(_counts(findings.counts))
    yield (
        "Figure 3: accuracy curve",
        figures.accuracy_curves(findings)
        + _soft("A dot marks the epoch that was chosen; epochs on smaller pictures are not chosen from."),
    )
    disgust = "; ".join(tables.disgust(findings))
    matrices = "".join(figures.confusion(measured, name) for name, measured in finished)
    yield (
        "Figure 4: confusion matrices",
        _soft(
            f"Faces by truth (row) and answer (column), shaded by share of the row. The paper finds "
            f"{paper.DISGUST_RIGHT} faces of disgust and does not say of how many"
            + (f"; ours: {disgust}." if disgust else ".")
        )
        + f'<div class="pair">{matrices}</div>'
        + "".join(
            f"<details><summary>{escape(name)}: precision, recall, F1</summary>"
            f"{_table(tables.per_class(measured))}</details>"
            for name, measured in finished
        ),
    )
    yield "Sizes", figures.sizes(sizes_bytes(findings, quantized))
    notes = "".join(f"<li>{escape(caveat)}</li>" for caveat in paper.CAVEATS)
    own = "".join(f"<li>{escape(caveat)}</li>" for caveat in caveats(findings))
    yield "Read with care", f"<h3>The paper's figures</h3><ul>{notes}</ul><h3>Ours</h3><ul>{own}</ul>"
    rows = tuple((versions() | machine()).items())
    yield "Measured with", _table(Table(("what", "which"), rows, (1,)))


def _counts(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    for name, splits in counts.items():
        split = next(iter(splits))
        figure = figures.class_counts_figure(name, split, splits[split])
        yield f"<h3>{escape(name)}, {escape(split)}</h3>{figure}"
        yield _table(tables.class_counts_table(splits))


def _soft(text: str) -> str:
    return f'<p class="soft">{escape(text)}</p>' if text else ""


def _table(table: Table) -> str:
    words = {0, *table.text_columns}
    kinds = ["" if i in words else ' class="number"' for i in range(len(table.columns))]
    head = "".join(f'<th scope="col"{kinds[i]}>{escape(name)}</th>' for i, name in enumerate(table.columns))
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td{kinds[i]}>{escape(cell)}</td>" for i, cell in enumerate(rest, start=1))
        + "</tr>"
        for first, *rest in table.rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
