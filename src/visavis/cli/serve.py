"""The command ``visavis serve``: the page with the webcam and the avatar."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visavis.base import console
from visavis.cli.corpus import EngineName
from visavis.cli.listener import Listener
from visavis.cli.profile import ProfileOption
from visavis.cli.recognizer import DENSE, KeepOption, RecognizerOption, parse_keep
from visavis.cli.send import SendOption
from visavis.cli.tokenizer import Decoder, Encoder, named
from visavis.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in, with a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 8765,
    sessions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum number of people at a time; by default 16 for each processor, fewer under load.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes that share the port; not on Windows.")
    ] = 1,
    engine: Annotated[
        EngineName, typer.Option(help="Where the processes run; ray needs the extra scale.")
    ] = "local",
    replicas: Annotated[
        str | None,
        typer.Option(help="With --engine ray: number of processes, or bounds such as 1:8.", show_default="1"),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Address of a running Ray cluster, such as auto.", show_default="this machine"),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another host name of this server, for example behind a proxy.")
    ] = None,
    recognizer: RecognizerOption = DENSE,
    keep: KeepOption = None,
    profile: ProfileOption = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    send: SendOption = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Model for the page: a .vrm, or a Live2D .model3.json, which needs Cubism Core."),
    ] = None,
    cubism_core: Annotated[
        Path | None,
        typer.Option(
            help="Your live2dcubismcore.min.js, of Live2D's SDK for Web; see docs/how-to/live2d.md."
        ),
    ] = None,
    retarget: Annotated[
        Path | None, typer.Option(help="Retarget file, .toml, for the page's panel and its Live2D model.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            help="What clients must know; VISAVIS_TOKEN or --token-file keep it off the list of processes. "
            "Made if others can reach the server.",
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that contains the token.")] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let everyone in who reaches the server.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain (PEM), for https.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address or network of a proxy whose X-Forwarded-For is believed."),
    ] = None,
    max_connections: Annotated[
        int | None, typer.Option(min=8, help="Maximum number of connections; by default 1024, or what fits.")
    ] = None,
    max_per_address: Annotated[
        int, typer.Option(min=1, help="Maximum number of open requests of one address.")
    ] = 32,
    max_new_per_address: Annotated[
        int, typer.Option(min=1, help="Maximum number of WebSockets that one address may open in a minute.")
    ] = 60,
    header_time: Annotated[float, typer.Option(min=0.1, help="Seconds in which a request must arrive.")] = 10,
    keep_alive: Annotated[
        int, typer.Option(min=0, help="Seconds for which a connection may wait for its next request.")
    ] = 5,
    idle: Annotated[
        float, typer.Option(min=1, help="Seconds without a message after which a session is closed.")
    ] = 60,
    grace: Annotated[
        float, typer.Option(min=0.5, help="Seconds from a signal to the end of the process.")
    ] = 5,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option(help="Log the begin and end of conversations; by default only warnings."),
    ] = None,
) -> None:
    """Serve the page: the webcam on one side, the avatar on the other.

    By default only this computer can open the page. Nothing is stored, except your calibration if you ask the
    page to remember it. Other computers need the token in the address that the server prints. Browsers only
    allow a camera on http://localhost and https pages: for other computers, use --tls-cert or an https proxy.

    Examples:

        visavis serve
        visavis serve --port 9000 --sessions 2 --open
        visavis serve --send vts:// --send vmc://192.168.1.5:39539
        visavis serve --recognizer sparse
        visavis serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
        visavis serve --workers 2
        visavis serve --model Haru/Haru.model3.json --cubism-core live2dcubismcore.min.js
        visavis serve --engine ray --replicas 2:8 --ray-address auto
        visavis serve --encoder tokens_encoder.onnx --decoder tokens_decoder.onnx
    """
    from visavis.serve import logs
    from visavis.serve.front import Front, choose_token, host_names
    from visavis.serve.workers import check_workers

    logs.configure(log_format)
    check_workers(workers, bool(send), sessions)
    on_ray = engine == "ray"
    if on_ray and (workers > 1 or send):
        raise InputError("--engine ray takes --replicas in place of --workers, and no --send")
    if not on_ray and (replicas or ray_address):
        raise InputError("--replicas and --ray-address need --engine ray")
    front = Front(
        token=choose_token(token, token_file, no_token=no_token),
        no_token=no_token,
        proxies=tuple(proxy or ()),
        tls_cert=tls_cert,
        tls_key=tls_key,
        max_connections=max_connections,
        max_per_address=max_per_address,
        max_new_per_address=max_new_per_address,
        header_s=header_time,
        keep_alive_s=keep_alive,
        grace_s=grace,
    )
    wish = _Wish(
        log_format=log_format,
        recognizer=recognizer,
        keep=keep,
        profile=profile,
        listener=listener,
        tokenizer=(encoder, decoder),
        send=tuple(send or ()),
        own=(model, cubism_core, retarget),
        options={
            "host": host,
            "port": port,
            "open_browser": open_browser,
            "sessions": sessions,
            "idle_s": idle,
            "front": front,
            "allowed_hosts": host_names(allow_host or ()),
            "processes": workers,
        },
    )
    if on_ray:
        _serve_on_ray(wish, replicas or "1", ray_address)
    elif workers == 1:
        _serve(wish)
    else:
        _serve_together(wish, workers)


@dataclass(frozen=True)
class _Wish:
    """What a server's process needs; it can be sent to another process."""

    log_format: str | None
    recognizer: str
    keep: str | None
    profile: str | None
    listener: Path | None
    tokenizer: tuple[Path | None, Path | None]
    send: tuple[str, ...]
    own: tuple[Path | None, Path | None, Path | None]
    options: dict[str, Any]


