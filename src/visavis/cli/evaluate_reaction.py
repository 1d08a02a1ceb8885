"""The command ``visavis evaluate reaction``: the metrics of REACT2024."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import counted, shown

if TYPE_CHECKING:
    from visavis.metrics.reaction_suite import ReactionScores

# Name in the table, and the field.
_ROWS = {
    "FRCorr": "fr_corr",
    "FRDist": "fr_dist",
    "FRDiv": "fr_div",
    "FRVar": "fr_var",
    "FRDvs": "fr_dvs",
    "FRSyn": "fr_syn",
    "FRRea": "fr_rea",
}


def reaction(
    file: Annotated[
        Path,
        typer.Argument(help="An .npz of predictions, listeners, speakers, neighbours.", readable=False),
    ],
    threads: Annotated[
        int | None,
        typer.Option(help="Number of items at a time.", show_default="one for each processor"),
    ] = None,
    out_of_range: Annotated[
        str,
        typer.Option(
            help="What to do if a neighbour has no listener. error: stop; zero: an item without listeners "
            "counts 0 (the FSQ paper's parallel code); leave-out: it does not count (its serial code)."
        ),
    ] = "error",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure predicted reactions with the metrics of REACT2024.

    R.npz holds `predictions` (N, K, T, 25), `listeners` (L, T, 25), `speakers` (N, T, 25) and `neighbours`
    (N, L) of 0 and 1; for FRRea also `real_features` and `fake_features` of frames. Needs the extra
    `metrics`.

    Examples:

        visavis evaluate reaction R.npz
        visavis evaluate reaction R.npz --threads 2 --json
    """
    from visavis.base.npz import read_npz
    from visavis.errors import InputError
    from visavis.metrics.checked_items import OutOfRange, Work
    from visavis.metrics.reaction_file import read_reactions
    from visavis.metrics.reaction_suite import score_reactions

    if out_of_range not in list(OutOfRange):
        raise InputError(f"--out-of-range must be one of {', '.join(OutOfRange)}; found {out_of_range}")
    arrays = read_reactions(file)
    with console.progress("evaluate", arrays["predictions"].shape[0], "items") as advance:
        options: dict[str, Any] = {} if threads is None else {"threads": threads}
        work = Work(on_item=advance, out_of_range=OutOfRange(out_of_range), **options)
        try:
            scores = score_reactions(**arrays, work=work)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
    pictures = read_npz(file, "file of reactions", [], others=["features_of"]).get("features_of")
    if as_json:
        console.print_json(reaction_json(scores))
    else:
        _print_scores(scores)
    if pictures is not None:
        console.print_note(
            f"FRRea is of {pictures}: compare it only with figures of the same pictures and network"
        )


def reaction_json(scores: ReactionScores) -> dict[str, Any]:
    """What ``--json`` prints; a metric without a value is null."""
    from dataclasses import asdict

    return {
        name: None if value is None or math.isnan(value) else value for name, value in asdict(scores).items()
    }


def _print_scores(scores: ReactionScores) -> None:
    console.print_line(
        f"{counted(scores.items, 'item')} of {counted(scores.predictions, 'prediction')} and "
        f"{counted(scores.frames, 'frame')}; {counted(scores.listeners, 'listener')}, "
        f"{scores.neighbours / scores.items:.1f} appropriate for an item"
    )
    values = reaction_json(scores)
    rows = [
        [title, shown(values[name], 4), shown(values.get(f"{name}_repaired"), 4)]
        for title, name in _ROWS.items()
    ]
    console.print_table(["metric", "official", "repaired"], rows)
