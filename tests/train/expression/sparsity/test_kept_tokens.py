"""The tokens that a sparse network keeps: parts of the face, their ratios, figures, and the command."""

from __future__ import annotations

import json
import re
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.research import run_lab
from support.svg import SVG, read_svg
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS
from visavis.types import FloatArray, ImageArray
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.sparsity.face_parts import PARTS
from visavis_train.expression.sparsity.kept import drop_tokens, read_kept, read_untrained, untrained
from visavis_train.expression.sparsity.kept_figures import dimmed, heat
from visavis_train.expression.sparsity.kept_parts import CLAIM, by_chance, kept_overlap, of_another, on_parts
from visavis_train.expression.sparsity.kept_tokens import MARKS
from visavis_train.face.data import crop_landmarks
from visavis_train.face.data.crop_landmarks import CropLandmarks
from visavis_train.loop.checkpoint import save_checkpoint

SMALL: dict[str, Any] = {"stem": (4, 8), "blocks": (0, 0), "width": 8, "layers": 3, "heads": 2}


def build(pruning: dict[str, Any], image_px: int = 16) -> SparseNet:
    torch.manual_seed(0)
    return SparseNet(SparseConfig.model_validate(SMALL | {"image_px": image_px, "pruning": pruning})).eval()


def pictures(count: int = 3, side_px: int = 16) -> ImageArray:
    return np.random.default_rng(0).integers(0, 256, (count, side_px, side_px), np.uint8)


def test_cells_that_score_best_are_those_that_are_shown() -> None:
    network, wanted = build({"keep_rate": 0.25}), {0, 3, 6, 13}
    first = network.layers[0]
    direction = torch.tensor([1.0, -1.0] * 4)
    with torch.no_grad():
        network.stem[-1].weight.zero_()  # What remains of the picture is nothing: only places score.
        network.stem[-1].bias.zero_()
        network.cls.copy_(direction.expand(1, 1, 8))
        signs = torch.tensor([1.0 if cell in wanted else -1.0 for cell in range(16)])
        network.positions.copy_((direction[:, None] * signs).reshape(1, 8, 4, 4))
        first.attention.qkv.weight.copy_(torch.eye(8).repeat(3, 1))
        first.attention.qkv.bias.zero_()
    kept = read_kept(network, pictures(), batch=2)
    assert (kept.layers, kept.grid, kept.masks.shape) == ((0,), 4, (1, 3, 16))
    for mask in kept.masks[0]:
        assert set(np.flatnonzero(mask).tolist()) == wanted


def test_a_later_layer_keeps_some_of_what_an_earlier_one_kept() -> None:
    network = build({"keep_rate": [0.5, 0.5], "layers": [0, 2]})
    shown = pictures(5)
    kept = read_kept(network, shown, batch=2)
    assert kept.layers == (0, 2)
    first, second = kept.masks
    assert (first.sum(axis=1) == 8).all()
    assert not (second & ~first).any()
    assert set(second.sum(axis=1).tolist()) <= {4, 5}  # Five, of which one may be the fused token.
    maps = kept.maps(np.asarray([0, 0, 2, 2, 2]), ("a", "b", "c"))
    assert list(maps) == ["all", "a", "c"]
    np.testing.assert_allclose(5 * maps["all"], 2 * maps["a"] + 3 * maps["c"])
    assert maps["all"].sum(axis=1)[0] == pytest.approx(8)


def test_another_keep_rate_has_the_same_weights() -> None:
    wanted = read_kept(build({"keep_rate": 0.4, "layers": [1], "queries": "kept"}), pictures())
    network = build({"queries": "kept"})
    drop_tokens(network, 0.4, [1])
    found = read_kept(network, pictures())
    assert found.layers == (1,)
    np.testing.assert_array_equal(found.masks, wanted.masks)


