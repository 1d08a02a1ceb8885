"""The ``visavis lab`` commands for networks that drop tokens."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from visavis_train.commands.shared import Results, interrupted_says

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
NOTHING_WRITTEN = interrupted_says("interrupted: nothing was written")


class Baseline(StrEnum):
    """Another method to choose the dropped tokens."""

    RANDOM = "random"
    TOME = "tome"
    LEARNED = "learned"


@interrupted_says("interrupted: the same command goes on")
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

    sweeping.report_sweep(
        tuning,
        bases,
        split=split,
        rates=rates or sweeping.RATES,
        baselines=() if no_baselines else baselines or sweeping.BASELINES,
        baseline_rates=baseline_rates or sweeping.BASELINE_RATES,
        seeds=seeds,
        overrides=overrides or (),
        calls=calls,
        raf_db_folder=raf_db,
        results=results,
        page=page,
    )


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
    from visavis_train.expression.sparsity.keep_rates import report_keep_rates

    report_keep_rates(run, data, split=split, calls=calls, results=results, page=page)


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
    from visavis_train.expression.sparsity.kept_tokens import report_kept_tokens

    report_kept_tokens(run, data, split=split, keep=keep, layers=layers, out=out, results=results, page=page)


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
    from visavis_train.expression.sparsity.dropped_tokens import RATES, report_dropped_tokens

    report_dropped_tokens(run, data, split=split, rates=rates or RATES, results=results, page=page)


COMMANDS = (sweep, keep_rates, kept_tokens, dropped_tokens)
