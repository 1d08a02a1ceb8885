"""The command ``visavis codebook``: a picture of the most used face tokens."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from visavis.base import console
from visavis.base.words import counted
from visavis.cli.tokenizer import Decoder, Encoder, named


def codebook(
    tracks: Annotated[list[Path], typer.Argument(help="Track files that  visavis run --track  wrote.")],
    out: Annotated[Path, typer.Option(help="Picture file to write, a .png. An existing file is replaced.")],
    most: Annotated[int, typer.Option(min=1, max=400, help="Number of tokens to draw.")] = 40,
    encoder: Encoder = None,
    decoder: Decoder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw a codebook of faces: what a tokenizer's most used tokens mean.

    To use another tokenizer, name the two files that `visavis train` left in a run folder.

    Examples:

        visavis run talk.mp4 --track talk.npz
        visavis codebook talk.npz --out tokens.png
        visavis codebook talk.npz --encoder tokens_encoder.onnx --decoder tokens_decoder.onnx --out w.png
    """
    from visavis.avatar.puppet_sheet import write_png
    from visavis.base.files import require_outputs
    from visavis.drawing.codebook import draw_sheet, most_used
    from visavis.reaction.tokenizer import FaceTokenizer
    from visavis.track import Track

    require_outputs([(out, (".png",))], [path for path in (*tracks, encoder, decoder) if path is not None])
    tokenizer = named(encoder, decoder) or FaceTokenizer.default()
    entries = most_used(tokenizer, [Track.load(path) for path in tracks], most)
    write_png(out, draw_sheet(tokenizer, entries))
    if as_json:
        console.print_json(
            {
                "out": str(out),
                "quantizer": tokenizer.quantizer,
                "vocabulary": list(tokenizer.vocabulary),
                "entries": [asdict(entry) for entry in entries],
            }
        )
    else:
        covered = sum(entry.share for entry in entries)
        console.print_line(f"{out}: {counted(len(entries), 'token')}, together {covered:.0%} of the frames")
