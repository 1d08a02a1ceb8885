"""The report's tables as rows and columns of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS
from visavis_train.expression.report import paper
from visavis_train.expression.report.findings import Findings, Measured, Reviewed

NONE = "-"
# For paper.MODELS: the nature of its "test", and the loss at the quoted epoch.
_PAPER_SPLITS = ("“test”: validation", "“test”")
_PAPER_LOSSES = (f"{paper.CHOSEN.validation_loss:.3f}", NONE)


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns; the first column names the row.

    Attributes:
        columns: their headings.
        rows: rows with one cell for each column.
        text_columns: further columns with words instead of figures.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"a row of {len(row)} cells in a table of {len(self.columns)} columns")

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "".join(
            "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines
        )


def results(findings: Findings) -> Table:
    """Every model with its accuracy: the paper's and ours."""
    rows: list[tuple[str, ...]] = [
        (model.name, "paper", split, NONE, f"{model.accuracy:.1%}", NONE, NONE, loss)
        for model, split, loss in zip(paper.MODELS, _PAPER_SPLITS, _PAPER_LOSSES, strict=True)
    ]
    rows += [_result(each) for each in findings.runs]
    heads = "model,source,split,faces,accuracy (95%),without duplicates,mean over classes,loss"
    return Table(tuple(heads.split(",")), tuple(rows), (1, 2))


def not_run(findings: Findings) -> Table:
    """Experiments without a run in the report, with their files."""
    rows = [(each.name, each.status, each.file.as_posix(), each.what) for each in findings.not_run]
    return Table(("model", "status", "experiment", "what"), tuple(rows), (1, 2, 3))


def _result(each: Reviewed) -> tuple[str, ...]:
    name = each.run.name
    if (measured := each.measured) is None:
        best = max(each.run.epochs, key=lambda row: row.accuracy)
        so_far = f"{best.accuracy:.1%} so far (epoch {best.epoch + 1})"
        return name, f"ours, {each.run.status}", "validation, from the log", NONE, so_far, NONE, NONE, NONE
    scores, (low, high) = measured.evaluation.scores, measured.evaluation.interval_95
    return (
        name,
        "ours",
        measured.split,
        str(measured.evaluation.n),
        f"{scores.accuracy:.1%} ({low:.1%} to {high:.1%})",
        _without_duplicates(measured),
        f"{scores.mean_accuracy:.1%}",
        f"{measured.loss:.3f}",
    )


def _without_duplicates(measured: Measured) -> str:
    twice = measured.evaluation.duplicates
    return NONE if twice is None or twice.accuracy is None else f"{twice.accuracy:.1%} of {twice.n}"


def model_costs_table(findings: Findings) -> Table:
    """The cost of every model."""
    sizes = (f"{paper.SIZES[0].mebibytes} MiB", NONE)
    rows: list[tuple[str, ...]] = [
        (f"paper: {model.name}", *[NONE] * 4, size, NONE, str(model.epochs or NONE), *[NONE] * 3)
        for model, size in zip(paper.MODELS, sizes, strict=True)
    ]
    rows += [_cost(each) for each in findings.runs]
    heads = (
        "model,network,initial weights,parameters,MACs,size,ms per face,epochs (chosen),training,seed,"
        "trained on"
    )
    return Table(tuple(heads.split(",")), tuple(rows), (1, 2, 10))


def _cost(each: Reviewed) -> tuple[str, ...]:
    run, release, measured = each.run, each.run.release, each.measured
    known = (NONE, NONE, f"{len(run.epochs)} of {run.recipe.training.epochs}", NONE)
    if release is not None:
        known = (
            f"{release.parameters / 1e6:.2f} M",
            f"{release.macs / 1e6:.1f} M",
            f"{release.epochs} ({release.best_epoch})",
            machine_in_words(release.machine, release.processes),
        )
    parameters, macs, epochs, machine = known
    size = NONE if measured is None else f"{measured.model.size_bytes / 1e6:.2f} MB"
    face_ms = NONE if measured is None else f"{measured.evaluation.ms_per_face:.2f}"
    spent = duration(run.training_s)
    seed = str(run.recipe.seed)
    return run.name, run.kind, run.start, parameters, macs, size, face_ms, epochs, spent, seed, machine