@pytest.mark.parametrize(
    ("keep", "at", "message"),
    [
        (1.5, None, "--keep and --layer: keep_rate is 1.5; expected above 0 and at most 1"),
        (0.5, [2, 1], "--keep and --layer: layers is .2, 1.; expected layers from 0, rising"),
        (0.5, [3], "--layer: pruning.layers holds layer 3; the network has 3: expected 0 to 2"),
    ],
)
def test_rates_and_layers_out_of_range_are_refused(keep: float, at: list[int] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        drop_tokens(build({}), keep, at)


def test_networks_that_choose_no_tokens_are_refused() -> None:
    with pytest.raises(InputError, match=r"keeps all tokens \(keep rate 1\): nothing to show"):
        read_kept(build({"keep_rate": 1.0}), pictures())
    with pytest.raises(InputError, match="keeps all tokens"):
        read_kept(build({"keep_rate": 0.999}), pictures())  # 16 of 16.
    with pytest.raises(InputError, match="merges tokens"):
        read_kept(build({"keep_rate": 0.5, "method": "tome"}), pictures())


def one_part_a_cell(faces: int, cells: int = 16) -> np.ndarray:
    """Cell 0 of each face is eyes, cell 1 mouth; all others are outside."""
    shares = np.zeros((faces, cells, len(PARTS)))
    shares[:, 0, PARTS.index("eyes")] = shares[:, 1, PARTS.index("mouth")] = 1
    shares[:, 2:, PARTS.index("outside")] = 1
    return shares


def test_the_ratio_of_a_part_by_hand() -> None:
    masks = np.zeros((20, 16), np.bool_)
    masks[:, [0, 5]] = True
    found = {part.name: part for part in on_parts(one_part_a_cell(20), masks, np.roll(masks, 1, axis=1))}
    assert sum(found[name].of_picture for name in PARTS) == pytest.approx(1)
    assert sum(found[name].of_kept for name in PARTS) == pytest.approx(1)
    eyes = found["eyes"]
    assert (eyes.of_picture, eyes.of_kept) == pytest.approx((1 / 16, 1 / 2))
    assert eyes.ratio.value == eyes.other_face.value == pytest.approx(8)
    assert eyes.ratio.interval_95 == pytest.approx((8, 8))
    assert found["mouth"].ratio.value == eyes.untrained.value == 0
    assert found["mouth"].untrained.value == pytest.approx(8)
    assert found[CLAIM].of_kept == pytest.approx(0.5)
    assert found["nose"].ratio.value == 1  # No face shows one.
    everything = on_parts(one_part_a_cell(4), *np.ones((2, 4, 16), np.bool_))
    assert {part.ratio.value for part in everything} == {1}


def test_looking_at_this_face_differs_from_looking_at_a_place() -> None:
    rng = np.random.default_rng(1)
    shares, masks = np.zeros((300, 16, len(PARTS))), np.zeros((300, 16), np.bool_)
    where = rng.integers(0, 16, 300)
    shares[:, :, PARTS.index("outside")] = 1
    shares[np.arange(300), where] = np.eye(len(PARTS))[PARTS.index("eyes")]
    masks[np.arange(300), where] = True
    eyes = on_parts(shares, masks, by_chance(masks, 1))[PARTS.index("eyes")]
    assert eyes.ratio.value == pytest.approx(16)
    for control in (eyes.other_face, eyes.untrained, eyes.random):
        low, high = control.interval_95
        assert low <= 1 <= high
        assert high - low < 2


def test_controls_keep_as_many_and_never_the_face_s_own() -> None:
    masks = by_chance(np.arange(16)[None] < np.asarray([[3], [5], [0], [16], [7]]))
    assert masks.sum(axis=1).tolist() == [3, 5, 0, 16, 7]
    other = of_another(masks)
    assert sorted(other.sum(axis=1).tolist()) == [0, 3, 5, 7, 16]
    assert (other.sum(axis=1) != masks.sum(axis=1)).all()


def test_overlap_by_hand() -> None:
    labels = np.repeat([0, 1], 50)
    masks = np.zeros((100, 12), np.bool_)
    masks[:50, :4] = masks[50:, 4:8] = True
    found = kept_overlap(masks, labels)
    assert (found.same_label, found.other_label) == (1, 0)
    expected = sum(comb(4, i) * comb(8, 4 - i) / comb(12, 4) * i / (8 - i) for i in range(5))
    assert found.random == pytest.approx(expected, abs=0.02)
    assert kept_overlap(masks[:50], labels[:50]).other_label is None
    assert kept_overlap(masks[[0, 99]], labels[[0, 99]]).same_label is None
    with pytest.raises(InputError, match="expected 2 or more"):
        kept_overlap(masks[:1], labels[:1])


def test_untrained_networks_drop_tokens_alike_and_choose_others() -> None:
    network, seen = build({"keep_rate": [0.5, 0.5], "layers": [0, 2]}), pictures(12)
    control = read_untrained(network, seen, networks=3)
    kept = read_kept(network, seen)
    assert control.layers == kept.layers
    assert (control.masks.sum(axis=2)[0] == kept.masks.sum(axis=2)[0]).all()
    assert (control.masks != kept.masks).any(axis=(0, 2)).mean() > 0.5
    second = read_kept(untrained(network, 1), seen[1::3])
    assert np.array_equal(control.masks[:, 1::3], second.masks)


def test_pictures_show_what_is_kept() -> None:
    gray = np.full((8, 8), 100, np.uint8)
    dark = dimmed(gray, np.asarray([True, False, False, False]))
    assert (dark[:4, :4] == 100).all()
    assert (dark[:4, 4:] == 20).all()
    warm = heat(gray, np.asarray([0.0, 0.5, 1.0, 0.0])).astype(int)
    assert (warm[:4, :4] == 100).all()
    assert warm[0, 4, 0] < warm[4, 0, 0]
    assert (warm[4:, 4:] == 100).all()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """What a finished run of kind sparse leaves, keep rate 1; and a page."""
    (tmp_path / "page.md").write_text("\n".join(["# Page", *MARKS]))
    return write_run(tmp_path / "run", SparseConfig.model_validate(SMALL))


def write_run(folder: Path, config: SparseConfig | HybridConfig) -> Path:
    torch.manual_seed(0)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model": config.model_dump()}))
    save_checkpoint(folder / "best.safetensors", {"model": build_model(config)}, None, {"epoch": 0})
    return folder


def run(folder: Path, *words: object) -> int:
    places = ["--results", folder.parent / "kept.json", "--page", folder.parent / "page.md"]
    return run_lab("kept-tokens", folder, *places, *words)


def test_one_command_writes_numbers_figures_and_the_page(
    run_folder: Path,
    data: Path,
    points: FloatArray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def found(pictures: ImageArray, on_face: Any) -> CropLandmarks:
        believable = np.arange(len(pictures)) % 5 > 0  # The tiny set's pictures are no faces.
        return CropLandmarks(np.repeat(points[None], len(pictures), axis=0), believable)

    monkeypatch.setattr(crop_landmarks, "find_landmarks", found)
    assert run(run_folder, "--data", data, "--keep", 0.3, "--layer", 0, "--layer", 2) == 0
    assert f"figures maps.svg and faces.svg in {run_folder / 'kept_tokens'}" in " ".join(
        capsys.readouterr().err.split()
    )
    result = json.loads((run_folder.parent / "kept.json").read_text())
    assert (result["run"], result["split"], result["n"]) == ("run", "PublicTest", 35)
    assert (result["faces_with_landmarks"], result["grid"]) == (28, 12)
    assert (result["pruning"]["keep_rate"], result["pruning"]["layers"]) == (0.3, [0, 2])
    assert [layer["layer"] for layer in result["layers"]] == [0, 2]
    first, second = result["layers"]
    assert first["tokens"] == 44 > second["tokens"]  # ceil(0.3 * 144)
    for layer in (first, second):
        assert [part["name"] for part in layer["parts"]] == [*PARTS, CLAIM]
        assert sum(part["of_kept"] for part in layer["parts"][:-1]) == pytest.approx(1)
        assert list(layer["maps"]) == ["all", *FER2013_LABELS]
        assert sum(layer["maps"]["all"]) == pytest.approx(layer["tokens"], abs=0.01)
        for part in layer["parts"]:
            low, high = part["ratio"]["interval_95"]
            assert low <= part["ratio"]["value"] <= high
    page = (run_folder.parent / "page.md").read_text()
    assert "run, keep rate 0.3, 0.3; FER-2013, PublicTest, 35 faces, landmarks of 28" in page
    assert page.count("| eyes, mouth and cheeks | ") == 2
    # Eight columns of two layers; and three faces of seven labels, each as it is and after two layers.
    for name, images in (("maps.svg", 8 * 2), ("faces.svg", 7 * 3 * 3)):
        text = (run_folder / "kept_tokens" / name).read_text()
        root = read_svg(re.sub(r' href="data:image/png;base64,[^"]*"', "", text))
        assert len(root.findall(f"{SVG}image")) == images


def test_bad_input_is_told_in_one_line(
    run_folder: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(folder: Path, *words: object) -> str:
        assert run(folder, *words) == 2
        assert not (folder.parent / "kept.json").exists()
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert "keeps all tokens (keep rate 1)" in refused(run_folder, "--data", data)
    assert "--layer needs --keep" in refused(run_folder, "--data", data, "--layer", 0)
    assert "no such file" in refused(run_folder, "--data", data / "none", "--keep", 0.3)
    assert "keep_rate is 0;" in refused(run_folder, "--data", data, "--keep", 0)
    assert "no run" in refused(run_folder.parent / "none", "--data", data)
    other = write_run(run_folder.parent / "hybrid", HybridConfig(widths=(4, 8, 16), heads=2))
    assert "its network drops no tokens; name a run with model.kind = 'sparse'" in refused(
        other, "--data", data
    )


def test_pictures_without_faces_are_told(
    run_folder: Path,
    data: Path,
    points: FloatArray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def found(pictures: ImageArray, on_face: Any) -> CropLandmarks:
        return CropLandmarks(
            np.repeat(points[None], len(pictures), axis=0), np.zeros(len(pictures), np.bool_)
        )

    monkeypatch.setattr(crop_landmarks, "find_landmarks", found)
    assert run(run_folder, "--data", data, "--keep", 0.3) == 2
    assert "in none of 35 faces were landmarks found" in capsys.readouterr().err
