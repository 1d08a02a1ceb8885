"""The command ``visavis serve``: the page with the webcam and the avatar."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from visavis.base import console
from visavis.cli.listener import Listener
from visavis.cli.profile import ProfileOption
from visavis.cli.recognizer import KeepOption, RecognizerName, RecognizerOption, parse_keep
from visavis.cli.tokenizer import Decoder, Encoder, named


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 8765,
    sessions: Annotated[int, typer.Option(min=1, help="Maximum number of people at a time.")] = 4,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another host name of this server, for example behind a proxy.")
    ] = None,
    recognizer: RecognizerOption = RecognizerName.DENSE,
    keep: KeepOption = None,
    profile: ProfileOption = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Serve the page: the webcam on one side, the avatar on the other.

    By default only this computer can open the page. Nothing is stored, except your calibration if you ask the
    page to remember it. Browsers only allow a camera on http://localhost and https pages: for other
    computers, put an https proxy in front of the server.

    Examples:

        visavis serve
        visavis serve --port 9000 --sessions 2 --open
        visavis serve --recognizer sparse
        visavis serve --encoder tokens_encoder.onnx --decoder tokens_decoder.onnx
    """
    from visavis.avatar.profile import named_profile
    from visavis.avatar.puppet import Puppet
    from visavis.pipeline import Pipeline
    from visavis.reaction.listener import FaceListener
    from visavis.serve.app import serve as run_server
    from visavis.serve.vocabulary import Vocabulary

    def announce(url: str) -> None:
        console.print_note(f"visavis is at {url} (Ctrl-C stops it)")

    make_pipeline = partial(
        Pipeline,
        recognizer=recognizer.value,
        keep=parse_keep(keep),
        profile=named_profile(profile),
    )
    tokenizer = named(encoder, decoder)
    vocabulary = Vocabulary.embedded() if tokenizer is None else Vocabulary(tokenizer)
    networks = FaceListener.embedded() if listener is None else FaceListener.load(listener, tokenizer)
    Puppet.load()
    make_pipeline().close()  # Missing or damaged files are reported now, not to the first visitor.
    run_server(
        make_pipeline,
        host=host,
        port=port,
        vocabulary=vocabulary,
        listener=networks,
        open_browser=open_browser,
        sessions=sessions,
        allowed_hosts=allow_host or (),
        announce=announce,
    )
