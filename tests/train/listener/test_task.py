"""Training a listener of faces: it learns, resumes exactly, keeps the best round, and gives a usable file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from support import tiny_listening, tiny_tokenizer
from support.research import run_lab, run_visavis
from visavis.errors import InputError, WeightsError
from visavis.metrics.reaction import fr_corr, fr_dist
from visavis.reaction.listener import FaceListener
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis_train.data.conversation_pack import ListeningItem, PersonClip, load_listening
from visavis_train.listener import report as reporting
from visavis_train.listener import task
from visavis_train.listener.baselines.simple import GroundTruth, MeanSequence, Mime, Uniform
from visavis_train.listener.config import ListenerExperiment
from visavis_train.listener.cost import stream_cost
from visavis_train.listener.scores import BY_ITEM, Contest, score, summary
from visavis_train.listener.tokens import Vocabulary
from visavis_train.loop.checkpoint import load_checkpoint
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.marks import write_between

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


@pytest.fixture(scope="module")
def toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_listening.write(tmp_path_factory.mktemp("listening"))


@pytest.fixture(scope="module")
def run(toml: Path) -> Path:
    """A run that ended, by the command itself."""
    assert run_visavis("train", toml) == 0
    return toml.parent / "run"


def settings(toml: Path, out: Path, *changes: str) -> ListenerExperiment:
    return load_experiment(toml, ListenerExperiment, [f"out={out}", *changes])


def trained(experiment: ListenerExperiment, *, resume: bool = False) -> Path:
    task.train(experiment, Vocabulary.open(experiment.tokenizer), resume=resume)
    return experiment.out


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_it_learns_to_follow_its_partner(run: Path) -> None:
    rows = log(run)
    assert rows[-1]["validation_bits_per_frame"] < 0.7 * np.log2(16)
    assert rows[-1]["bits_per_frame"] < rows[0]["bits_per_frame"]
    report = json.loads((run / "report.json").read_text())
    bits = report["test_bits_per_frame"]
    # Whoever follows knows .9 of its next face; beside a stranger or alone, both faces are as likely.
    assert bits["true_partner"] < 0.75
    assert bits["other_partner"] > 1.0
    assert bits["alone"] == pytest.approx(1.0, abs=0.1)
    assert report["sources"] == ["made up"]


def test_the_program_takes_what_was_trained(toml: Path, run: Path) -> None:
    tokenizer = Vocabulary.open(toml.parent).tokenizer
    listener = FaceListener.load(run / "listener.onnx", tokenizer)
    assert listener.predictor.levels == (4, 4)
    speaker = load_listening(toml.parent / "test.npz").items[0].speaker
    assert speaker.speech is not None
    face, speech = speaker.face.astype(np.float32), speaker.speech.astype(np.float32)
    tokens = listener.react(face, speech, samples=4)
    followed = (tokens[:, 1:] == tokenizer.encode(face)[:-1]).mean()
    assert followed > 0.75


def test_the_best_round_is_kept(toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([3.0, 1.0, 2.0])
    weights = []

    def measure(trainer: task.ListenerTrainer, conversations: object) -> float:
        weights.append(trainer.net.head.out[0].weight.detach().clone())
        return next(found)

    monkeypatch.setattr(task.ListenerTrainer, "measure", measure)
    experiment = settings(toml, tmp_path / "run", "training.rounds=3", "training.round_steps=2")
    trainer = task.train(experiment, Vocabulary.open(toml.parent))
    best = load_checkpoint(tmp_path / "run/best.safetensors", {})
    assert best == {"round": 2, "validation_bits_per_frame": 1.0}
    assert torch.equal(trainer.net.head.out[0].weight, weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_a_run_that_is_resumed_equals_an_unbroken_one(toml: Path, tmp_path: Path) -> None:
    short = ["training.round_steps=3", "training.rounds=2"]
    whole = trained(settings(toml, tmp_path / "whole", *short))
    # The same rounds, ended after the first.
    broken = settings(toml, tmp_path / "broken", *short)
    with pytest.MonkeyPatch.context() as patch:
        real = task.ListenerTrainer.run_round

        def ends(trainer: task.ListenerTrainer, number: int) -> dict[str, Any]:
            if number:
                raise KeyboardInterrupt
            return real(trainer, number)

        patch.setattr(task.ListenerTrainer, "run_round", ends)
        with pytest.raises(KeyboardInterrupt):
            trained(broken)
    trained(broken, resume=True)
    for file in ("last.safetensors", "best.safetensors"):
        one, other = load_file(whole / file), load_file(tmp_path / "broken" / file)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert torch.equal(value, other[key]), key
    with pytest.raises(InputError, match="add --resume"):
        trained(broken)
    with pytest.raises(InputError, match=r"began with training\.batch_size 8; now it is 3: put"):
        trained(settings(toml, tmp_path / "broken", *short, "training.batch_size=3"), resume=True)
    assert json.loads((tmp_path / "broken/config.json").read_text())["training"]["batch_size"] == 8


def test_it_is_installed_beside_its_own_tokenizer_only(
    toml: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = settings(toml, run)
    report = json.loads((run / "report.json").read_text())
    tokenizer = Vocabulary.open(toml.parent).tokenizer
    other = FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, changes={"pair": "another"}))
    entries = []

    def install_listener(folder: Path, name: str, entry: dict[str, Any]) -> Path:
        entries.append((folder, name, entry))
        return folder

    monkeypatch.setattr(task, "install_listener", install_listener)
    monkeypatch.setattr(FaceTokenizer, "default", classmethod(lambda cls, threads=1, names=(): other))
    with pytest.raises(InputError, match="trained with the tokenizer 1-1; the package holds another"):
        task.install(experiment, report, "experiments/tiny.toml")
    assert not entries
    monkeypatch.setattr(FaceTokenizer, "default", classmethod(lambda cls, threads=1, names=(): tokenizer))
    task.install(experiment, report, "experiments/tiny.toml")
    assert entries[0][:2] == (run, "listener")
    assert entries[0][2]["training_data"] == "tiny; made up"


def test_which_tokenizers_a_listener_can_speak(tmp_path: Path) -> None:
    def folder(name: str, **changes: Any) -> Path:
        place = tmp_path / name
        place.mkdir()
        paths = tiny_tokenizer.write(place, changes.pop("depth", 1), changes=changes)
        for path, kind in zip(paths, ("tokens_encoder", "tokens_decoder"), strict=True):
            path.rename(place / f"{kind}.onnx")
        return place

    assert Vocabulary.open(folder("vq", quantizer="vq")).levels == (16,)
    assert Vocabulary.open(folder("fsq", quantizer_settings={"levels": [8, 2]})).levels == (8, 2)
    with pytest.raises(WeightsError, match="says its levels are"):
        Vocabulary.open(folder("old"))
    with pytest.raises(InputError, match="2 tokens a frame; a listener speaks one"):
        Vocabulary.open(folder("residual", depth=2, quantizer="rfsq"))


def test_a_clip_that_is_scored_alone_is_scored_as_in_company(toml: Path) -> None:
    contest = Contest.of(load_listening(toml.parent / "test.npz"))
    method = Uniform()
    found = score("random", method, contest, 3, seed=1)
    made = method.reactions(contest.speakers, 3, 1)[..., 58:]
    expected = {
        "fr_corr": fr_corr(made, contest.listeners, contest.neighbours),
        "fr_dist": fr_dist(made, contest.listeners, contest.neighbours),
    }
    for metric, value in expected.items():
        assert np.mean(found["items"][metric]) == pytest.approx(value, rel=1e-5)
    assert found["fr_dvs"] == pytest.approx(1 / 6, rel=0.05)


def test_baselines_score_as_they_must(toml: Path) -> None:
    contest = Contest.of(load_listening(toml.parent / "test.npz"))
    train = load_listening(toml.parent / "train.npz")
    truth = summary([score("truth", GroundTruth(contest.truths), contest, 2, 1)])
    assert truth["fr_corr"]["mean"] == pytest.approx(2.0, abs=1e-4)
    assert truth["fr_dist"]["mean"] == pytest.approx(0.0, abs=1e-4)
    assert truth["fr_div"]["mean"] == pytest.approx(0.0, abs=1e-9)
    mime = summary([score("mime", Mime(), contest, 2, 1)])
    # Listeners follow by one frame, and so does the lag.
    assert mime["fr_syn"]["mean"] == 0
    assert truth["fr_syn"]["mean"] == 1
    still = summary([score("mean", MeanSequence(train, still=True), contest, 2, 1)])
    assert still["fr_var"]["mean"] == pytest.approx(0.0, abs=1e-9)
    assert still["fr_syn"]["mean"] == 49


def test_summaries_hold_seeds_and_clips_apart() -> None:
    runs = [{"items": {key: [k, k + 2.0] for key in BY_ITEM}, "fr_dvs": k} for k in (0.0, 1.0)]
    found = summary(runs)["fr_corr"]
    assert found["mean"] == 1.5
    assert found["deviation_over_seeds"] == pytest.approx(np.std([1, 2], ddof=1))
    assert found["interval"] == [0.5, 2.5]
    assert summary(runs[:1])["fr_dvs"] == {"mean": 0.0, "deviation_over_seeds": None, "seeds": 1}


def test_the_report_compares_all_methods(
    toml: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "never.toml"
    never = toml.read_text().replace('"tiny"', '"never"').replace("/run", "/none")
    other.write_text(never.replace("width = 16", "width = 32\npatch = 2"))
    page = tmp_path / "page.md"
    page.write_text("\n".join(["before", *reporting.MARKS, "after"]))
    words = [toml, other, "--seeds", 1, "--samples", 2, "--peer-steps", 1, "--guidance", 2]
    places = ["--results", tmp_path / "r.json", "--page", page, "--kept", tmp_path / "kept"]
    assert run_lab("listener-report", *words, *places) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["not_run"] == ["never"]
    assert len(result["methods"]) == 10
    assert {"tiny", "tiny, guidance 2"} <= result["methods"].keys()
    text = page.read_text()
    for name in result["methods"]:
        assert f"| {name} | 1 |" in text
    assert "| never | not run |" in text
    assert text.startswith("before")
    assert text.endswith("after")
    # It follows its speaker, and so it is nearer to what is appropriate than what knows nothing of one.
    corr = {name: found["fr_corr"]["mean"] for name, found in result["methods"].items()}
    assert corr["ground truth"] > corr["nearest neighbour"]
    # What was measured is not measured again.
    monkeypatch.setattr(reporting, "score", None)
    assert run_lab("listener-report", *words, *places) == 0


def test_predictions_are_what_the_metrics_read(
    toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "R.npz"
    assert run_lab("predict", toml.parent / "test.npz", "--out", out, "--samples", 3) == 0
    assert run_visavis("evaluate", "reaction", out, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["predictions"], scores["items"]) == (3, len(np.load(out)["speakers"]))
    assert run_lab("predict", tmp_path / "none.npz", "--out", out) == 2
    assert "visavis lab conversations" in capsys.readouterr().err


def test_marks_must_stand_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(InputError, match="once"):
        write_between(page, ("<!-- a -->", "<!-- b -->"), ["x"])
    assert page.read_text() == "nothing"


def test_costs_of_the_committed_experiments() -> None:
    ours, paper = (
        stream_cost(
            task.network_config(
                load_experiment(EXPERIMENTS / f"{name}.toml", ListenerExperiment), (8, 8, 6, 5)
            ),
            25.0,
        )
        for name in ("listener", "listener_paper")
    )
    assert 1e6 < ours.parameters < 2e6
    # The published way, in its sizes, costs far more than the eightfold of ours.
    assert paper.re_encoded > 8 * ours.streamed
    # A position is a frame: every weight is used once for each, and the past is looked at.
    assert ours.streamed > 0.7 * ours.parameters * 25


def test_the_other_partner_is_a_stranger(tmp_path: Path) -> None:
    simulated = tiny_listening.pack()
    assert task.others_of(simulated) == tuple((place + 4) % 8 for place in range(8))
    # Real corpora list each conversation again, the other way round, half of the split further on.
    forward = simulated.items[:6:2]
    turned = [ListeningItem(voiced(each.listener), each.speaker, each.temperament) for each in forward]
    real = replace(simulated, items=(*forward, *turned), neighbours=np.eye(6, dtype=bool))
    for place, other in enumerate(task.others_of(real)):
        assert other % 3 != place % 3
    with pytest.raises(InputError, match="nobody is a stranger to"):
        task.others_of(replace(real, items=(forward[0], turned[0]), neighbours=np.eye(2, dtype=bool)))


def voiced(clip: PersonClip) -> PersonClip:
    return replace(clip, speech=np.zeros((len(clip), len(SPEECH_CHANNELS)), np.float16))
