"""The option that names a person's profile."""

from __future__ import annotations

from typing import Annotated

import typer

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="The person's profile from a guided calibration: a JSON file, or me for the profile that the "
        "page remembers. Only mirror mode uses it.",
        show_default="learned during the run",
    ),
]
