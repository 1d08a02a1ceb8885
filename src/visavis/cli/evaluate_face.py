"""The command ``visavis evaluate face``: how accurately faces are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import shown
from visavis.cli.evaluate_face_json import clips_json, false_json, figures_json, turned_json
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.evaluate.face_clips import ClipFigures

# Number of faces of a pack that are turned and made small; more faces give the same result.
MOST_TURNED = 40


def face(
    faces: Annotated[
        Path,
        typer.Argument(
            metavar="SET", help="A pack of labelled crops, a video, or a folder of videos.", readable=False
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels of the videos' frames, a labels.npz.",
            show_default="MediaPipe labels them",
        ),
    ] = None,
    no_face: Annotated[
        Path | None,
        typer.Option(help="Also count the faces found in this folder of pictures without faces."),
    ] = None,
    turned: Annotated[
        bool,
        typer.Option(
            "--turned", help=f"Also find turned and small copies of up to {MOST_TURNED} faces of a pack."
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(help="Read N faces of a pack, drawn at random.", min=1, show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of --limit and --turned.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how accurately faces are read.

    SET is a pack of labelled crops (a folder of crops.npy and labels.npz, as visavis lab
    label-faces writes), a video, or a folder of videos. Videos are compared with --labels, or else with
    MediaPipe on the same frames (extra mediapipe). The tracker does not smooth here.

    Examples:

        visavis evaluate face packs/known --json
        visavis evaluate face packs/held_out --limit 2000 --turned
        visavis evaluate face clips/ --labels packs/held_out/labels.npz
        visavis evaluate face clip.mp4 --no-face photographs/rooms
    """
    from visavis.evaluate.face_stills import count_false_faces, pictures_in

    rooms = [] if no_face is None else pictures_in(no_face)
    if any((faces / name).exists() for name in ("crops.npy", "labels.npz")):  # A pack, even a damaged one.
        if labels is not None:
            raise InputError(f"--labels is for videos; the labels of the pack {faces} lie in it")
        result = _of_pack(faces, limit, seed, turned)
    else:
        if turned or limit is not None:
            raise InputError(f"--turned and --limit are for packs of crops; {faces} is none")
        result = _of_clips(faces, labels)
    if no_face is not None:
        from visavis.face.embedded import EmbeddedTracker
        from visavis.recording.recognize import MAX_FACES

        with console.progress("no face", len(rooms), "pictures") as advance:
            found = count_false_faces(no_face, EmbeddedTracker(MAX_FACES), advance)
        result["false_faces"] = false_json(found)
    if as_json:
        console.print_json(result)
    else:
        _print(result)


def _of_pack(folder: Path, limit: int | None, seed: int, turned: bool) -> dict[str, Any]:
    import numpy as np

    from visavis.datasets.face_labels import FaceLabelPack
    from visavis.evaluate.face_finding import COPIES, measure_finding
    from visavis.evaluate.face_stills import measure_pack
    from visavis.face.embedded import EmbeddedTracker
    from visavis.face.network import FaceNetwork

    pack = FaceLabelPack.load(folder)
    count = len(pack.labels)
    drawn = np.random.default_rng(seed).permutation(count)
    rows = np.sort(drawn[: limit or count])
    with console.progress("faces", len(rows), "faces") as advance:
        figures = measure_pack(pack, FaceNetwork(), rows, advance)
    result = _head(folder, "pack", pack.labels.truth) | figures_json(figures) | _NO_CLIPS
    if turned:
        some = drawn[: min(len(rows), MOST_TURNED)].tolist()
        with console.progress("turned", len(some) * len(COPIES), "pictures") as advance:
            result["turned"] = turned_json(measure_finding(pack, EmbeddedTracker(), some, advance))
    return result


