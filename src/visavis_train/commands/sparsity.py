"""The ``visavis lab`` commands for networks that drop tokens."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InputError
from visavis_train.commands.shared import GOES_ON, NOTHING_WRITTEN, Results

PUBLIC_TEST = "PublicTest"
Data = Annotated[
    Path, typer.Option(metavar="DATASET", help="A data set, as in visavis evaluate expressions.")
]
Page = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The page whose tables are replaced.", show_default="docs/reference/sparse.md"
    ),
]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN_DIR|NAME",
        help="Folder of a finished run of kind sparse; or expression_sparse, the embedded network.",
    ),
]
Split = Annotated[str, typer.Option(help="Split of the data set.")]
TimedFaces = Annotated[int | None, typer.Option(help="Number of timed faces.", min=1, show_default="200")]


class Baseline(StrEnum):
    """Another method to choose the dropped tokens."""

    RANDOM = "random"
    TOME = "tome"
    LEARNED = "learned"


@GOES_ON
def sweep(
    tuning: Annotated[Path, typer.Argument(help="TOML file of the tuning.")],
    bases: Annotated[
        list[Path],
        typer.Argument(metavar="BASE", help="TOML files of the network to prune, then of others."),
    ],
    rates: Annotated[
        list[float] | None,
        typer.Option("--rate", help="A keep rate; may be repeated.", show_default="1, 0.9, 0.6, 0.3 and 0.1"),
    ] = None,
    baselines: Annotated[
        list[Baseline] | None,
        typer.Option(
            "--baseline",
            help="Another method to drop tokens; may be repeated.",
            show_default="random and tome",
        ),
    ] = None,
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="Try no other method to drop tokens.")
    ] = False,
    baseline_rates: Annotated[
        list[float] | None,
        typer.Option(
            "--baseline-rate",
            help="A keep rate of other methods; may be repeated.",
            show_default="0.3 and 0.1",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1)] = 1,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the tuning; may be repeated."),
    ] = None,
    split: Split = PUBLIC_TEST,
    calls: TimedFaces = None,
    raf_db: Annotated[
        Path | None,
        typer.Option("--raf-db", metavar="FOLDER", help="RAF-DB, to fill its column with its test split."),
    ] = None,
    results: Results = None,
    page: Page = None,
) -> None:
    """Tune a network at every keep rate, and compare costs and savings.

    First, the first BASE is trained if needed. Then it is tuned at every rate and with other methods to
    drop tokens. Further files are trained and tuned without changes. Finished runs are not trained again.

    Examples:

        visavis lab sweep experiments/fer_sae_tune.toml experiments/fer_sae.toml --no-baselines
        visavis lab sweep experiments/fer_sparse_tune.toml experiments/fer_sparse_more.toml --rate 0.3
    """
    from visavis_train.expression import sweep as sweeping
    from visavis_train.expression.config import Experiment
    from visavis_train.expression.quantize.comparison import TIMED_CALLS
    from visavis_train.loop.experiment import load_experiment
    from visavis_train.loop.marks import write_results

    experiment = load_experiment(tuning, Experiment, overrides or ())
    networks = tuple(load_experiment(base, Experiment) for base in bases)
    others = () if no_baselines else tuple(baselines or sweeping.BASELINES)
    other_rates = tuple(baseline_rates or sweeping.BASELINE_RATES)
    plan = sweeping.Sweep(experiment, networks, tuple(rates or sweeping.RATES), others, other_rates)
    second = None if raf_db is None else sweeping.read_raf_db(raf_db)
    variants = sweeping.run_all(plan, seeds, [tuning, *bases])
    data = experiment.data[0].path
    result, lines = sweeping.sweep_tables(variants, data, split, calls or TIMED_CALLS, second)
    kind = networks[0].model.kind
    marks = sweeping.MARKS[kind]
    write_results(results or sweeping.RESULTS[kind], result, page or sweeping.PAGE, marks, lines)


@NOTHING_WRITTEN
def keep_rates(
    run: Run,
    data: Data,
    split: Split = PUBLIC_TEST,
    calls: TimedFaces = None,
    results: Results = None,
    page: Page = None,
) -> None:
    """Measure one network at each of the keep rates that it was trained at.

    Also measures the gain of a second pass with more tokens at unsure faces.

    Examples:

        visavis lab keep-rates expression_sparse --data fer2013.csv
    """
    from visavis.base.files import require_writable
    from visavis.datasets.registry import find_dataset
    from visavis_train.expression.quantize.comparison import TIMED_CALLS
    from visavis_train.expression.sparsity import keep_rates as measuring
    from visavis_train.loop.marks import write_results

    results = results or measuring.RESULTS
    require_writable(results)
    faces = find_dataset(data).read(split)
    result, lines = measuring.compare_keep_rates(run, faces, calls or TIMED_CALLS)
    write_results(results, result, page or measuring.PAGE, measuring.MARKS, lines)


@NOTHING_WRITTEN
def kept_tokens(
    run: Run,
    data: Data,
    split: Split = PUBLIC_TEST,
    keep: Annotated[
        float | None, typer.Option(metavar="RATE", help="Another keep rate.", show_default="the run's")
    ] = None,
    layers: Annotated[
        list[int] | None,
        typer.Option(
            "--layer", metavar="LAYER", help="With --keep: a layer that drops tokens; may be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the figures.",
            show_default="kept_tokens in the run; out/kept_tokens for an embedded network",
        ),
    ] = None,
    results: Results = None,
    page: Page = None,
) -> None:
    """Show and measure which tokens, and so which parts of the face, a network keeps.

    Writes a JSON file, two figures and the tables of the page.

    Examples:

        visavis lab kept-tokens runs/fer_sparse_more --data fer2013.csv
        visavis lab kept-tokens runs/fer_sparse_more --data fer2013.csv --keep 0.3 --layer 0 --layer 2
    """
    from visavis.base.console import print_note, progress
    from visavis.base.files import require_folder, require_writable
    from visavis.datasets.registry import find_dataset
    from visavis.drawing.svg import save_svg
    from visavis.face.framing import LOOKS
    from visavis_train.expression.run_folder import is_embedded
    from visavis_train.expression.sparsity import kept_tokens as looking
    from visavis_train.face.data.crop_landmarks import find_landmarks
    from visavis_train.loop.marks import write_results

    if layers and keep is None:
        raise InputError("--layer needs --keep")
    results, page = results or looking.RESULTS, page or looking.PAGE
    out = out or (Path("out") if is_embedded(run) else run) / looking.FOLDER
    network, side_px = looking.open_network(run, keep, layers or None)
    require_writable(results)
    require_folder(out)
    faces = find_dataset(data).read(split)
    pictures = faces.gray(side_px)
    with progress("landmarks", len(faces), "faces") as advance:
        where = find_landmarks(pictures, on_face=advance)
    print_note(f"landmarks of {where.believable.sum()} of {len(faces)} faces after {LOOKS} looks")
    looked = looking.KeptTokens.of(run.resolve().name, network, faces, pictures, where)
    write_results(results, looked.as_dict(), page, looking.MARKS, looked.markdown())
    out.mkdir(parents=True, exist_ok=True)
    figures = looked.figures()
    for name, svg in figures.items():
        save_svg(out / name, svg)
    print_note(f"wrote {results}, the tables of {page}, and the figures {' and '.join(figures)} in {out}")


@NOTHING_WRITTEN
def dropped_tokens(
    run: Run,
    data: Data,
    split: Split = PUBLIC_TEST,
    rates: Annotated[
        list[float] | None,
        typer.Option("--rate", help="A keep rate; may be repeated.", show_default="0.3, 0.1 and 0.03"),
    ] = None,
    results: Results = None,
    page: Page = None,
) -> None:
    """Measure what a network loses if other tokens are dropped, or if they are dropped earlier.

    Writes a JSON file and the table of the page.

    Examples:

        visavis lab dropped-tokens runs/fer_sparse_more --data fer2013.csv --rate 0.1
    """
    from visavis.base.files import require_writable
    from visavis.datasets.registry import find_dataset
    from visavis_train.expression.models.pruning import check_rate
    from visavis_train.expression.sparsity import dropped_tokens as dropping
    from visavis_train.loop.marks import write_results

    try:
        for rate in (rates := rates or list(dropping.RATES)):
            check_rate(rate)
    except ValueError as error:
        raise InputError(str(error)) from error
    results = results or dropping.RESULTS
    require_writable(results)
    result, lines = dropping.compare_dropped_tokens(run, find_dataset(data).read(split), tuple(rates))
    write_results(results, result, page or dropping.PAGE, dropping.MARKS, lines)


COMMANDS = (sweep, keep_rates, kept_tokens, dropped_tokens)
