"""The command ``visavis evaluate mirror``: how well the drawn avatar copies a face."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import counted, shown
from visavis.errors import InputError, VisavisError

if TYPE_CHECKING:
    from visavis.evaluate.mirror import ClipMirror, Landmarks

Measures = dict[str, dict[str, float | None]]


def mirror(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", help="Videos of a face.", readable=False)],
    landmarks: Annotated[
        Path | None,
        typer.Option(
            help="Landmarks of the face in each frame: an .npz for one clip, or a folder of CLIP.npz.",
            show_default="landmarks of visavis's own tracker",
        ),
    ] = None,
    stills: Annotated[
        Path | None,
        typer.Option(help="Picture to write: each movement at its largest, with the avatar below the face."),
    ] = None,
    outlines: Annotated[
        bool, typer.Option("--outlines", help="In the stills, draw only the landmarks of a face.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how well the drawn avatar copies a face.

    The avatar follows each clip as in  visavis run . For mouth, brows, lids, gaze and head, r is the
    correlation over the frames between the face and the avatar's drawn points; amplitude is the avatar's
    movement divided by the face's movement, each relative to its own resting size.

    Examples:

        visavis evaluate mirror clip.mp4
        visavis evaluate mirror clip.mp4 --landmarks teacher.npz --json
        visavis evaluate mirror clips/*.mp4 --landmarks teachers/
        visavis evaluate mirror clips/*.mp4 --stills stills.png --outlines
    """
    from visavis.base.files import require_outputs
    from visavis.base.reading import require_distinct_names
    from visavis.evaluate.mirror_stills import write_stills

    require_distinct_names(clips)
    if outlines and stills is None:
        raise InputError("--outlines draws faces in a picture; name it with --stills OUT.png")
    require_outputs([(stills, (".png",))], clips)
    teachers = _teachers(clips, landmarks)
    found, problems = _mirror_all(clips, teachers)
    if len(clips) == 1 and problems:
        raise problems[0][1]
    result = mirror_json(clips, found, problems, "own" if landmarks is None else str(landmarks))
    if found and not any(one["moves"] for one in result["measures"].values()):
        compared = sum(one.compared for one in found)
        place = str(clips[0]) if len(clips) == 1 else f"{len(found)} clips"
        raise InputError(
            f"{place}: the face stands still in all {compared} compared frames; give some seconds of a face "
            "that moves"
        )
    if as_json:
        console.print_json(result)
    elif found:
        _print(result)
    if stills is not None and found:
        missing = write_stills(stills, [one.followed for one in found], outlines=outlines)
        if missing:
            console.print_note(f"{stills}: no face showed {', '.join(missing)}")
    console.raise_problems(problems, told=as_json)


def _mirror_all(
    clips: Sequence[Path], teachers: Sequence[Landmarks | None]
) -> tuple[list[ClipMirror], list[tuple[Path, VisavisError]]]:
    """The results of each clip that can be measured, and the errors of the others."""
    from visavis.avatar.puppet import Puppet
    from visavis.evaluate.mirror import mirror_clip
    from visavis.pipeline import Pipeline

    rig = Puppet.load().rig
    found: list[ClipMirror] = []
    problems: list[tuple[Path, VisavisError]] = []
    # The face is shown as the camera sees it, not as in a mirror, so the avatar must be, too.
    with closing(Pipeline(mirror=False)) as pipeline, console.progress("clips", None, "frames") as advance:
        for clip, teacher in zip(clips, teachers, strict=True):
            try:
                found.append(mirror_clip(clip, pipeline, rig, teacher, advance))
            except VisavisError as error:
                problems.append((clip, error))
    return found, problems


def _teachers(clips: Sequence[Path], landmarks: Path | None) -> Sequence[Landmarks | None]:
    """The landmarks of each clip; errors of their files are raised here, before the work."""
    from visavis.capture.video import VideoFile
    from visavis.evaluate.mirror import Landmarks

    if landmarks is None:
        return [None] * len(clips)
    if landmarks.is_dir():
        files = [landmarks / f"{clip.stem}.npz" for clip in clips]
    elif len(clips) > 1:
        raise InputError(
            f"--landmarks {landmarks}: no folder; for {len(clips)} clips name one that holds CLIP.npz of each"
        )
    else:
        files = [landmarks]
    loaded: list[Landmarks | None] = []
    for clip, file in zip(clips, files, strict=True):
        size = None
        with suppress(VisavisError), VideoFile(clip) as video:  # Measuring the clip gives the reason.
            size = video.size
        loaded.append(None if size is None else Landmarks.load(file, size))
    return loaded


def mirror_json(
    clips: Sequence[Path],
    found: Sequence[ClipMirror],
    problems: Sequence[tuple[Path, VisavisError]],
    landmarks: str,
) -> dict[str, Any]:
    """What ``--json`` prints; a figure without a value is null."""
    each = {
        one.followed.path.stem: {
            "clip": str(one.followed.path),
            "frames": one.frames,
            "compared": one.compared,
            "measures": _measures([one]),
        }
        for one in found
    }
    if len(clips) == 1:
        return {"landmarks": landmarks, **each[clips[0].stem]}
    errors = [{"clip": str(clip), "error": str(problem)} for clip, problem in problems]
    return {"landmarks": landmarks, "clips": each, "errors": errors, "measures": _measures(found)}


def _measures(found: Sequence[ClipMirror]) -> Measures:
    """For each measure, the means over the clips in which the face moves, and the number of these clips."""
    from visavis.metrics.mirror import LEAST

    result: Measures = {}
    for place, name in enumerate(LEAST):
        r = [float(one.scores.r[place]) for one in found]
        amplitude = [float(one.scores.amplitude[place]) for one in found]
        result[name] = {"r": _mean(r), "amplitude": _mean(amplitude), "moves": len(_known(r))}
    return result


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if value == value]


def _mean(values: Sequence[float]) -> float | None:
    known = _known(values)
    return round(sum(known) / len(known), 4) if known else None


def _print(result: dict[str, Any]) -> None:
    clips = result.get("clips") or {"": result}
    frames, compared = (sum(one[key] for one in clips.values()) for key in ("frames", "compared"))
    console.print_line(
        f"{counted(len(clips), 'clip')}, frames compared: {compared} of {frames}, "
        f"landmarks: {result['landmarks']}"
    )
    console.print_table(
        ["measure", "r", "amplitude", "clips in which it moves"],
        [
            [name, shown(one["r"], 2), shown(one["amplitude"], 2), str(one["moves"])]
            for name, one in result["measures"].items()
        ],
    )
