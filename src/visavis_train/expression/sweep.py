"""The command ``visavis lab sweep``: networks that can drop tokens, tuned at every keep rate and compared.

The second file's run is trained first, unless it has ended. Then it is tuned at every keep rate (1 too, so
all get the same extra steps), and with other ways to drop tokens. Further files are trained and tuned without
changes, for example a network with fewer layers. Runs that have ended are not trained again. The command
writes one JSON file, and the text between the marks of a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from visavis.base.console import print_note, progress
from visavis.base.reading import regular
from visavis.datasets import raf_db
from visavis.datasets.faces import LabeledFaces
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.factory import Prunable
from visavis_train.expression.models.pruning import PruningConfig, check_rate
from visavis_train.expression.models.sae_config import SaeConfig
from visavis_train.expression.models.sparse import SparseConfig
from visavis_train.expression.quantize.comparison import compare_steps
from visavis_train.expression.sparsity.compare import Variant, classes_table, compare_variants, costs_table
from visavis_train.expression.task import release_expression, train_expression
from visavis_train.loop.checkpoint import BEST
from visavis_train.loop.marks import measured_on
from visavis_train.loop.rounds import require_same

PAGE = Path("docs/reference/sparse.md")
# For each kind of pruned network: the file of the results, and the marks of its tables in the page.
RESULTS = {
    "sparse": Path("benchmarks/results/sparsity.json"),
    "sae": Path("benchmarks/results/sae.json"),
}
MARKS = {
    "sparse": ("<!-- sweep: by visavis lab sweep -->", "<!-- end of sweep -->"),
    "sae": ("<!-- sae: by visavis lab sweep -->", "<!-- end of sae -->"),
}
REPORT, NETWORK = "report.json", "expression.onnx"
RATES, BASELINE_RATES = (1.0, 0.9, 0.6, 0.3, 0.1), (0.3, 0.1)
BASELINES = ("random", "tome")


@dataclass(frozen=True, slots=True)
class Sweep:
    """The networks of a comparison.

    Attributes:
        tuning: the tuning of every network; its ``model`` and ``init`` are replaced.
        bases: the network to prune, then networks that are tuned without changes.
        rates: keep rates of the first one.
        baselines: other methods of ``model.pruning``.
        baseline_rates: keep rates of the baselines.
    """

    tuning: Experiment
    bases: tuple[Experiment, ...]
    rates: tuple[float, ...] = RATES
    baselines: tuple[str, ...] = BASELINES
    baseline_rates: tuple[float, ...] = BASELINE_RATES

    def __post_init__(self) -> None:
        for base in self.bases:
            if not isinstance(base.model, Prunable):
                raise InputError(f"{base.name}: model.kind is {base.model.kind}, which drops no tokens")
        if self.bases[0].model.kind == "sae" and self.baselines:
            raise InputError(f"{self.bases[0].name}: sae drops tokens by cls alone: give --no-baselines")
        for rate in (*self.rates, *self.baseline_rates):
            try:
                check_rate(rate)
            except ValueError as error:
                raise InputError(f"keep rates of the sweep: {error}") from error

    def runs(self, seed: int) -> Iterator[Experiment]:
        """The tunings with one seed; the first has keep rate 1."""
        first, *others = self.bases
        rates = sorted({1.0, *self.rates}, reverse=True)
        for method, keep in (
            *(("cls", rate) for rate in rates),
            *((method, rate) for method in self.baselines for rate in self.baseline_rates),
        ):
            yield self._tuned(first, seed, method, keep)
        for other in others:
            yield self._tuned(other, seed)

    def _tuned(self, base: Experiment, seed: int, method: str = "", keep: float = 1.0) -> Experiment:
        name, model = base.name, base.model
        if method and isinstance(model, Prunable):
            how = model.pruning.model_dump() | {"method": method, "keep_rate": keep}
            model = model.model_copy(update={"pruning": PruningConfig.model_validate(how)})
            name += f"_{'keep' if method == 'cls' else method}{100 * keep:g}"
        name += f"_tuned_seed{seed}"
        start = of_seed(base, seed).out / BEST
        changes = {"name": name, "seed": seed, "model": model, "init": start}
        return self.tuning.model_copy(update=changes | {"out": self.tuning.out.with_name(name)})


def of_seed(base: Experiment, seed: int) -> Experiment:
    """The experiment with a given seed; a seed other than its own gets a separate folder."""
    if seed == base.seed:
        return base
    return base.model_copy(update={"seed": seed, "out": base.out.with_name(f"{base.out.name}_seed{seed}")})


def run_one(experiment: Experiment, config: Path) -> Variant:
    """Tune, export and measure one network, or read the report of an earlier run.

    Raises:
        InputError: data or weights cannot be used, or the run folder holds another experiment.
    """
    report, model = finished(experiment, config), cast(SparseConfig | SaeConfig, experiment.model)
    rates = model.pruning.rates
    return Variant(
        name=experiment.name,
        method=model.pruning.method if rates else "none",
        keep=min(rates.values(), default=1.0),
        seed=experiment.seed,
        parameters=report["parameters"],
        macs=report["macs"],
        macs_equation_4=model.macs_equation_4(),
        network=regular(experiment.out / NETWORK).read_bytes(),
    )


def finished(experiment: Experiment, config: Path) -> dict[str, Any]:
    """The report of a run; an unfinished run is trained first.

    Raises:
        InputError: data or weights cannot be used, or the run folder holds another experiment.
    """
    report, stored = experiment.out / REPORT, experiment.out / "config.json"
    if stored.exists():
        require_same(stored, experiment)
    if not report.exists():
        train_expression(experiment, resume=True)
        release_expression(experiment, config)
    result: dict[str, Any] = json.loads(regular(report).read_text("utf-8-sig"))
    return result


def run_all(sweep: Sweep, seeds: int, configs: Sequence[Path]) -> list[Variant]:
    """Every network with the seeds 1, 2, and so on; ``configs`` are the files of tuning and bases."""
    variants = []
    for seed in range(1, seeds + 1):
        for base, config in zip(sweep.bases, configs[1:], strict=True):
            finished(of_seed(base, seed), config)
        for experiment in sweep.runs(seed):
            variants.append(run_one(experiment, configs[0]))
            print_note(f"{experiment.name}: {variants[-1].macs / 1e6:.1f} MMAC")
    return variants


def read_raf_db(folder: Path) -> LabeledFaces:
    """RAF-DB's test split.

    Raises:
        InputError: the folder holds no RAF-DB.
    """
    found = find_dataset(folder)
    if found.name != raf_db.NAME:
        raise InputError(f"{folder}: is {found.name}; --raf-db expects RAF-DB, with {raf_db.LIST}")
    return found.read(raf_db.TEST)


def sweep_tables(
    variants: Sequence[Variant], data: Path, split: str, calls: int, second: LabeledFaces | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Measure all networks; returns the JSON values and the Markdown between the marks."""
    faces = find_dataset(data).read(split)
    steps = compare_steps(len(faces), len(variants), calls) + len(second or ()) * len(variants)
    with progress("comparing", steps, "faces") as advance:
        compared = compare_variants(faces, variants, second=second, calls=calls, on_step=advance)
    result: dict[str, Any] = {
        **measured_on(faces),
        "networks": [each.as_dict() for each in compared],
    }
    lines = [
        f"{faces.name}, {split}, {len(faces)} faces; {result['machine']['processor']}, one thread, batch 1; "
        f"commit {result['commit'][:12]}.",
        "",
        *costs_table(compared).markdown().splitlines(),
        "",
        "Accuracy on the faces of each class, % (95%):",
        "",
        *classes_table(compared).markdown().splitlines(),
    ]
    return result, lines
