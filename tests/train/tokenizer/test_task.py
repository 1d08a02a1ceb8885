"""Tokenizers in training: they learn, repeat, resume exactly, and give files with equal answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support import tiny_tracks
from support.research import assert_same_checkpoint, run_lab, run_visavis
from visavis.errors import InputError
from visavis.reaction.neutral_face import resting
from visavis.reaction.tokenizer import FaceTokenizer
from visavis_train.data.track_pack import Clip, load_tracks
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import read_log
from visavis_train.loop.rounds import run_rounds
from visavis_train.onnx import export
from visavis_train.tokenizer import ablation
from visavis_train.tokenizer.config import TokenizerExperiment
from visavis_train.tokenizer.measure import code_use, decode_clips, fidelity, movement, perplexity
from visavis_train.tokenizer.release import export_tokenizer
from visavis_train.tokenizer.task import parts_of, release_tokenizer, train_tokenizer
from visavis_train.tokenizer.trainer import TokenizerTrainer

KINDS = {
    "fsq": [],
    "rfsq": ["model.quantizer={kind='rfsq', levels=[5, 5, 4], depth=2}"],
    "vq": ["model.quantizer={kind='vq', vocabulary=64, width=4, dead_below=0.5}"],
    "lfq": ["model.quantizer={kind='lfq', bits=6}"],
    "causal": ["model.coder={kind='mlp', width=32, layers=1, window=4}"],
    "transformer": ["model.coder={kind='transformer', width=16, layers=1, heads=2, window=2}"],
}
CONFIGS = Path(__file__).parents[3] / "experiments"


@pytest.fixture(scope="module")
def toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tracks.write(tmp_path_factory.mktemp("tokenizer"))


def experiment(toml: Path, out: Path, *changes: str) -> TokenizerExperiment:
    return load_experiment(toml, TokenizerExperiment, [*changes, f"out={out}"])


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_both_losses_and_keeps_the_phases_apart(
    kind: str, toml: Path, tmp_path: Path
) -> None:
    longer = ["training.face_rounds=6", "training.round_steps=25"]
    settings = experiment(toml, tmp_path / "run", *KINDS[kind], *longer)
    trainer = TokenizerTrainer(settings, parts_of(settings))
    start = fidelity(trainer.net, trainer.validation).unexplained
    face = [trainer.run_round(number) for number in range(6)]
    assert [row["phase"] for row in face] == ["face"] * 6
    assert face[-1]["validation_unexplained"] < 0.8 * min(start, 1.0)
    before = {key: value.clone() for key, value in trainer.net.state_dict().items()}
    expression = [trainer.run_round(number) for number in (6, 7)]
    assert expression[1]["loss"] < expression[0]["loss"]
    changed = {key for key, value in trainer.net.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith("expression.") for key in changed)


@pytest.mark.parametrize("kind", ["fsq", "vq"])
@pytest.mark.parametrize("killed_at", [1, 3], ids=["face", "expression"])
def test_a_killed_and_resumed_run_equals_an_unbroken_one(
    kind: str, killed_at: int, toml: Path, tmp_path: Path
) -> None:
    unbroken = experiment(toml, tmp_path / "one", *KINDS[kind])
    train_tokenizer(unbroken)
    broken = experiment(toml, tmp_path / "two", *KINDS[kind])
    killed = TokenizerTrainer(broken, parts_of(broken))

    def until_killed(number: int) -> dict[str, Any]:
        if number == killed_at:
            killed.run_round(number)  # Lost: it was never saved.
            raise KeyboardInterrupt
        return killed.run_round(number)

    modules = {"model": killed.net}
    with pytest.raises(KeyboardInterrupt):
        run_rounds(broken.out, broken, broken.seed, killed.rounds, until_killed, modules, killed.optimizer)
    train_tokenizer(broken, resume=True)
    assert_same_checkpoint(unbroken.out, broken.out)
    one, other = ([row["loss"] for row in read_log(run.out, "round")] for run in (unbroken, broken))
    assert one == other


@pytest.mark.parametrize("kind", ["fsq", "vq"])
def test_one_seed_gives_one_result_and_another_seed_another(kind: str, toml: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.rand(7)  # What else happened in the program makes no difference.
        train_tokenizer(
            experiment(toml, tmp_path / name, *KINDS[kind], f"seed={seed}", "training.face_rounds=1")
        )
    assert_same_checkpoint(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same_checkpoint(tmp_path / "a", tmp_path / "c")


def test_a_loss_that_leaves_the_numbers_ends_the_run(toml: Path, tmp_path: Path) -> None:
    settings = experiment(toml, tmp_path / "run", "training.learning_rate=1e30", "training.warm_steps=1")
    with pytest.raises(InputError, match=r"the loss became .*: lower learning_rate"):
        train_tokenizer(settings)


@pytest.mark.parametrize("kind", ["rfsq", "vq", "lfq", "transformer"])
def test_torch_and_onnx_give_the_same_tokens_and_faces(kind: str, toml: Path, tmp_path: Path) -> None:
    settings = experiment(toml, tmp_path / "run", *KINDS[kind], "training.face_rounds=1")
    trainer = TokenizerTrainer(settings, parts_of(settings))
    trainer.run_round(0)
    net = trainer.net.eval()
    tokenizer = export_tokenizer(net, tmp_path)
    assert tokenizer.vocabulary == net.quantizer.vocabulary
    assert tokenizer.window == net.window
    for clip in parts_of(settings)["test"]:
        (decoded,) = decode_clips(net, [clip])
        tokens = tokenizer.encode(clip.face)
        flat = tokens.reshape(len(tokens), -1)
        # Two machines may round a number on the edge of two levels to different sides.
        assert np.mean((flat == decoded.tokens).all(axis=1)) > 0.98
        same = (flat == decoded.tokens).all(axis=1)
        np.testing.assert_allclose(tokenizer.decode(tokens)[same], decoded.found[same], atol=1e-4)
        np.testing.assert_allclose(tokenizer.expressions(tokens)[same], decoded.expression[same], atol=1e-4)
        stream = tokenizer.stream()
        streamed = np.concatenate([stream.encode(row[None]) for row in clip.face])
        assert np.mean(streamed == tokens) > 0.98
    with pytest.raises(InputError, match="expected 0 to"):
        tokenizer.decode(np.full((1, tokenizer.depth) if tokenizer.depth > 1 else 1, 10**6))


def test_fidelity_of_what_is_known(toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = experiment(toml, tmp_path / "run")
    trainer = TokenizerTrainer(settings, parts_of(settings))
    mean, spread = trainer.net.get_buffer("mean").numpy(), trainer.net.get_buffer("spread").numpy()
    tens = np.tile(np.asarray([[0.0], [1.0]], np.float32), (10, 58)) * spread + mean
    holes = tens.copy()
    holes[:, 26:] = np.nan
    expression = np.full((20, 25), np.nan, np.float32)
    still = trainer.net.standardize(torch.from_numpy(mean))
    monkeypatch.setattr(
        trainer.net, "faces", lambda codes: (still + 0 * codes[:, :1]) + torch.from_numpy(mean)
    )
    result = fidelity(
        trainer.net, [Clip("a", "video", 10.0, tens, expression), Clip("b", "x", 10.0, holes, expression)]
    )
    assert result.frames == 40
    assert result.groups["brow"] == pytest.approx(float(spread[:5].mean()) / 2, rel=1e-4)
    assert result.groups == pytest.approx(result.mean_face)
    assert result.unexplained == pytest.approx(1)
    assert result.jitter == pytest.approx(0, abs=1e-3)
    assert result.channels["jawOpen"] == {"r": 0, "spread": pytest.approx(0, abs=1e-4)}
    assert set(result.expression.values()) == {None}
    only = fidelity(trainer.net, [Clip("b", "x", 10.0, holes, expression)])
    assert [name for name, error in only.groups.items() if error is None] == [
        "mouth", "smile", "lips", "nose", "rotation", "translation"
    ]  # fmt: skip


def test_movement_is_of_known_frames_and_of_channels_that_move() -> None:
    true = np.full((4, 58), 0.3, np.float32)
    true[:, 0] = 0, 0.8, np.nan, 0.4
    true[:, 1] = 0, 0.2, 0.4, 0.6
    found = np.zeros((4, 58), np.float32)
    found[:, 0] = 0.1, 0.5, 9, 0.3
    found[:, 1] = 0.4, 0.3, 0.2, 0.1
    first, second = (
        {"r": pytest.approx(r, abs=1e-6), "spread": pytest.approx(0.5, abs=1e-6)} for r in (1, -1)
    )
    assert movement(true, found) == {"browDownLeft": first, "browDownRight": second}


def test_squared_errors_are_added_to_the_loss(toml: Path, tmp_path: Path) -> None:
    def loss(squared: float, learning_rate: float) -> float:
        changes = [f"training.squared={squared}", f"training.learning_rate={learning_rate}"]
        settings = experiment(toml, tmp_path / "run", *changes)
        return float(TokenizerTrainer(settings, parts_of(settings)).run_round(0)["loss"])

    still = 1e-12  # The network hardly changes, so only the loss differs.
    plain, half, whole = (loss(squared, still) for squared in (0, 0.5, 1))
    assert plain < half < whole
    assert half == pytest.approx((plain + whole) / 2, rel=1e-4)


def test_perplexity_counts_evenly_used_tokens() -> None:
    assert perplexity(np.asarray([5, 5, 0, 5, 5])) == pytest.approx(4)
    assert perplexity(np.asarray([0, 9, 0])) == 1


def test_code_use_is_of_every_frame(toml: Path, tmp_path: Path) -> None:
    settings = experiment(toml, tmp_path / "run", *KINDS["rfsq"])
    trainer = TokenizerTrainer(settings, parts_of(settings))
    clips = load_tracks(settings.data)
    use = code_use(trainer.net, clips)
    assert use["frames"] == sum(np.isfinite(clip.face).any(axis=1).sum() for clip in clips)
    assert len(use["used"]) == len(use["perplexity"]) == 2
    assert all(0 < share <= 1 for share in use["used"])
    assert all(1 <= p <= 100 * share for p, share in zip(use["perplexity"], use["used"], strict=True))


def test_the_program_trains_reports_and_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tiny_tracks.write(tmp_path)
    package = tmp_path / "package"
    (package / "assets").mkdir(parents=True)
    monkeypatch.setattr(export, "ASSETS", package / "assets")
    short = ["--set", "training.face_rounds=1", "--set", "training.expression_rounds=1"]
    assert run_visavis("train", toml, *short, "--install") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["name"], report["quantizer"], report["vocabulary"]) == ("tiny", "fsq", [100])
    assert set(report["test"]) == {"video", "grid", "dyads"}
    assert report["test"]["dyads"]["groups"]["brow"] is None
    speeds = report["tokens_per_s"]
    assert set(speeds) == {"streamed", "whole", "decoded"}
    assert speeds["whole"] > speeds["streamed"] > 0
    entries = json.loads((package / "assets" / "manifest.json").read_text())
    assert set(entries) == {"tokens_encoder", "tokens_decoder"}
    assert entries["tokens_encoder"]["config"] == "experiments/tokenizer_tiny.toml"
    installed = [package / "assets" / f"{name}.onnx" for name in ("tokens_encoder", "tokens_decoder")]
    assert FaceTokenizer.load(*installed).vocabulary == (100,)
    assert run_visavis("train", toml, *short) == 2
    assert "already holds a run" in " ".join(capsys.readouterr().err.split())


def test_the_ablation_trains_all_goes_on_and_writes_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tiny_tracks.write(tmp_path)
    page, results = tmp_path / "tokens.md", tmp_path / "results.json"
    first, last = ablation.MARKS
    page.write_text(f"before\n{first}\nold\n{last}\nafter\n")
    places = ["--page", page, "--results", results]
    short = [w for key in ("face_rounds", "expression_rounds") for w in ("--set", f"training.{key}=1")]

    def run(*more: object) -> int:
        return run_lab("tokenizer-ablation", toml, "--seeds", 1, *places, *short, *more)

    assert run() == 0
    found = json.loads(results.read_text())
    assert [(run["name"], run["seed"]) for run in found["runs"]] == [("tiny", 1)]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| tiny | 100 | 1 | " in text
    assert " ± 0" not in text
    monkeypatch.setattr(ablation, "train_tokenizer", None)  # What has ended is not trained again.
    assert run() == 0
    assert page.read_text() == text
    assert run("--set", "threads=2") == 2
    assert "holds a run of other settings" in " ".join(capsys.readouterr().err.split())
    results.write_text(json.dumps({**found, "runs": 2 * found["runs"]}))
    assert run_lab("tokenizer-ablation", *places) == 2
    assert "found no experiment" in capsys.readouterr().err
    assert run_lab("tokenizer-ablation", "--tables-only", *places) == 0
    assert "over 2 seeds" in page.read_text()
    assert " ± 0.000 | " in page.read_text()
    page.write_text("no marks")
    assert run("--tables-only") == 2
    assert "expected the marks" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("tokenizer_*.toml")), ids=lambda path: path.stem)
def test_committed_experiments_differ_in_the_model_alone(path: Path) -> None:
    first = load_experiment(CONFIGS / "tokenizer_fsq.toml", TokenizerExperiment)
    other = load_experiment(path, TokenizerExperiment)
    assert other.name == path.stem == other.out.name
    own = {"name": other.name, "out": other.out, "model": other.model}
    assert other == first.model_copy(update=own)


def test_everybody_is_moved_to_one_rest(toml: Path, tmp_path: Path) -> None:
    settings = experiment(toml, tmp_path / "run", "one_rest=true", "training.face_rounds=1")
    trainer = TokenizerTrainer(settings, parts_of(settings))
    settings.out.mkdir()
    (settings.out / "log.jsonl").write_text('{"seconds": 1}\n')
    release_tokenizer(settings, trainer.net, "tiny.toml")
    rest = FaceTokenizer.load(*(settings.out / f"tokens_{part}.onnx" for part in ("encoder", "decoder"))).rest
    assert rest is not None
    for part in parts_of(settings).values():
        for clip in part:
            middle = resting(clip.face)
            known = np.isfinite(middle)
            np.testing.assert_allclose(middle[known], rest[known], atol=1e-5)


def test_a_key_of_another_quantizer_is_answered_with_the_keys_of_the_chosen_one() -> None:
    with pytest.raises(InputError) as caught:
        load_experiment(CONFIGS / "tokenizer_vq.toml", TokenizerExperiment, ["model.quantizer.kind=fsq"])
    keys = "model.quantizer.kind, model.quantizer.levels"
    assert str(caught.value).endswith(f"model.quantizer.vocabulary: no such key; expected one of {keys}")
