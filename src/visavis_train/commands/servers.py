"""The ``visavis lab`` command that loads a server. It needs no extra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.base.console import print_json, print_line, print_note
from visavis_train.commands.shared import interrupted_says


@interrupted_says("interrupted: nothing was measured but what stands above")
def soak(
    clients: Annotated[int, typer.Option(min=1, help="Number of honest clients.")] = 4,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long.")] = 1.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the server.")] = 1,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .mp4 files; by default the embedded portrait."),
    ] = None,
    listen: Annotated[bool, typer.Option("--listen", help="The avatars listen.")] = False,
    obey: Annotated[
        bool, typer.Option("--obey", help="Clients follow the rate that the server wishes.")
    ] = False,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="A hostile client: settings, reconnect, junk, slow-reader, half-open; may be repeated."
        ),
    ] = None,
    kill_every: Annotated[
        float | None, typer.Option(min=1, metavar="S", help="Kill a process of the server every S seconds.")
    ] = None,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Pictures a second of each client.")] = 25.0,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already, such as ws://127.0.0.1:8765/ws.")
    ] = None,
    pid: Annotated[int | None, typer.Option(help="Process of the server at --url, if it is here.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Load a server for a long time, beside hostile clients, and while its processes are killed.

    A server of its own is started, unless `--url` names one. Every client sends pictures of 640x480, as the
    page does. Results: answers a second, latency, drops, errors, gaps after a loss, processor time and memory
    (Linux), for the whole time and for each part of it.

    Examples:

        visavis lab soak --clients 8 --minutes 30
        visavis lab soak --attack junk --attack settings
        visavis lab soak --workers 2 --kill-every 20 --json > soak.json
    """
    import asyncio
    from contextlib import nullcontext

    from visavis.errors import DeviceError, InputError
    from visavis.evaluate.load_clients import Wish, pictures_of
    from visavis.evaluate.soak import Soak, server
    from visavis.evaluate.soak import soak as load

    if url is None and pid is not None:
        raise InputError("--pid names the process of the server at --url: give --url, too")
    if url is not None and pid is None and kill_every is not None:
        raise InputError("--kill-every kills processes of the server at --url: name its first one by --pid")
    wish = Wish(fps, listen, obey, resume=True)
    wanted = Soak(clients, 60 * minutes, wish, workers, tuple(attack or ()), kill_every)
    pictures = pictures_of(clips)
    # One worker must hold everybody when others are dead.
    sessions = workers * (clients + len(wanted.attacks))
    started = server(workers, sessions) if url is None else nullcontext((url, pid))
    with started as (address, process):
        found = asyncio.run(load(address, process, pictures, wanted, lambda it: print_note(_line(it))))
    if json_output:
        print_json(found)
    else:
        _print_summary(found)
    if not found["answers"]:
        why = ": " + found["closed"][0] if found["closed"] else ""
        raise DeviceError(f"{address}: the server answered no picture{why}")


def _print_summary(found: dict[str, Any]) -> None:
    gap_s = max(found["gaps_s"], default=0.0)
    memory_mb = found["windows"][-1]["server_memory_mb"]
    print_line(
        f"{found['answers']} answers, {found['answers_per_s']['lowest']} a second to the slowest client; "
        f"p95 {_or_dash(found['latency_ms']['p95'])} ms; {found['dropped']} dropped; {found['kills']} kills, "
        f"longest gap {gap_s:g} s; at the end {_or_dash(memory_mb)} MB"
    )
    for attack in found["attacks"]:
        reason = "" if attack["reason"] is None else f", at last because of: {attack['reason']}"
        print_line(
            f"attack {attack['name']}: {attack['connections']} connections, {attack['messages']} messages; "
            f"ended {attack['ended']} times by the server{reason}"
        )


def _line(window: dict[str, Any]) -> str:
    return (
        f"{window['answers_per_s']} answers a second to the slowest client, "
        f"p95 {_or_dash(window['latency_ms']['p95'])} ms, {_or_dash(window['server_memory_mb'])} MB, "
        f"{_or_dash(window['server_cores'])} cores"
    )


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value}"


COMMANDS = (soak,)
