"""The option that names a person's profile."""

from __future__ import annotations

from typing import Annotated

import typer

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="What a guided calibration found out about the person: a JSON file, or me, for the one that the "
        "page was asked to remember. It is worn in mirror mode; a listener has a face of its own.",
        show_default="learned while it runs",
    ),
]
