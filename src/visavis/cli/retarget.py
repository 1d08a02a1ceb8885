"""The command ``visavis retarget``: prints a retarget file to start from, or writes a track's parameters."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.base import console
from visavis.base.words import counted
from visavis.cli.profile import ProfileOption
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.avatar.retarget import Retargeting
    from visavis.track import Track


def retarget(
    mapping: Annotated[
        str, typer.Argument(metavar="PRESET|FILE", help="A preset's name, or a retarget file, .toml.")
    ],
    track: Annotated[
        Path | None, typer.Option(help="Track file that  visavis run --track  wrote, .npz.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Table to write: the parameters of each frame, .csv. An existing file is replaced."
        ),
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Print a preset as a file to start from, check a file, or write a track's parameters as a table.

    A retarget file says how the parameters of an avatar follow a face. docs/how-to/retarget.md describes it.

    Examples:

        visavis retarget vtubestudio > mine.toml
        visavis retarget mine.toml --track talk.npz --out values.csv
    """
    from visavis.avatar.profile import named_profile
    from visavis.avatar.retarget import Retargeting, preset_text, presets
    from visavis.base.files import require_outputs
    from visavis.track import Track

    if (track is None) != (out is None):
        raise InputError("--track and --out belong together; name a track, .npz, and a table, .csv")
    retargeting = Retargeting.named(mapping)
    if track is None or out is None:
        if profile is not None:
            raise InputError("--profile needs --track and --out")
        if mapping in presets():
            console.write_out(preset_text(mapping).rstrip("\n") + "\n")
        else:
            console.print_line(
                f"{mapping}: no mistakes in {counted(len(retargeting.parameters), 'parameter')}"
            )
        return
    require_outputs([(out, (".csv",))], [mapping, track])
    if (worn := named_profile(profile)) is not None:
        retargeting = retargeting.calibrated(worn)
    write_values(out, retargeting, Track.load(track))
    console.print_line(f"wrote {out}")


def write_values(path: Path, retargeting: Retargeting, track: Track) -> None:
    """Write the parameters of each frame as CSV; frames without a face have empty cells.

    Raises:
        InputError: the file cannot be written.
    """
    from visavis.base.files import whole_file

    values = retargeting.values(track.face)
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", *retargeting.parameters])
        for time_s, found, row in zip(track.time_s, track.found, values, strict=True):
            cells = [f"{value:.6g}" if found else "" for value in row]
            writer.writerow([f"{time_s:.6f}", *cells])
