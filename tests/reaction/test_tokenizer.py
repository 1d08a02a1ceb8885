"""The runtime's tokenizer: streaming equals offline, missing faces, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import tiny_tokenizer
from visavis.base import networks
from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError, WeightsError
from visavis.reaction.listener import LISTENER_TOKENIZER
from visavis.reaction.tokenizer import DECODER, ENCODER, FaceTokenizer

SHAPES = [(1, 1), (2, 1), (1, 4), (3, 4)]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], FaceTokenizer]:
    """By tokens a frame and window."""
    made = {}
    for depth, window in SHAPES:
        folder = tmp_path_factory.mktemp("tokenizer")
        made[depth, window] = FaceTokenizer.load(*tiny_tokenizer.write(folder, depth, window))
    return made


@pytest.fixture(scope="module", params=SHAPES)
def tokenizer(
    tokenizers: dict[tuple[int, int], FaceTokenizer], request: pytest.FixtureRequest
) -> FaceTokenizer:
    return tokenizers[request.param]


def faces(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, (count, len(FACE_CHANNELS))).astype(np.float32)


def with_gaps(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Some rows without a face, some faces of which a part is not known."""
    rng = np.random.default_rng(seed)
    face = faces(count, seed)
    face[rng.uniform(size=count) < 0.2] = np.nan
    face[rng.uniform(size=count) < 0.2, :2] = np.nan
    return face


@settings(deadline=None)
@given(seed=st.integers(0, 50), cuts=st.lists(st.integers(0, 40), max_size=6))
def test_any_cutting_of_a_stream_gives_the_tokens_of_the_whole(
    tokenizer: FaceTokenizer, seed: int, cuts: list[int]
) -> None:
    track = with_gaps(40, seed)
    stream = tokenizer.stream()
    parts = [stream.encode(part) for part in np.split(track, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(parts), tokenizer.encode(track))


def test_a_stream_begins_anew_after_reset_and_others_are_not_touched(tokenizer: FaceTokenizer) -> None:
    track = faces(12)
    one, other = tokenizer.stream(), tokenizer.stream()
    other.encode(track[:6])
    one.encode(faces(9, 1))
    one.reset()
    np.testing.assert_array_equal(one.encode(track), tokenizer.encode(track))
    np.testing.assert_array_equal(other.encode(track[6:]), tokenizer.encode(track)[6:])


def test_tokens_are_those_of_the_networks(tokenizers: dict[tuple[int, int], FaceTokenizer]) -> None:
    track = faces(9)
    np.testing.assert_array_equal(tokenizers[1, 1].encode(track), np.floor(16 * track[:, 0]))
    np.testing.assert_array_equal(tokenizers[2, 1].encode(track), np.floor(16 * track[:, :2]))
    padded = np.concatenate([track[[0, 0, 0], 0], track[:, 0]])
    means = [padded[k : k + 4].mean() for k in range(9)]
    np.testing.assert_array_equal(tokenizers[1, 4].encode(track), np.floor(16 * np.asarray(means)))


def test_tokens_survive_the_way_to_a_face_and_back(tokenizer: FaceTokenizer) -> None:
    tokens = tokenizer.encode(with_gaps(30, 3))
    decoded = tokenizer.decode(tokens)
    assert decoded.shape == (30, 58)
    assert decoded.dtype == np.float32
    assert tokenizer.expressions(tokens).shape == (30, 25)
    if tokenizer.window == 1:
        np.testing.assert_array_equal(tokenizer.encode(decoded), tokens)


def test_frames_without_a_face_stay_so_and_leave_the_others_alone(tokenizer: FaceTokenizer) -> None:
    track = faces(10)
    gaps = np.insert(track, [3, 3, 7], np.nan, axis=0)
    tokens = tokenizer.encode(gaps)
    missing = np.isnan(gaps).all(axis=1)
    assert (tokens[missing] == -1).all()
    np.testing.assert_array_equal(tokens[~missing], tokenizer.encode(track))
    for decoded in (tokenizer.decode(tokens), tokenizer.expressions(tokens)):
        np.testing.assert_array_equal(np.isnan(decoded).any(axis=1), missing)


def test_what_is_not_known_of_a_face_is_the_mean(tokenizers: dict[tuple[int, int], FaceTokenizer]) -> None:
    track = faces(4)
    track[2, 0] = np.nan
    assert tokenizers[1, 1].encode(track)[2] == np.floor(16 * 0.3)


def test_nothing_becomes_nothing(tokenizer: FaceTokenizer) -> None:
    tokens = tokenizer.encode(faces(0))
    assert tokens.shape == ((0,) if tokenizer.depth == 1 else (0, tokenizer.depth))
    assert tokenizer.decode(tokens).shape == (0, 58)
    assert (tokenizer.encode(np.full((3, 58), np.nan)) == -1).all()


def test_long_tracks_are_cut_for_the_networks(tokenizers: dict[tuple[int, int], FaceTokenizer]) -> None:
    track = faces(9001)
    np.testing.assert_array_equal(tokenizers[1, 1].encode(track), np.floor(16 * track[:, 0]))
    assert np.isfinite(tokenizers[1, 1].decode(np.zeros(9001, int))).all()


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (np.zeros((3, 52)), r"faces has shape \(3, 52\); expected \(any, 58\)"),
        (np.zeros(58), r"shape \(58,\)"),
        (np.full((2, 58), np.inf), r"inf at index \(0, 0\)"),
        ([["a"] * 58], "not an array of numbers"),
    ],
)
def test_other_faces_are_refused(
    tokenizers: dict[tuple[int, int], FaceTokenizer], face: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tokenizers[1, 1].encode(face)


@pytest.mark.parametrize(
    ("depth", "tokens", "message"),
    [
        (1, [0, 16], r"token \[16\] in row 1; expected 0 to 15, or -1 for no face"),
        (1, [0, 3, -2], r"token \[-2\] in row 2"),
        (1, [0.5], "must be integers; found float64"),
        (1, [[[0]]], r"shape \(1, 1, 1\); expected \(T,\)"),
        (2, [0, 1], r"shape \(2,\); expected \(T, 2\)"),
        (2, [[0, 1], [-1, 3]], r"token \[-1, 3\] in row 1"),
    ],
)
def test_other_tokens_are_refused(
    tokenizers: dict[tuple[int, int], FaceTokenizer], depth: int, tokens: Any, message: str
) -> None:
    for read in (tokenizers[depth, 1].decode, tokenizers[depth, 1].expressions):
        with pytest.raises(InputError, match=message):
            read(tokens)


def test_networks_of_another_kind_are_refused(tmp_path: Path) -> None:
    encoder, decoder = tiny_tokenizer.write(tmp_path)
    with pytest.raises(
        WeightsError, match=r"expected a face tokenizer encoder .*found face tokenizer decoder"
    ):
        FaceTokenizer.load(decoder, encoder)
    with pytest.raises(WeightsError, match="found another network with images, expressions, labels"):
        FaceTokenizer(networks.open_session("expression"), networks.open_session("expression"))
    with pytest.raises(InputError, match=r"none\.onnx: cannot be read"):
        FaceTokenizer.load(tmp_path / "none.onnx", decoder)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match=r"text\.onnx: no ONNX network in its"):
        FaceTokenizer.load(tmp_path / "text.onnx", decoder)


