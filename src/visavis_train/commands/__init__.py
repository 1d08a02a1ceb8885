"""The research commands: ``visavis train``, ``export``, ``quantize``, ``report`` and ``visavis lab ...``.

Each option is declared here and nowhere else. Nothing but typer is imported until a command runs.
"""

from __future__ import annotations

import typer

from visavis_train.commands import faces, sparsity, talks, tokens
from visavis_train.commands.training import export, quantize, report, train

TRAIN, LAB = "Train", "Lab"


def mount(app: typer.Typer) -> None:
    """Add the research commands to the command line of visavis."""
    app.command(rich_help_panel=TRAIN)(train)
    app.command(rich_help_panel=TRAIN)(export)
    app.command(rich_help_panel=TRAIN)(quantize)
    app.command(rich_help_panel=TRAIN)(report)
    lab = typer.Typer(
        name="lab",
        help="Programs behind the networks: data, training, tables. Need the extra `train`.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for name, command in (faces.COMMANDS | tokens.COMMANDS | talks.COMMANDS | sparsity.COMMANDS).items():
        lab.command(name)(command)
    app.add_typer(lab, rich_help_panel=LAB)
