"""The ``visavis lab`` commands that draw faces with known answers, and what these drawings need."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from visavis.base.console import print_line, print_note
from visavis.base.files import require_outputs
from visavis.base.machine import MOST_PROCESSES
from visavis.errors import InputError
from visavis_train.commands.faces import Landmarker, Pack
from visavis_train.commands.shared import ANEW, NOTHING_WRITTEN, ends_in

Mesh = Annotated[Path, typer.Argument(metavar="HEAD", help="The head's mesh, ict_face.npz.")]
Crops = Annotated[Path, typer.Argument(help="Folder of face crops, for skins.")]


@ANEW
def render(
    head: Mesh,
    crops: Crops,
    out: Annotated[Path, typer.Argument(help="Folder of the pack.")],
    count: Annotated[int, typer.Option(help="Number of pictures.", min=1)],
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)],
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1, max=MOST_PROCESSES)] = 1,
    split: Annotated[
        Literal["train", "val", "test"], typer.Option(help="Split of the skins and identities.")
    ] = "train",
    skins: Annotated[
        Path | None,
        typer.Option(help="File of skins; made if missing.", show_default="skins.npz next to the pack"),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="face_landmarker.task, for making skins.", show_default="models/ two folders up"),
    ] = None,
    photographs: Annotated[Path | None, typer.Option(help="Folder of pictures for backgrounds.")] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Draw nothing in front of the face, for measuring.")
    ] = False,
    probes: Annotated[
        bool,
        typer.Option(
            "--probes", help="Draw plain pictures of each weight at full, after one picture at rest."
        ),
    ] = False,
) -> None:
    """Render a pack of faces with known weights, rotation, landmarks and gaze.

    Examples:

        visavis lab render HEAD.npz CROPS runs/renders --count 16000 --seed 1 --skins runs/skins.npz
    """
    from visavis_train.face.rendering.pack import render_faces

    render_faces(
        head,
        crops,
        out,
        count=count,
        seed=seed,
        split=split,
        workers=workers,
        skins=skins,
        model=model,
        photographs=photographs,
        plain=plain,
        probes=probes,
    )
    print_note(f"{out}: {count} faces of the split {split}")


@NOTHING_WRITTEN
def correspond(
    head: Mesh,
    model: Landmarker,
    skins: Annotated[
        Path | None, typer.Option(help="File of skins.", show_default="only painted skins")
    ] = None,
    count: Annotated[int, typer.Option(help="Number of pictures.", min=1)] = 240,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The table to write, .csv.", show_default="the renderer's table", callback=ends_in(".csv")
        ),
    ] = None,
) -> None:
    """Search for MediaPipe's landmarks on the head's mesh.

    Examples:

        visavis lab correspond HEAD.npz face_landmarker.task --skins runs/skins.npz --out landmarks.csv
    """
    from visavis_train.face.data.teacher import Teacher
    from visavis_train.face.rendering.correspond import place, samples, write_table
    from visavis_train.face.rendering.head import Head
    from visavis_train.face.rendering.landmarks import TABLE
    from visavis_train.face.rendering.skins import read_skins

    mesh, table = Head.load(head), out or TABLE
    textures = [] if skins is None else read_skins(skins).textures()
    with closing(Teacher(model)) as reader:
        pictures = list(samples(mesh, reader, textures, count, seed))
    if not pictures:
        raise InputError(f"MediaPipe finds a face in none of {count} pictures of {head}")
    write_table(table, *place(mesh, pictures))
    print_note(f"{table}: from {len(pictures)} of {count} pictures in which MediaPipe finds a face")


@NOTHING_WRITTEN
def skins(
    head: Mesh,
    crops: Crops,
    model: Landmarker,
    out: Annotated[Path, typer.Argument(help="The .npz file to write.")],
    count: Annotated[int, typer.Option(help="Number of crops to try.", min=1)] = 2000,
) -> None:
    """Bake textures for the head from crops of calm faces seen from the front.

    Examples:

        visavis lab skins HEAD.npz CROPS face_landmarker.task runs/skins.npz
    """
    from visavis_train.face.rendering.head import Head
    from visavis_train.face.rendering.skins import make_skins, write_skins

    require_outputs([(out, (".npz",))], [head])
    found = make_skins(Head.load(head), crops, model, count)
    write_skins(out, found)
    print_note(f"{out}: {len(found.ids)} skins")


@ANEW
def move_faces(
    head: Mesh,
    pack: Pack,
    out: Annotated[Path, typer.Argument(help="Folder of the new pack.")],
    copies: Annotated[int, typer.Option(help="Number of copies of each face.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only stills that training holds out, for measuring.")
    ] = False,
) -> None:
    """Move cheeks, nose, brows and lips of the calm stills of a pack by known weights.

    Examples:

        visavis lab move-faces HEAD.npz runs/face_pack runs/moved --copies 2
    """
    from visavis_train.face.rendering import moving

    count = moving.move_faces(head, pack, out, copies=copies, seed=seed, held_out=held_out)
    print_line(f"{count} faces in {out}")


COMMANDS = (render, correspond, skins, move_faces)