def test_files_of_two_trainings_are_refused(tmp_path: Path) -> None:
    encoder, _ = tiny_tokenizer.write(tmp_path)
    (tmp_path / "other").mkdir()
    _, decoder = tiny_tokenizer.write(tmp_path / "other", changes={"pair": "b"})
    with pytest.raises(WeightsError, match="the encoder is of training 1-1 and the decoder of b"):
        FaceTokenizer.load(encoder, decoder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"channels": ["smile"]}, "trained on other channels"), ({"mean": [0.1]}, "mean face has shape")],
)
def test_networks_of_other_channels_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises((WeightsError, InputError), match=message):
        FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, changes=changes))


@pytest.mark.parametrize("names", [(ENCODER, DECODER), LISTENER_TOKENIZER])
def test_the_embedded_tokenizers_invent_nothing(names: tuple[str, str]) -> None:
    tokenizer = FaceTokenizer.default(names=names)
    rng = np.random.default_rng(0)
    spoken = tokenizer.decode(rng.integers(0, tokenizer.vocabulary[0], (500, tokenizer.depth)))
    for name in ("jawForward", "jawLeft", "cheekPuff", "noseSneerLeft", "noseSneerRight", "tongueOut"):
        assert np.median(spoken[:, FACE_INDEX[name]]) < 0.02, name
    assert spoken[:, FACE_INDEX["jawForward"]].max() < 0.02  # No training knows it.


@pytest.mark.parametrize(
    ("names", "moved"),
    [
        *(
            ((ENCODER, DECODER), name)
            for name in ("mouthSmile", "eyeBlink", "jawOpen", "cheekPuff", "noseSneer")
        ),
        *((LISTENER_TOKENIZER, name) for name in ("mouthSmile", "eyeBlink", ("browInnerUp", "browOuterUp"))),
    ],
)
def test_the_embedded_tokenizers_keep_movements(names: tuple[str, str], moved: str | tuple[str, ...]) -> None:
    tokenizer = FaceTokenizer.default(names=names)
    face = (tokenizer.mean if tokenizer.rest is None else tokenizer.rest).copy()
    channels = [place for name, place in FACE_INDEX.items() if name.startswith(moved)]
    before = tokenizer.decode(tokenizer.encode(face[None]))[0, channels]
    face[channels] = 0.8
    assert (tokenizer.decode(tokenizer.encode(face[None]))[0, channels] - before).min() > 0.25
