"""The command ``visavis recognize``: the expressions shown in images, folders and videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.interruption import Interruption
from visavis.base.machine import MOST_PROCESSES
from visavis.base.signals import INTERRUPTED
from visavis.cli.recognizer import DENSE, KeepOption, RecognizerOption, parse_keep
from visavis.errors import InputError, VisavisError

# At most this many files that were passed over are named; --json names all.
MOST_NAMED = 5

if TYPE_CHECKING:
    from visavis.pipeline import Sighting
    from visavis.recording.recognize import FacesInPicture, FacesInVideo
    from visavis.types import Face, FloatArray


def recognize(
    paths: Annotated[list[Path], typer.Argument(help="Images, videos, or folders of them.", readable=False)],
    recognizer: RecognizerOption = DENSE,
    keep: KeepOption = None,
    crops: Annotated[
        bool,
        typer.Option(
            "--crops",
            help="Read every small square picture without a detected face as a tight face crop.",
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_PROCESSES,
            metavar="N",
            help="How many threads read images, and how many processes read a long video.",
            show_default="one for each processor thread; for videos 1 if there are only two",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_lines: Annotated[
        bool,
        typer.Option(
            "--jsonl", help="Print one JSON object a line, as soon as it is known; for videos of any length."
        ),
    ] = False,
) -> None:
    """Read the expressions shown in images and videos.

    If a small square image has no detected face, but the face network sees a tight face crop in it, the whole
    image is read and marked so. With --crops, all such images are read.

    Ctrl-C ends the command; what was read so far is printed.

    Examples:

        visavis recognize photo.jpg holiday/ --json
        visavis recognize talk.mp4 --jsonl > talk.jsonl
        visavis recognize fer2013/test --crops
        visavis recognize clip.mp4 --recognizer sparse
    """
    from visavis.pipeline import Pipeline
    from visavis.recording.recognize import MAX_FACES, list_media, read_media

    if as_json and as_lines:
        raise InputError("--json and --jsonl are two forms of output: choose one")
    make_pipeline = partial(Pipeline, recognizer=recognizer, keep=parse_keep(keep), max_faces=MAX_FACES)
    make_pipeline().close()  # Wrong options are told before the first file.
    media, problems, passed_over = list_media(paths)
    report = _Report(as_json, as_lines)
    for path, problem in problems:
        report.tell(path, problem)
    with (
        Interruption() as signals,
        closing(read_media(media, make_pipeline, crops=crops, jobs=jobs)) as results,
        console.progress("recognize", len(media), "files") as advance,
    ):
        for path, read in signals.each(results):
            error = read if isinstance(read, VisavisError) else _report_file(read, report, signals)
            if error is not None:
                problems.append((path, error))
                report.tell(path, error)
            advance()
        report.finish(passed_over, interrupted=signals.came)
    if signals.came:
        console.print_note(f"interrupted; files that were read: {report.files} of {len(media)}")
        raise typer.Exit(INTERRUPTED)
    console.raise_problems(problems, told=as_json or as_lines)


def _report_file(
    read: FacesInPicture | FacesInVideo, report: _Report, signals: Interruption
) -> VisavisError | None:
    """Print what is read of a file; returns why reading ended early."""
    from visavis.recording.recognize import FacesInPicture

    head = {"path": str(read.path), "width": read.size[0], "height": read.size[1]}
    if isinstance(read, FacesInPicture):
        report.add_image({"kind": "image", **head, "faces": [face_json(face) for face in read.faces]})
        return None
    report.start_video({"kind": "video", **head, "fps": read.fps})
    error: VisavisError | None = None
    moments = signals.each(read)
    while True:
        try:
            seen = next(moments, None)
        except VisavisError as caught:
            error, seen = caught, None
        if seen is None:
            break
        report.add_moment(seen)  # Its own errors end the command.
    report.end_video(interrupted=signals.came)
    report.files += not signals.came
    return error


class _Report:
    """Prints results as text, as one JSON object at the end, or as one JSON object a line.

    Args:
        as_json: one object at the end.
        as_lines: one object a line; nothing that was printed is kept.

    Attributes:
        files: number of files that were read to their ends.
    """

    def __init__(self, as_json: bool, as_lines: bool) -> None:
        self._as_json, self._as_lines = as_json, as_lines
        self.files = 0
        self._results: list[dict[str, Any]] = []
        self._errors: list[dict[str, Any]] = []
        self._video: dict[str, Any] = {}
        self._moments: list[dict[str, Any]] = []
        self._frames = self._frames_with_face = 0
        self._labels: Counter[str] = Counter()

    def add_image(self, result: dict[str, Any]) -> None:
        """A whole picture."""
        self.files += 1
        self._print(result)

    def start_video(self, head: dict[str, Any]) -> None:
        """A video, of which the moments follow."""
        self._video, self._moments, self._labels = head, [], Counter()
        self._frames = self._frames_with_face = 0
        if self._as_lines:
            console.print_json_line(head)

    def add_moment(self, seen: Sighting) -> None:
        """A frame of the video."""
        self._frames += 1
        self._frames_with_face += bool(seen.faces)
        if seen.faces and seen.faces[0].label:
            self._labels[seen.faces[0].label] += 1
        if not (self._as_json or self._as_lines):
            return
        moment = {"time_s": round(seen.time_s, 4), "faces": [face_json(face) for face in seen.faces]}
        if self._as_lines:
            console.print_json_line({"kind": "moment", **moment})
        else:
            self._moments.append(moment)

    def end_video(self, *, interrupted: bool) -> None:
        """The end of the video, or of what was read of it."""
        total = self._labels.total()
        summary = {
            "frames": self._frames,
            "frames_with_face": self._frames_with_face,
            "expressions": {label: n / total for label, n in self._labels.most_common()},
            "interrupted": interrupted,
        }
        if self._as_lines:
            console.print_json_line({"kind": "end", "path": self._video["path"], **summary})
        else:
            self._print({**self._video, **summary, "moments": self._moments})

    def tell(self, path: Path, error: VisavisError) -> None:
        """A file that could not be read whole."""
        result = {"path": str(path), "error": str(error)}
        if self._as_lines:
            console.print_json_line({"kind": "error", **result})
        elif self._as_json:
            self._errors.append(result)

    def finish(self, passed_over: Sequence[Path], *, interrupted: bool) -> None:
        """Print what was kept for the end, and the files of folders that were not taken for media."""
        if self._as_json:
            passed = [str(path) for path in passed_over]
            answer = {"files": self._results, "errors": self._errors, "passed_over": passed}
            console.print_json({**answer, "interrupted": interrupted})
        elif passed_over:
            names = [path.name for path in passed_over[:MOST_NAMED]] + ["..."] * (
                len(passed_over) > MOST_NAMED
            )
            told = f"{len(passed_over)} ({', '.join(names)})"
            console.print_note(
                f"passed over (hidden, a link to a folder, no regular file, or another ending): {told}"
            )

    def _print(self, result: dict[str, Any]) -> None:
        if self._as_lines:
            console.print_json_line(result)
        elif self._as_json:
            self._results.append(result)
        else:
            _print_result(result)


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
        "visible": None if face.cropped else _named(("right_eye", "left_eye", "mouth"), face.visible),
    }
    expression = face.expression
    if expression is None:
        return values | dict.fromkeys(("label", "expressions", "valence", "arousal", "action_units"))
    return values | {
        "label": face.label,
        "expressions": _named(EXPRESSIONS, expression.probabilities),
        "valence": round(expression.valence, 4),
        "arousal": round(expression.arousal, 4),
        "action_units": None if face.cropped else _named(ACTION_UNITS, expression.action_units),
    }


def _named(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(names, values.tolist(), strict=True)}


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
            f"(valence {face['valence']:+z.2f}, arousal {face['arousal']:+z.2f}), {place}"
        )
