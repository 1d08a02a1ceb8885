"""The command ``visavis recognize``: the emotions shown in images, folders and videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.cli.recognizer import KeepOption, RecognizerName, RecognizerOption, parse_keep
from visavis.cli.run import INTERRUPTED
from visavis.errors import VisavisError

if TYPE_CHECKING:
    from visavis.recording.recognize import FacesInFile, Recognizer
    from visavis.types import Face


def recognize(
    paths: Annotated[list[Path], typer.Argument(help="Images, videos, or folders of them.", readable=False)],
    recognizer: RecognizerOption = RecognizerName.DENSE,
    keep: KeepOption = None,
    crops: Annotated[
        bool,
        typer.Option(
            "--crops",
            help="Read every small square picture without a detected face as a tight face crop.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read the emotions shown in images and videos.

    If a small square image has no detected face, but the face network sees a tight face crop in it, the whole
    image is read and marked so. With --crops, all such images are read.

    Examples:

        visavis recognize photo.jpg holiday/ --json
        visavis recognize fer2013/test --crops
        visavis recognize clip.mp4 --recognizer sparse
    """
    from visavis.pipeline import Pipeline
    from visavis.recording.recognize import MAX_FACES, Recognizer, list_media

    keeping = parse_keep(keep)
    media, problems = list_media(paths)
    results: list[dict[str, Any]] = []
    interrupted = False
    try:
        pipeline = Pipeline(recognizer=recognizer.value, keep=keeping, max_faces=MAX_FACES)
        for read in _read_all(Recognizer(pipeline, crops=crops), media, problems):
            results.append(file_json(read))
            if not as_json:
                _print_result(results[-1])
    except KeyboardInterrupt:
        interrupted = True
    if as_json:
        errors = [{"path": str(path), "error": str(problem)} for path, problem in problems]
        console.print_json({"files": results, "errors": errors})
    if interrupted:
        console.print_note(f"interrupted: {len(results)} of {len(media)} files were read")
        raise typer.Exit(INTERRUPTED)
    console.raise_problems(problems, told=as_json)


def _read_all(
    recognizer: Recognizer, media: Sequence[Path], problems: list[tuple[Path, VisavisError]]
) -> Iterator[FacesInFile]:
    """Every file that can be read; errors of the others are added to the problems."""
    with console.progress("recognize", len(media), "files") as advance:
        for path in media:
            try:
                read = recognizer.read_file(path)
            except VisavisError as error:
                problems.append((path, error))
            else:
                if read.error is not None:
                    problems.append((path, read.error))
                yield read
            advance()


def file_json(read: FacesInFile) -> dict[str, Any]:
    """What ``--json`` prints about one file."""
    head = {"path": str(read.path), "width": read.size[0], "height": read.size[1]}
    if read.fps is None:
        return {"kind": "image", **head, "faces": [face_json(face) for face in read.faces[0]]}
    labels = [faces[0].label for faces in read.faces if faces and faces[0].label]
    return {
        "kind": "video",
        **head,
        "fps": read.fps,
        "frames": len(read.faces),
        "frames_with_face": sum(map(bool, read.faces)),
        "expressions": {label: n / len(labels) for label, n in Counter(labels).most_common()},
        "moments": [
            {"time_s": round(time_s, 4), "faces": [face_json(face) for face in faces]}
            for time_s, faces in zip(read.times_s, read.faces, strict=True)
        ],
    }


def face_json(face: Face) -> dict[str, Any]:
    """What ``--json`` prints about one face; a value that was not read is null."""
    from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSIONS, HEAD_ANGLES

    values: dict[str, Any] = {
        "box_xyxy": [round(float(v), 1) for v in face.box_xyxy],
        "score": None if face.cropped else round(face.score, 4),
        "cropped": face.cropped,
        "head_rad": None if face.cropped else _named(HEAD_ANGLES, face.state.head_rad),
        "blendshapes": None if face.cropped else _named(BLENDSHAPES, face.state.weights),
        "reliability": None if face.cropped else _named(BLENDSHAPES, face.reliability),
    }
    emotion = face.emotion
    if emotion is None:
        return values | dict.fromkeys(("label", "expressions", "valence", "arousal", "action_units"))
    return values | {
        "label": face.label,
        "expressions": _named(EXPRESSIONS, emotion.expressions),
        "valence": round(emotion.valence, 4),
        "arousal": round(emotion.arousal, 4),
        "action_units": None if face.cropped else _named(ACTION_UNITS, emotion.action_units),
    }


def _named(names: Sequence[str], values: Iterable[float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}


def _print_result(result: dict[str, Any]) -> None:
    path = result["path"]
    if result["kind"] == "video":
        shares = ", ".join(f"{label} {share:.0%}" for label, share in result["expressions"].items())
        found = f"a face in {result['frames_with_face']} of {result['frames']} frames"
        console.print_line(f"{path}: {found}" + (f"; {shares}" if shares else ""))
        return
    if not result["faces"]:
        console.print_line(f"{path}: no face")
    for face in result["faces"]:
        place = "the whole image" if face["cropped"] else f"at {[round(v) for v in face['box_xyxy']]}"
        console.print_line(
            f"{path}: {face['label']} {face['expressions'][face['label']]:.0%} "
            f"(valence {face['valence']:+.2f}, arousal {face['arousal']:+.2f}), {place}"
        )
