"""The ``visavis lab`` commands for face tracks and tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InputError
from visavis_train.commands.shared import GOES_ON, Overrides, Page, Results, TablesOnly, ends_in


@GOES_ON
def tracks(
    pack: Annotated[
        Path, typer.Argument(metavar="PACK.npz", help="The file to write.", callback=ends_in(".npz"))
    ],
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="SOURCE=PATH",
            help="A video, or a folder or tar of videos, and the name of its source, such as video or grid; "
            "may be repeated.",
        ),
    ] = None,
    two: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="VIDEO", help="A call with two people side by side, or a folder or tar; may be repeated."
        ),
    ] = None,
    dyads: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The signals of calls: vc_dyads.npz.")
    ] = None,
    stills: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Single faces: a folder with index.csv and teacher.npz."),
    ] = None,
    renders: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A pack of `visavis lab render`; may be repeated."),
    ] = None,
    conversations: Annotated[
        list[Path] | None,
        typer.Option(metavar="PACK", help="A pack of `visavis lab conversations`; may be repeated."),
    ] = None,
    add: Annotated[
        list[Path] | None, typer.Option(metavar="PACK", help="A pack of this command; may be repeated.")
    ] = None,
) -> None:
    """Make a pack of face tracks from videos, for tokenizers and simulations.

    Every clip is tracked once. Its track is kept next to the pack, in a folder of the pack's name. An
    interrupted run continues from there.

    Examples:

        visavis lab tracks runs/tokens/faces.npz --from video=clips/ --from grid=grid_s1_av.tar
        visavis lab tracks runs/tokens/faces.npz --two call.mp4 --dyads vc_dyads.npz
        visavis lab tracks runs/tokens/talks.npz --add runs/tokens/faces.npz
    """
    from visavis_train.tokenizer.tracks import make_pack

    make_pack(
        pack,
        sources=[_sourced(word) for word in sources or ()],
        two=two or (),
        dyads=dyads,
        stills=stills,
        renders=renders or (),
        conversations=conversations or (),
        add=add or (),
    )


def _sourced(word: str) -> tuple[str, Path]:
    source, _, path = word.partition("=")
    if not source or not path:
        raise InputError(f"--from {word}: expected SOURCE=PATH, such as video=clips/")
    return source, Path(path)


@GOES_ON
def tokenizer_ablation(
    experiments: Annotated[
        list[Path] | None, typer.Argument(metavar="EXPERIMENT", help="TOML files of tokenizers.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds for each experiment.", min=1)] = 3,
    overrides: Overrides = None,
    results: Results = None,
    page: Page = None,
    tables_only: TablesOnly = False,
) -> None:
    """Train tokenizers with several seeds, and compare them in one table.

    Writes a JSON file and the tables of docs/reference/tokens.md. Runs that have ended are not trained again.

    Examples:

        visavis lab tokenizer-ablation experiments/tokenizer_*.toml
        visavis lab tokenizer-ablation --tables-only
    """
    from visavis.base.files import write_json
    from visavis.base.reading import regular
    from visavis_train.loop.marks import write_between
    from visavis_train.tokenizer import ablation

    results = results or ablation.RESULTS
    if not tables_only:
        if not experiments:
            raise InputError("found no experiment; expected TOML files such as experiments/tokenizer_*.toml")
        write_json(results, ablation.run_experiments(experiments, seeds, overrides or ()), allow_nan=True)
    told = json.loads(regular(results).read_text("utf-8-sig"))
    write_between(page or ablation.PAGE, ablation.MARKS, ablation.ablation_tables(told))


COMMANDS = (tracks, tokenizer_ablation)