def _serve_together(wish: _Wish, workers: int) -> None:
    """Serve in several processes."""
    from visavis.serve.pool import usual_sessions
    from visavis.serve.server import open_port, with_token
    from visavis.serve.workers import Workers

    host, front = wish.options["host"], wish.options["front"]
    # One token for all processes.
    wish.options["front"] = with_token(host, wish.options["allowed_hosts"], front)
    each, rest = divmod(wish.options["sessions"] or usual_sessions(), workers)
    shares = (each + (number < rest) for number in range(workers))
    wishes = (replace(wish, options=wish.options | {"sessions": share}) for share in shares)
    with open_port(host, wish.options["port"]) as listening:
        Workers([partial(_serve, one) for one in wishes], listening, front.grace_s + 1).run()


def _serve_on_ray(wish: _Wish, replicas: str, address: str | None) -> None:
    """Serve in replicas of Ray Serve."""
    from visavis.serve import logs
    from visavis.serve.app import create_app
    from visavis.serve.front import is_private, urls
    from visavis.serve.pool import MOST_PER_CORE
    from visavis.serve.ray_serve import RayServer, Replicas
    from visavis.serve.server import warn_if_unsafe, with_token

    number, options = Replicas.parse(replicas), wish.options
    host, hosts, people = options["host"], options["allowed_hosts"], options["sessions"]
    if people is not None and people < number.most:
        raise InputError(
            f"--sessions {people}: each replica needs a session of its own, and there may be {number.most} "
            "(--replicas); use more sessions or fewer replicas"
        )
    each = None if people is None else people // number.most  # A replica does not know which one it is.
    if people is not None and each is not None and people % number.most:
        console.print_note(
            f"--sessions {people}: each of {number.most} processes has {each}, "
            f"so there are at most {each * number.most} at a time"
        )
    given = options["front"].token
    front = with_token(host, hosts, options["front"])

    def build() -> FastAPI:
        logs.configure(wish.log_format)
        return create_app(
            **_load(wish),
            sessions=each,
            idle_s=options["idle_s"],
            host=host,
            allowed_hosts=hosts,
            front=front,
            processes=number.most,
        )

    def ready(port: int) -> None:
        if not is_private(host, hosts, front):
            warn_if_unsafe(host, front)
        query = f"?token={front.token}" if front.token else ""
        found = urls(host, port, secure=front.tls_cert is not None)
        for url in found:  # A given token does not get into logs.
            console.print_note(f"visavis is at {url}{'' if given else query} (Ctrl-C stops it)")
        if options["open_browser"]:
            webbrowser.open(found[-1] + query)  # With 0.0.0.0, localhost: a camera is allowed there.

    RayServer(build, number, each or MOST_PER_CORE, front, address).run(host, options["port"], ready)


def _load(wish: _Wish) -> dict[str, Any]:
    """Load everything; missing or damaged files are reported now, not to the first visitor."""
    from visavis.avatar.profile import named_profile
    from visavis.avatar.puppet import Puppet
    from visavis.pipeline import Pipeline
    from visavis.reaction.listener import ListenerModel
    from visavis.serve.own_files import OwnFiles
    from visavis.serve.vocabulary import Vocabulary

    own = OwnFiles.read(*wish.own)
    make_pipeline = partial(
        Pipeline,
        recognizer=wish.recognizer,
        keep=parse_keep(wish.keep),
        profile=named_profile(wish.profile),
    )
    tokenizer = named(*wish.tokenizer)
    vocabulary = Vocabulary.embedded() if tokenizer is None else Vocabulary(tokenizer)
    path = wish.listener
    networks = ListenerModel.embedded() if path is None else ListenerModel.load(path, tokenizer)
    Puppet.load()
    make_pipeline().close()
    return {"make_pipeline": make_pipeline, "vocabulary": vocabulary, "listener": networks, "own": own}


def _serve(
    wish: _Wish,
    listening: socket | None = None,
    first: bool = True,
    serves: Callable[[], None] = lambda: None,
) -> None:
    """Serve in this process.

    Args:
        wish: what to serve.
        listening: the socket that several processes share; None opens one.
        first: whether this process says where the server is.
        serves: called once this process serves.
    """
    from visavis.outputs.registry import open_outputs
    from visavis.serve import logs
    from visavis.serve.server import serve as run_server

    def announce(url: str) -> None:
        serves()
        if first:
            console.print_note(f"visavis is at {url} (Ctrl-C stops it)")

    logs.configure(wish.log_format)
    options = wish.options | {"open_browser": wish.options["open_browser"] and first}
    with open_outputs(wish.send) as senders:
        run_server(**_load(wish), **options, announce=announce, senders=senders, listening=listening)
