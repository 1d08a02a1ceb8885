"""The commands ``visavis corpus``: corpora of conversations from videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visavis.base import console
from visavis.base.interruption import Interruption
from visavis.base.signals import INTERRUPTED
from visavis.base.words import counted
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.corpus.build import Build

corpus = typer.Typer(
    name="corpus",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make corpora of conversations.",
)


# The last line names so many of the refused recordings.
MOST_NAMED = 3

EngineName = Literal["local", "ray"]


@corpus.callback()
def _corpus() -> None:
    """Make corpora of conversations."""


@corpus.command()
def build(
    videos: Annotated[
        list[Path],
        typer.Argument(help="Videos of two people side by side; with --pairs, videos of A and B in turn."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; it is created if missing.")],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Every two videos show A and B of one conversation.")
    ] = False,
    split: Annotated[str, typer.Option(help="Split of the corpus that gets the recordings.")] = "train",
    fps: Annotated[float, typer.Option(help="Frames per second of the corpus.")] = 25.0,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write a Parquet file of each recording, too (extra tables).")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Number of segments to process at a time.",
            show_default="1; with ray, one for each processor",
        ),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Engine; ray needs the extra scale.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="Address of a running Ray cluster, such as auto.", show_default="this machine"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Turn videos of two people into a corpus in REACT's layout.

    Faces, expressions and sound of both people get the same frame rate and length. If a run was interrupted,
    give the same command again: it continues where it was.

    Examples:

        visavis corpus build calls/*.mp4 --out corpus/
        visavis corpus build anna.mp4 ben.mp4 --pairs --out corpus/ --split val
    """
    from visavis.corpus.build import build_corpus, plan
    from visavis.corpus.engines import open_engine
    from visavis.corpus.recording import CorpusSettings, list_recordings
    from visavis.datasets.parquet import require_pyarrow

    if parquet:
        require_pyarrow("--parquet")
    workers = open_engine(engine, jobs, ray_address)
    todo = plan(out, list_recordings(videos, split, pairs=pairs), CorpusSettings(fps=fps, parquet=parquet))
    for told in (*(outcome.reason for outcome in todo.unread.values()), *todo.copies):
        console.print_note(f"{told}")
    with Interruption():  # Also the summary is printed whole.
        with console.progress("corpus", todo.frames) as step:

            def advance(frames: int) -> None:
                for _ in range(frames):
                    step()

            result = build_corpus(todo, workers, advance)
        summary = summarize_corpus(out, result)
        if as_json:
            console.print_json(summary)
        else:
            _print_summary(summary)
    for told in result.copies:
        if told not in todo.copies:
            console.print_note(told)
    if result.interrupted:
        console.print_note(
            f"interrupted; recordings that are finished: {len(result.outcomes) - len(result.refused)} of "
            f"{len(todo.recordings)}; "
            "the same command goes on"
        )
        raise typer.Exit(INTERRUPTED)
    untold = [outcome for outcome in result.refused if outcome.name not in todo.unread]
    if len(result.refused) == len(untold) == 1:
        raise InputError(str(untold[0].reason))
    if result.refused:
        for outcome in untold:
            console.print_note(f"{outcome.name}: {outcome.reason}")
        names = [outcome.name for outcome in result.refused]
        listed = ", ".join(names[:MOST_NAMED])
        more = len(names) - MOST_NAMED
        listed += f" and {counted(more, 'other')}" if more > 0 else ""
        raise InputError(
            f"recordings refused: {len(names)} of {len(todo.recordings)} ({listed}); the reasons are above"
        )


def summarize_corpus(out: Path, result: Build) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "out": str(out),
        "recordings": [
            {
                "name": outcome.name,
                "split": outcome.split,
                "status": outcome.status,
                "reason": outcome.reason,
                "sources": [source.path for source in outcome.sources],
                "files": list(outcome.files),
                "quality": outcome.quality,
            }
            for outcome in result.outcomes
        ],
        "kept": result.kept,
        "refused": len(result.refused),
        "copies": list(result.copies),
        "interrupted": result.interrupted,
    }


def _print_summary(summary: dict[str, Any]) -> None:
    from visavis.corpus.layout import REFUSED

    stay = 0
    for recording in summary["recordings"]:
        quality = recording["quality"]
        if recording["status"] == REFUSED:
            stay += quality is not None
            continue
        faces = ", ".join(f"{name} {person['found']:.0%}" for name, person in quality["people"].items())
        console.print_line(
            f"{recording['name']}: {quality['frames']} frames ({quality['duration_s']:.1f} s), faces: {faces}"
        )
        for name, person in quality["people"].items():
            for warning in person["warnings"]:
                console.print_line(f"  {name}: {warning}")
        for warning in quality["warnings"]:
            console.print_line(f"  {warning}")
    done = len(summary["recordings"]) - summary["refused"]
    console.print_line(
        f"{counted(done, 'recording')} in {summary['out']}, {summary['refused']} refused"
        f"{f' (kept from an earlier run: {stay})' if stay else ''}; "
        f"finished before: {summary['kept']}"
    )
