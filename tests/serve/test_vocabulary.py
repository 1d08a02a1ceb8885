"""A vocabulary: stable meanings of its tokens, and refusal of others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from support import scripted_server as scripted
from support import tiny_tokenizer
from visavis.base import networks
from visavis.channels import FACE_INDEX
from visavis.errors import InputError
from visavis.reaction.tokenizer import ENCODER, FaceTokenizer
from visavis.serve.vocabulary import HUES, FaceTokenStream, Vocabulary
from visavis.types import Face

MakeTokenizer = Callable[..., FaceTokenizer]
# Tokens for all channels up to jawOpen: every channel that colours a token, but the smile, has one.
DEPTH = FACE_INDEX["jawOpen"] + 1


@pytest.fixture(scope="module")
def make_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> MakeTokenizer:
    def make(depth: int = 1, window: int = 1) -> FaceTokenizer:
        folder = tmp_path_factory.mktemp("tokenizer")
        return FaceTokenizer.load(*tiny_tokenizer.write(folder, depth, window))

    return make


@pytest.fixture(scope="module")
def vocabulary(make_tokenizer: MakeTokenizer) -> Vocabulary:
    return Vocabulary(make_tokenizer(depth=2))


@pytest.fixture(scope="module")
def wide(make_tokenizer: MakeTokenizer) -> Vocabulary:
    return Vocabulary(make_tokenizer(depth=DEPTH))


def test_a_token_means_the_same_whatever_was_asked_before(vocabulary: Vocabulary) -> None:
    for name in ("15.0", "0.15", "3.9", "15.0"):
        vocabulary.meaning(name)
    alone, meaning = Vocabulary(vocabulary.tokenizer).meaning("3.9"), vocabulary.meaning("3.9")
    np.testing.assert_array_equal(meaning.pose.values, alone.pose.values)
    np.testing.assert_array_equal(meaning.mirrored_pose.values, alone.mirrored_pose.values)
    assert meaning.blendshapes == alone.blendshapes


def test_colors_are_the_same_for_every_server(wide: Vocabulary) -> None:
    again = Vocabulary(wide.tokenizer)
    for token in (0, 5, 15):
        assert again.token((token,) * DEPTH) == wide.token((token,) * DEPTH)


def test_what_stands_out_is_named_strongest_first(vocabulary: Vocabulary) -> None:
    # The mean face has .3 everywhere; a token's channels are (token + 1/2) / 16, all others 0.
    assert vocabulary.meaning("8.15").blendshapes == (("browDownRight", 0.969), ("browDownLeft", 0.531))
    assert vocabulary.meaning("0.15").blendshapes == (("browDownRight", 0.969),)
    assert vocabulary.meaning("0.0").blendshapes == ()


def test_at_most_five_are_named(wide: Vocabulary) -> None:
    assert len(wide.meaning(".".join(["15"] * DEPTH)).blendshapes) == 5


def test_a_mirror_changes_sides(vocabulary: Vocabulary) -> None:
    meaning = vocabulary.meaning("15.0")
    seen, mirrored = meaning.pose.as_dict(), meaning.mirrored_pose.as_dict()
    assert seen["ParamBrowLY"] < seen["ParamBrowRY"]
    assert (seen["ParamBrowLY"], seen["ParamBrowRY"]) == (mirrored["ParamBrowRY"], mirrored["ParamBrowLY"])


NO_TOKENS = [
    "",
    ".",
    "1",
    "1.",
    "1.2.3",
    "16.0",
    "0.16",
    "-1.0",
    "1,2",
    " 1.2",
    "1.2\n",
    "\u00b2.1",
    "9" * 5000,
]


@pytest.mark.parametrize("name", NO_TOKENS)
def test_what_is_no_token_is_refused(vocabulary: Vocabulary, name: str) -> None:
    with pytest.raises(InputError, match=r"no such face token.*expected \[0 to 15\]\.\[0 to 15\]") as caught:
        vocabulary.meaning(name)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "hue_deg", [hue for hue, channels in HUES.items() if FACE_INDEX[channels[0]] < DEPTH]
)
def test_a_token_has_the_hue_of_what_it_does_most(wide: Vocabulary, hue_deg: int) -> None:
    tokens = [8] * DEPTH
    middle = wide.token(tuple(tokens))
    for channel in HUES[hue_deg]:
        tokens[FACE_INDEX[channel]] = 15
    token = wide.token(tuple(tokens))
    assert abs((token.hue_deg - hue_deg + 180) % 360 - 180) < 15
    assert middle.strength < token.strength <= 1


def test_a_vocabulary_whose_faces_are_alike_has_no_color(vocabulary: Vocabulary) -> None:
    assert vocabulary.token((15, 0)).strength == 0


def face_of(time_s: float, track_id: int) -> Face:
    corners = np.asarray([(0, 0), (9, 0), (9, 9), (0, 9)], np.float32)
    box = np.asarray([0, 0, 9, 9], np.float32)
    return Face(track_id, 0.9, box, corners, corners, scripted.state(time_s))


def test_a_speaker_says_what_the_whole_track_says(make_tokenizer: MakeTokenizer) -> None:
    vocabulary = Vocabulary(make_tokenizer(depth=2, window=4))
    speaker = FaceTokenStream(vocabulary)
    times_s = np.arange(12) / 4
    said = []
    for time_s in times_s:
        token = speaker.say((face_of(time_s, 7),))
        said.append(list(token.tokens))
        assert speaker.say(()) is None  # A frame without a face changes nothing.
    track = np.stack([scripted.state(time_s).values for time_s in times_s])
    assert said == vocabulary.tokenizer.encode(track).tolist()


def test_another_person_s_tokens_do_not_hang_on_the_last_one_s(make_tokenizer: MakeTokenizer) -> None:
    vocabulary = Vocabulary(make_tokenizer(window=4))
    speaker = FaceTokenStream(vocabulary)
    speaker.say((face_of(1.5, 1),))
    same = speaker.say((face_of(0.0, 1),))
    other = speaker.say((face_of(0.0, 2),))
    assert other == FaceTokenStream(vocabulary).say((face_of(0.0, 2),))
    assert other != same


def test_the_embedded_vocabulary_is_there_where_its_networks_are() -> None:
    assert (Vocabulary.embedded() is not None) == (ENCODER in networks.manifest())
