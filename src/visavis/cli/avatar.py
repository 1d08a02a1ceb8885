"""The commands ``visavis avatar``: pictures and files of the avatar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visavis.base import console

avatar = typer.Typer(
    name="avatar",
    no_args_is_help=True,
    help="Make pictures and files of the avatar.",
)


@avatar.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="The picture, .png. An existing file is replaced.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A Live2D model, .model3.json. Needs the extra live2d."),
    ] = None,
) -> None:
    """Draw the avatar into one picture.

    The picture shows the avatar's expressions, mouths and extreme poses.

    Examples:

        visavis avatar sheet mira.png
        visavis avatar sheet haru.png --model Haru/Haru.model3.json
    """
    from visavis.avatar.puppet_sheet import contact_sheet, write_png
    from visavis.base.files import require_writable

    require_writable(out)
    drawing = None
    if model is not None:
        from visavis.cubism.folder import ModelFolder
        from visavis.cubism.model import Live2DModel, require_live2d
        from visavis.cubism.trial import try_model

        folder = ModelFolder.load(model)
        require_live2d()
        try_model(folder)
        drawing = Live2DModel(folder)
    picture, alike = contact_sheet(drawing=drawing)
    write_png(out, picture)
    console.print_line(f"wrote {out}")
    for names in alike:
        console.print_note(
            f"equal pictures: {' | '.join(names)}; the model has no parameters that show the difference"
        )


@avatar.command("expressions")
def write_looks(folder: Annotated[Path, typer.Argument(help="A folder; made if missing.")]) -> None:
    """Write the avatar's eight expressions as Live2D expression files, .exp3.json.

    Example:

        visavis avatar expressions looks
    """
    from visavis.avatar.expressions import write_expressions
    from visavis.base.files import require_folder

    require_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in write_expressions(folder):
        console.print_line(f"wrote {path}")
