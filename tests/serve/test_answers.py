"""The server's answers: complete, rounded, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support import scripted_server as scripted
from support import tiny_listener, tiny_tokenizer
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS
from visavis.pipeline import expression_region
from visavis.reaction.style import CONTROLS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.serve.answers import encode_hello, encode_moment, meaning_json
from visavis.serve.protocol import PROTOCOL_VERSION
from visavis.serve.vocabulary import FaceToken, Meaning, Vocabulary
from visavis.types import AvatarPose, Frame


def test_hello_says_what_is_spoken_and_offered() -> None:
    hello = json.loads(encode_hello(reads_expressions=False, drops_tokens=True))
    assert hello["type"] == "hello"
    assert hello["protocol"] == PROTOCOL_VERSION
    assert hello["modes"] == ["mirror"]
    assert hello["expressions"] == list(EXPRESSIONS)
    assert hello["reads_expressions"] is False
    assert hello["drops_tokens"] is True
    assert hello["face_tokens"]["vocabulary"] is None
    assert "--encoder" in hello["face_tokens"]["problem"]
    assert hello["listener"]["controls"] is None
    assert "--listener" in hello["listener"]["problem"]


def test_hello_says_how_many_words_there_are(tmp_path: Path) -> None:
    tokenizer = FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, depth=2))
    hello = json.loads(encode_hello(True, False, Vocabulary(tokenizer)))
    assert hello["face_tokens"] == {"vocabulary": [16, 16], "problem": None}


def test_hello_says_that_it_can_listen(tmp_path: Path) -> None:
    hello = json.loads(encode_hello(True, False, None, tiny_listener.listener(tmp_path)))
    assert hello["modes"] == ["mirror", "listen"]
    assert hello["listener"] == {"controls": list(CONTROLS), "problem": None}


def test_moment_holds_everything_rounded() -> None:
    frame = Frame(np.full((48, 64, 3), 128, np.uint8), 1.25)
    moment = scripted.ScriptedPipeline().step(frame)
    token = FaceToken((12, 407), 213, 0.4)
    message = json.loads(
        encode_moment(
            moment,
            7,
            {"face": 1.23456},
            dropped=3,
            calibrated=None,
            token=token,
            hears=True,
            state=moment.state.mirrored(),
        )
    )
    assert message["state"] == pytest.approx(moment.state.mirrored().values, abs=1e-4)
    assert (message["type"], message["id"], message["time_s"]) == ("moment", 7, 1.25)
    assert (message["dropped"], message["calibrated"], message["hears"]) == (3, None, True)
    assert message["timings_ms"] == {"face": 1.23}
    assert message["face_token"] == {"tokens": [12, 407], "hue_deg": 213, "strength": 0.4}
    assert message["pose"].keys() == AVATAR_PARAMETERS.keys()
    [face] = message["faces"]
    assert len(face["landmarks"]) == 2 * len(moment.faces[0].landmarks_xy)
    np.testing.assert_allclose(face["landmarks"], moment.faces[0].landmarks_xy.ravel(), atol=0.0501)
    assert all(round(value, 1) == value for value in face["landmarks"])
    assert message["expression"]["label"] == moment.face.label
    assert sum(message["expression"]["expressions"]) == pytest.approx(1, abs=1e-3)
    assert len(message["expression"]["action_units"]) == 15
    assert message["kept_tokens"] is None


def test_moment_tells_which_tokens_were_kept_and_of_which_square() -> None:
    moment = scripted.SparsePipeline().step(Frame(np.full((480, 640, 3), 128, np.uint8), 0.0))
    message = json.loads(encode_moment(moment, 1, {}, dropped=0, calibrated=None, token=None, hears=None))
    tokens = message["kept_tokens"]
    grid = tokens["grid"]
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(tokens["kept"]), np.uint8), count=grid**2)
    assert bits.reshape(grid, grid).tolist() == moment.face.kept.astype(int).tolist()
    # The crop that the network saw is the picture between these corners.
    from_crop = cv2.invertAffineTransform(expression_region(moment.faces[0]).to_crop(96))
    edges = np.asarray([[(-0.5, -0.5), (95.5, -0.5), (95.5, 95.5), (-0.5, 95.5)]])
    np.testing.assert_allclose(tokens["corners"], cv2.transform(edges, from_crop)[0], atol=0.06)


def test_moment_without_a_face() -> None:
    moment = scripted.ScriptedPipeline().step(Frame(np.zeros((48, 64, 3), np.uint8), 0.0))
    message = json.loads(encode_moment(moment, 1, {}, dropped=0, calibrated=False, token=None, hears=None))
    assert (message["faces"], message["expression"], message["kept_tokens"], message["face_token"]) == (
        [],
        None,
        None,
        None,
    )
    assert message["calibrated"] is False


def test_a_meaning_is_two_poses_and_the_names_of_what_stands_out() -> None:
    seen = AvatarPose.from_mapping({"ParamAngleX": 12.34567}, 0.0)
    mirrored = AvatarPose.from_mapping({"ParamAngleX": -12.34567}, 0.0)
    told: dict[str, Any] = meaning_json(Meaning(seen, mirrored, (("jawOpen", 0.8),)))
    assert told["pose"] == pytest.approx(seen.as_dict(), abs=1e-4)
    assert told["mirrored_pose"] == pytest.approx(mirrored.as_dict(), abs=1e-4)
    assert told["blendshapes"] == [{"name": "jawOpen", "weight": 0.8}]