def machine_in_words(machine: Mapping[str, str], processes: int | None) -> str:
    """A machine in a few words."""
    threads = f"{machine['threads']} threads" if "threads" in machine else ""
    parts = [machine.get("gpu", ""), machine.get("processor", ""), threads]
    parts.append(f"{processes} processes" if processes is not None and processes > 1 else "")
    return ", ".join(part for part in parts if part) or NONE


def duration(seconds: float) -> str:
    """Hours and minutes, or seconds below one minute."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def table_1(findings: Findings) -> Table:
    """The paper's Table 1 next to ours: every epoch that the paper shows, then every tenth."""
    last = max(len(each.run.epochs) for each in findings.runs)
    shown = {*range(1, len(paper.TABLE_1) + 1), *range(10, last + 1, 10)}
    for each in findings.runs:
        shown |= {len(each.run.epochs)} | ({each.run.release.best_epoch} if each.run.release else set())
    heads = ["epoch", "paper: training loss", "validation loss", "accuracy"]
    for each in findings.runs:
        heads += [f"{each.run.name}: training loss", "validation loss", "accuracy"]
    rows = []
    for epoch in sorted(shown):
        row = [str(epoch), *_paper_cells(epoch)]
        for each in findings.runs:
            row += _own_cells(each, epoch)
        rows.append(tuple(row))
    return Table(tuple(heads), tuple(rows))


def _paper_cells(epoch: int) -> list[str]:
    for row in paper.TABLE_1:
        if row.epoch == epoch:
            chosen = " *" if row is paper.CHOSEN else ""
            return [f"{row.training_loss:.3f}", f"{row.validation_loss:.3f}", f"{row.accuracy:.1%}{chosen}"]
    return [NONE] * 3


def _own_cells(each: Reviewed, epoch: int) -> list[str]:
    if epoch > len(each.run.epochs):
        return [NONE] * 3
    row, release = each.run.epochs[epoch - 1], each.run.release
    chosen = " *" if release is not None and release.best_epoch == epoch else ""
    validation = NONE if row.validation_loss is None else f"{row.validation_loss:.3f}"
    return [f"{row.loss:.3f}", validation, f"{row.accuracy:.1%}{chosen}"]


def pairs_table(findings: Findings) -> Table:
    """Differences between runs on the same faces."""
    heads = ("first", "second", "difference (95%)", "only first right", "only second right", "p (McNemar)")
    rows = []
    for pair in findings.pairs:
        low, high = (100 * value for value in pair.interval_95)
        difference = f"{100 * pair.difference:+z.1f} points ({low:+z.1f} to {high:+z.1f})"
        p_value = f"{pair.p_value:.3f}" if pair.p_value >= 0.001 else "< 0.001"
        rows.append(
            (pair.first, pair.second, difference, str(pair.only_first), str(pair.only_second), p_value)
        )
    return Table(heads, tuple(rows), (1,))


def class_counts_table(splits: Mapping[str, Mapping[str, int]]) -> Table:
    """Faces of each label in each split of a data set."""
    labels = list(next(iter(splits.values())))
    rows = [(label, *(str(counts[label]) for counts in splits.values())) for label in labels]
    rows.append(("all", *(str(sum(counts.values())) for counts in splits.values())))
    return Table(("label", *splits), tuple(rows))


def per_class(measured: Measured) -> Table:
    """Precision, recall and F1 of a network for each label."""
    scores = measured.evaluation.scores
    columns = zip(scores.precision, scores.recall, scores.f1, scores.support, strict=True)
    rows = [
        (name, *(NONE if value != value else f"{value:.1%}" for value in figures), str(faces))
        for name, (*figures, faces) in zip(measured.evaluation.names, columns, strict=True)
    ]
    return Table(("label", "precision", "recall", "F1", "faces"), tuple(rows))


def disgust(findings: Findings) -> Sequence[str]:
    """Recall of disgust for each run on FER-2013's labels."""
    name = "disgust"
    found = []
    for each in findings.runs:
        if each.measured is not None and name in each.measured.evaluation.names == FER2013_LABELS:
            row = FER2013_LABELS.index(name)
            counts = each.measured.evaluation.confusion[row]
            found.append(f"{each.run.name} {counts[row]} of {counts.sum()}")
    return found
