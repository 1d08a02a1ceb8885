"""Tokenizer networks: codes and tokens are one to one, and tokens depend only on their window."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from support.tiny_tracks import moving_face
from visavis.channels import FACE_CHANNELS
from visavis_train.tokenizer.coders import MlpConfig, TransformerConfig
from visavis_train.tokenizer.face_groups import FACE_GROUPS, group_means
from visavis_train.tokenizer.network import TokenizerConfig, TokenizerNet
from visavis_train.tokenizer.quantizers import (
    PRESETS,
    FsqConfig,
    LfqConfig,
    QuantizerConfig,
    ResidualFsqConfig,
    VqConfig,
    build_quantizer,
)

QUANTIZERS: dict[str, QuantizerConfig] = {
    "fsq": FsqConfig(levels=(5, 4, 3)),
    "rfsq": ResidualFsqConfig(levels=(5, 4, 3), depth=3),
    "vq": VqConfig(vocabulary=32, width=4),
    "grouped vq": VqConfig(vocabulary=6, groups=2, width=4),
    "lfq": LfqConfig(bits=6),
}
CODERS = {
    "mlp": MlpConfig(width=16, layers=1),
    "transformer": TransformerConfig(width=16, layers=1, heads=2),
}


def network(
    quantizer: QuantizerConfig = QUANTIZERS["fsq"], coder: str = "mlp", window: int = 1
) -> TokenizerNet:
    torch.manual_seed(0)
    config = TokenizerConfig(quantizer=quantizer, coder=CODERS[coder].model_copy(update={"window": window}))
    face = moving_face(0)
    return TokenizerNet(config, face.mean(axis=0), face.std(axis=0) + 0.05).eval()


def windows(face: torch.Tensor, width: int) -> torch.Tensor:
    rows = (torch.arange(len(face))[:, None] + torch.arange(1 - width, 1)).clamp(min=0)
    return face[rows]


def test_the_groups_part_the_whole_face() -> None:
    numbers = [n for part in FACE_GROUPS.values() for n in range(len(FACE_CHANNELS))[part]]
    assert numbers == list(range(len(FACE_CHANNELS)))
    assert len(FACE_GROUPS) == 13


def test_unknown_numbers_do_not_count_in_a_groups_mean() -> None:
    errors = torch.ones(2, 58)
    errors[:, 3] = 9.0
    known = torch.ones(2, 58, dtype=torch.bool)
    known[:, 3] = False
    known[:, FACE_GROUPS["jaw"]] = False
    means = dict(zip(FACE_GROUPS, group_means(errors, known).tolist(), strict=True))
    assert means.pop("jaw") == 0
    assert set(means.values()) == {1.0}


def test_groups_count_the_same_or_all_numbers_do() -> None:
    errors = torch.zeros(1, 58)
    errors[:, FACE_GROUPS["blink"]] = 3.0
    errors[:, FACE_GROUPS["mouth"]] = 2.0
    known = torch.ones(1, 58, dtype=torch.bool)
    # Two lids of 3, and 17 numbers of 2: in groups 3 + 2; as one group 13 * (2 * 3 + 17 * 2) / 58.
    assert float(group_means(errors, known).sum()) == pytest.approx(5.0)
    assert float(group_means(errors, known, one=True).sum()) == pytest.approx(13 * 40 / 58)


@pytest.mark.parametrize(("preset", "size"), [("paper", 1000), ("standard", 1920), ("large", 15360)])
def test_presets_make_the_vocabulary_and_every_token_is_a_code_of_its_own(preset: str, size: int) -> None:
    quantizer = build_quantizer(FsqConfig.model_validate({"levels": preset}))
    assert quantizer.vocabulary == (size,) == (prod(PRESETS[preset]),)
    (table,) = quantizer.tables()
    assert len(torch.unique(table, dim=0)) == size
    # A code, a little disturbed before it was rounded, is its own token: codes and tokens are one to one.
    inner = quantizer.get_submodule("inner")
    assert torch.equal(inner.codes_to_indices(table).long(), torch.arange(size))
    assert torch.equal(quantizer.codes(torch.arange(size)[:, None]), table)


@settings(deadline=None)
@given(
    levels=st.lists(st.integers(3, 9), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    depth=st.integers(1, 3),
)
def test_tokens_and_codes_go_back_and_forth(levels: list[int], seed: int, depth: int) -> None:
    shape = tuple(levels)
    config = FsqConfig(levels=shape) if depth == 1 else ResidualFsqConfig(levels=shape, depth=depth)
    quantizer = build_quantizer(config).eval()
    latents = 3 * torch.randn(40, len(levels), generator=torch.Generator().manual_seed(seed))
    quantized = quantizer(latents)
    assert torch.equal(quantized.tokens, quantizer.tokens(latents))
    assert torch.allclose(quantizer.codes(quantized.tokens), quantized.codes, atol=1e-6)
    assert (quantized.tokens >= 0).all()
    assert (quantized.tokens < torch.tensor(quantizer.vocabulary)).all()


@pytest.mark.parametrize("kind", QUANTIZERS)
def test_what_training_sees_is_what_the_tokens_stand_for(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = build_quantizer(QUANTIZERS[kind])
    latents = torch.randn(200, quantizer.width)
    quantizer(latents)  # The codebook's start, where there is one.
    quantizer.eval()
    quantized = quantizer(latents)
    assert torch.equal(quantized.tokens, quantizer.tokens(latents))
    assert torch.allclose(quantizer.codes(quantized.tokens), quantized.codes, atol=1e-5)
    assert [len(table) for table in quantizer.tables()] == list(quantizer.vocabulary)


def test_each_group_of_a_vector_takes_the_nearest_entry_of_its_own_codebook() -> None:
    torch.manual_seed(0)
    quantizer = build_quantizer(VqConfig(vocabulary=6, groups=2, width=4))
    latents = torch.randn(200, 4)
    quantizer(latents)  # The codebooks' start.
    digits = quantizer.eval().tokens(latents)[:, 0]
    for group, entries in enumerate((digits % 6, digits // 6)):
        codebook = quantizer.get_submodule(f"inner.{group}").codebook
        part = latents[:, 2 * group : 2 * group + 2]
        assert torch.equal(entries, torch.cdist(part, codebook).argmin(dim=1))
    assert len(torch.unique(digits)) > 12  # Both codebooks are in use.


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"groups": 3}, "a multiple of groups, 3"), ({"groups": 2}, "4194304 tokens .* at most 1024")],
)
def test_groups_that_do_not_fit_are_one_clear_error(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VqConfig(**settings)


def test_each_further_token_of_residual_fsq_comes_nearer() -> None:
    quantizer = build_quantizer(ResidualFsqConfig(levels=(5, 5, 5), depth=3)).eval()
    latents = torch.rand(500, 3) - 0.5
    tokens, tables = quantizer.tokens(latents), quantizer.tables()
    whole = quantizer.codes(tokens)
    left = [
        (sum(table[tokens[:, k]] for k, table in enumerate(tables[:depth])) - whole).abs().mean().item()
        for depth in (1, 2)
    ]
    assert left[1] < left[0] / 3


@pytest.mark.parametrize("kind", QUANTIZERS)
@pytest.mark.parametrize("coder", CODERS)
def test_one_frame_depends_on_one_frame(kind: str, coder: str) -> None:
    net = network(QUANTIZERS[kind], coder)
    face = torch.from_numpy(moving_face(3, 32))
    net.train()(windows(face, 1))  # A learned codebook starts from the first faces.
    net.eval()
    tokens = net.tokens(windows(face, 1))
    assert len(torch.unique(tokens, dim=0)) > 1
    for changed in (0, 17, 31):
        other = face.clone()
        other[changed] += torch.randn(58)
        same = torch.arange(32) != changed
        assert torch.equal(net.tokens(windows(other, 1))[same], tokens[same])


@pytest.mark.parametrize("coder", CODERS)
def test_a_causal_encoder_sees_the_past_of_its_window_and_no_future(coder: str) -> None:
    net = network(coder=coder, window=4)
    face = torch.from_numpy(moving_face(3, 32))

    def latents(frames: torch.Tensor) -> torch.Tensor:
        latent: torch.Tensor = net.encoder(net.standardize(windows(frames, 4)))
        return latent

    other = face.clone()
    other[16] += 1
    moved = (latents(other) - latents(face)).abs().amax(dim=1) > 0
    assert moved.nonzero().flatten().tolist() == [16, 17, 18, 19]


def test_unknown_channels_are_the_mean() -> None:
    net = network()
    face = torch.from_numpy(moving_face(2, 8))[:, None]
    holes = face.clone()
    holes[:, :, 5:20] = torch.nan
    filled = torch.where(holes.isnan(), net.get_buffer("mean"), holes)
    assert torch.equal(net.tokens(holes), net.tokens(filled))


def test_decoded_faces_and_expressions_are_within_their_ranges() -> None:
    net = network()
    with torch.no_grad():
        codes = 30 * torch.randn(50, 3)
        faces, expressions = net.faces(codes).numpy(), net.expressions(codes).numpy()
    assert faces[:, :52].min() >= 0
    assert faces[:, :52].max() <= 1
    np.testing.assert_allclose(expressions[:, -8:].sum(axis=1), 1, atol=1e-5)
    assert np.abs(expressions).max() <= 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "fsq", "levels": [8, 2]}, "greater than or equal to 3"),
        ({"kind": "fsq", "levels": []}, "at least 1 item"),
        ({"kind": "fsq", "levels": "huge"}, "'huge' is no preset; expected paper, standard, large"),
        ({"kind": "fsq", "levels": [120, 120, 120]}, "1728000 tokens"),
        ({"kind": "rfsq", "depth": 1}, "greater than or equal to 2"),
        ({"kind": "sq"}, "'fsq', 'rfsq', 'vq', 'lfq'"),
    ],
)
def test_impossible_quantizers_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(QuantizerConfig).validate_python(values)


@pytest.mark.parametrize("kind", QUANTIZERS)
def test_evaluation_leaves_an_untrained_codebook_as_it_is(kind: str) -> None:
    quantizer = build_quantizer(QUANTIZERS[kind]).eval()
    before = [table.clone() for table in quantizer.tables()]
    latents = 100 + torch.randn(64, quantizer.width, generator=torch.Generator().manual_seed(1))
    found = quantizer(latents)
    for table, now in zip(before, quantizer.tables(), strict=True):
        torch.testing.assert_close(table, now, rtol=0, atol=0)
    torch.testing.assert_close(found.tokens, quantizer.tokens(latents))