def _of_clips(path: Path, labels: Path | None) -> dict[str, Any]:
    from visavis.datasets.face_labels import FaceLabels
    from visavis.evaluate.face_clips import beside_labels, beside_tracker
    from visavis.face.embedded import EmbeddedTracker

    clips = _videos(path)
    tracker = EmbeddedTracker(smooth=False)
    known = None if labels is None else FaceLabels.load(labels)
    measured: list[ClipFigures] = []
    with console.progress("clips", None, "frames") as advance:
        if known is not None:
            measured += [beside_labels(clip, tracker, known, advance) for clip in clips]
        else:
            from visavis.face.mediapipe import MediaPipeTracker

            teacher = MediaPipeTracker(smooth=False)
            try:
                measured += [beside_tracker(clip, tracker, teacher, advance) for clip in clips]
            finally:
                teacher.close()
    truth = "mediapipe" if known is None else known.truth
    return _head(path, "clips", truth) | clips_json(measured)


def _videos(path: Path) -> list[Path]:
    from visavis.base.reading import files_with_endings, require_distinct_names
    from visavis.capture.video import VIDEO_SUFFIXES, VideoFile

    if not path.is_dir():
        with VideoFile(path):  # Reading it first raises its errors before a model is searched for.
            return [path]
    found = files_with_endings(path, VIDEO_SUFFIXES)
    if not found:
        raise InputError(
            f"{path}: found neither a pack (crops.npy and labels.npz) nor videos; name a pack, a video or a "
            "folder of videos"
        )
    require_distinct_names(found)
    return found


_NO_CLIPS: dict[str, Any] = {"found": None, "blinks": None, "jitter": None, "clips": None}


def _head(path: Path, kind: str, truth: str) -> dict[str, Any]:
    from visavis.base import networks

    entry = networks.manifest()["face"]
    network = {"name": "face", "bytes": entry.size, "sha256": entry.sha256, "commit": entry.commit}
    extra = {"false_faces": None, "turned": None}
    return {"set": str(path), "kind": kind, "truth": truth, "network": network} | extra


def _print(result: dict[str, Any]) -> None:
    network = result["network"]
    console.print_line(
        f"{result['set']}: {result['n']} faces, truth: {result['truth']}; network of "
        f"{network['bytes'] / 1e6:.2f} MB, commit {network['commit'][:12]}"
    )
    head, points = result["head_deg"], result["landmarks"]
    rows = [
        [f"r, {_count(result['channels'])} channels without gaze", shown(result["mean_r"])],
        [f"r, {_count(result['moving'])} channels that move", shown(result["moving_r"])],
        [f"rise from rest to full, {_count(result['rising'])} channels", shown(result["mean_rise"])],
        ["channels of these that rise by less than 0.1", _count(result["flat"])],
        ["rise of tongueOut", shown(result["rise"]["tongueOut"])],
        ["mean absolute error of a weight", shown(result["mean_error"])],
        *([f"landmarks, {part}, % of the eye distance", shown(v, 2, 100)] for part, v in points.items()),
        *([f"{angle}, degrees off", shown(value, 2)] for angle, value in head.items()),
    ]
    if result["clips"] is not None:
        blinks, jitter = result["blinks"], result["jitter"]
        rows += [
            ["found, of the teacher's faces", shown(result["found"])],
            [f"recall of {blinks['teacher']} blinks", shown(blinks["recall"])],
            [f"precision of {blinks['ours']} blinks", shown(blinks["precision"])],
            *([f"jitter, {name.replace('_', ' ')}", shown(value, 5)] for name, value in jitter.items()),
        ]
    if (false := result["false_faces"]) is not None:
        rows.append(
            [f"pictures without a face, with one found, of {false['pictures']}", str(false["with_faces"])]
        )
    console.print_table(["figure", "value"], rows)
    console.print_table(
        ["blendshape", "r", "rise", "error"],
        [[name, *(shown(result[key][name]) for key in ("r", "rise", "error"))] for name in result["r"]],
    )
    if (turned := result["turned"]) is not None:
        keys = ("turned_deg", "height", "found", "right", "roll_error_deg", "size")
        console.print_table(
            ["turned by", "height", "found", "right", "roll off", "size"],
            [[shown(one[key], 2) for key in keys] for one in turned],
        )


def _count(value: float) -> str:
    return f"{value:g}"
