"""The running server's modes on request: face tokens, and listening with sound."""

from __future__ import annotations

import json
import math
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support import scripted_server as scripted
from support import tiny_listener, tiny_tokenizer
from support.pictures import jpeg
from support.talking import fetch, receive, serving, talk
from visavis.channels import AVATAR_PARAMETERS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.serve.protocol import encode_frame, encode_sound
from visavis.serve.server import Server
from visavis.serve.vocabulary import Vocabulary


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    return Vocabulary(FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, depth=2)))


def test_tokens_are_told_on_request(vocabulary: Vocabulary) -> None:
    with serving(scripted.ScriptedPipeline, vocabulary=vocabulary) as server, talk(server) as client:
        assert receive(client)["face_tokens"] == json.loads(fetch(server, "health"))["face_tokens"]
        client.send('{"type": "face_tokens", "on": true}')
        assert receive(client) == {"type": "face_tokens", "on": True}
        client.send(encode_frame(1, 1.0, jpeg()))
        name = ".".join(map(str, receive(client)["face_token"]["tokens"]))
        assert json.loads(fetch(server, f"face_tokens/{name}"))["pose"].keys() == AVATAR_PARAMETERS.keys()


def test_tokens_are_told_where_the_recognizer_drops_some(server: Server) -> None:
    with serving(scripted.SparsePipeline) as sparse:
        for running, drops in ((server, False), (sparse, True)):
            with talk(running) as client:
                assert (
                    receive(client)["drops_tokens"]
                    is json.loads(fetch(running, "health"))["drops_tokens"]
                    is drops
                )
                client.send(encode_frame(1, 1.0, jpeg()))
                assert (receive(client)["kept_tokens"] is not None) is drops
                client.send('{"type": "settings", "read_expressions": false, "mirror": true}')
                receive(client)
                client.send(encode_frame(2, 2.0, jpeg()))
                assert receive(client)["kept_tokens"] is None


def refusal(server: Server, name: str) -> str:
    address = f"{server.url}face_tokens/{name}"
    with pytest.raises(HTTPError, match="404") as caught, urlopen(address, timeout=10):  # noqa: S310
        pass
    with caught.value as answer:
        text: str = json.loads(answer.read())["detail"]
    return text


def test_unknown_tokens_are_one_clear_line(vocabulary: Vocabulary, server: Server) -> None:
    assert "no face tokenizer" in refusal(server, "1.2")
    with serving(scripted.ScriptedPipeline, vocabulary=vocabulary) as speaking:
        for name in ("16.0", "1", "1.2.3", "-1.0", "1.x", "%F0%9F%98%80", "9" * 3000):
            line = refusal(speaking, name)
            assert "expected [0 to 15].[0 to 15]" in line
            assert len(line) < 120
            assert "\n" not in line


def test_many_bad_wishes_do_not_end_the_session(server: Server) -> None:
    wishes = [
        '{"type": "face_tokens", "on": "yes"}',
        '{"type": "face_tokens"}',
        '{"type": "face_tokens", "on": true}',
    ]
    codes = ["bad_request", "bad_request", "no_tokenizer"]
    with talk(server) as client:
        receive(client)
        for _ in range(80):
            for wish, code in zip(wishes, codes, strict=True):
                client.send(wish)
                error = receive(client)
                assert (error["type"], error["code"], error["id"]) == ("error", code, None)
        client.send(encode_frame(1, 1.0, jpeg()))
        assert receive(client)["type"] == "moment"


def test_a_listener_answers_on_request_and_hears(tmp_path: Path) -> None:
    listener = tiny_listener.listener(tmp_path)
    wish = {"type": "listen", "on": True, "seed": 3, "style": None}
    with serving(scripted.ScriptedPipeline, listener=listener) as server, talk(server) as client:
        hello, health = receive(client), json.loads(fetch(server, "health"))
        assert hello["modes"] == health["modes"] == ["mirror", "listen"]
        assert hello["listener"] == health["listener"]
        client.send(json.dumps(wish))
        assert receive(client) == wish
        for number in range(1, 12):
            client.send(encode_sound(16_000, number / 25, bytes(1280)))
            client.send(encode_frame(number, number / 25, jpeg()))
            moment = receive(client)
            assert moment["type"] == "moment"
        assert moment["hears"] is True
        client.send(json.dumps({**wish, "on": False}))
        receive(client)
        client.send(encode_frame(12, 1.0, jpeg()))
        assert receive(client)["hears"] is None


def test_hostile_sound_is_refused_one_by_one_and_the_session_survives(tmp_path: Path) -> None:
    hostile = [
        (encode_sound(1, 1.0, bytes(2)), "bad_sound"),
        (encode_sound(16_000, math.nan, bytes(2)), "bad_sound"),
        (encode_sound(16_000, 1.0, bytes(16_002)), "bad_sound"),
        (encode_sound(16_000, 1e8, bytes(2)), "bad_sound"),
        ('{"type": "listen", "on": true, "seed": -1, "style": null}', "bad_request"),
        ('{"type": "listen"}', "bad_request"),
    ]
    listener = tiny_listener.listener(tmp_path)
    with serving(scripted.ScriptedPipeline, listener=listener) as server, talk(server) as client:
        receive(client)
        client.send('{"type": "listen", "on": true, "seed": 1, "style": null}')
        client.send(encode_frame(1, 1.0, jpeg()))
        assert {receive(client)["type"] for _ in range(2)} == {"listen", "moment"}
        for _ in range(20):
            for message, code in hostile:
                client.send(message)
                error = receive(client)
                assert (error["type"], error["code"], error["id"]) == ("error", code, None)
        # A flood: what is more than time passes is refused, and the session goes on.
        for _ in range(40):
            client.send(encode_sound(8_000, 1.0, bytes(8_000)))
        client.send(encode_frame(2, 1.04, jpeg()))
        answers = [receive(client)]
        while answers[-1]["type"] != "moment":
            answers.append(receive(client))
        assert {answer["code"] for answer in answers[:-1]} == {"too_much_sound"}
        assert len(answers) > 20
