"""The command ``visavis doctor``: what works on this computer and what does not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from visavis.base import console

ESSENTIALS_FAIL = 2


def doctor(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the page.", show_default="8765"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this installation: Python, packages, networks, cameras, encoders, port and extras.

    Exits with status 0 if the essential parts work, else with 2.

    Example:

        visavis doctor
    """
    from visavis.evaluate.doctor import checks

    found = []
    for check in checks(port):
        found.append(check)
        if not as_json:
            mark = "ok" if check.ok else "FAIL" if check.essential else "-"
            console.print_line(f"{mark:5}{check.name:33}{check.detail}")
    good = all(check.ok for check in found if check.essential)
    if as_json:
        console.print_json({"ok": good, "checks": [asdict(check) for check in found]})
    if not good:
        raise typer.Exit(ESSENTIALS_FAIL)
