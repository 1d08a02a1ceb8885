"""The research commands: ``visavis train``, ``export``, ``quantize``, ``report`` and ``visavis lab ...``.

Each option is declared here and nowhere else. Nothing but typer is imported until a command runs.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

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
        cls=_Lab,
        help="Programs behind networks and figures: data, training, load. Most need the extra `train`.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    app.add_typer(lab, rich_help_panel=LAB)


class _Lab(TyperGroup):
    """The lab's commands. They are more than all others, so they are made when one of them is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._fill()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._fill()
        return super().get_command(ctx, cmd_name)

    def _fill(self) -> None:
        if not self.commands:
            from visavis_train.commands import faces, renders, servers, sparsity, talks, tokens, training

            made = typer.Typer(rich_markup_mode="markdown")
            for part in (faces, renders, tokens, talks, sparsity, servers, training):
                for command in part.COMMANDS:
                    made.command()(command)  # Its name is the function's, with dashes.
            self.commands.update(typer.main.get_group(made).commands)
