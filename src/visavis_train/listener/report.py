"""Measurement of listeners and baselines on the test split, and their tables.

All experiments must name the same folder of packs. Baselines are trained here, in minutes; listeners are not.
Where a run has a tokenizer of its own, the quality of the tokenizer stands beside the run's scores.
The runs of an experiment are its folder and the folders with the same name and ``_seed2`` and so on
(``visavis train E.toml --set seed=2 --set out=runs/E_seed2``). Experiments without runs are listed.
``visavis lab listener-report`` writes ``benchmarks/results/listener.json`` and the text between the marks
of ``docs/reference/listener.md``. Finished scores are kept in ``runs/listener_report``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from visavis.base.console import print_note
from visavis.base.files import require_folder, whole_file
from visavis.base.machine import machine, versions
from visavis.base.reading import regular
from visavis.channels import EXPRESSION_CHANNELS
from visavis.errors import InputError
from visavis.reaction.listener import ListenerModel
from visavis.reaction.predictor import Predictor
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import ListeningPack, load_listening
from visavis_train.listener.baselines.latent_diffusion import LatentDiffusion
from visavis_train.listener.baselines.method import BinaryUnits, Method
from visavis_train.listener.baselines.simple import (
    CopySpeaker,
    GroundTruth,
    LateCopy,
    MeanSequence,
    NearestNeighbour,
    Uniform,
)
from visavis_train.listener.baselines.trained_listener import TrainedListener
from visavis_train.listener.baselines.training import BaselineTraining
from visavis_train.listener.baselines.trans_vae import OnlineTransVae, TransVae
from visavis_train.listener.config import ListenerExperiment, SamplingSettings
from visavis_train.listener.cost import stream_cost
from visavis_train.listener.release import LISTENER_FILE
from visavis_train.listener.scores import Contest, score_method, score_summary
from visavis_train.listener.task import REPORT, network_config
from visavis_train.listener.tokens import TokenVocabulary
from visavis_train.onnx.export import current_commit
from visavis_train.tokenizer.ablation import UNSEEN
from visavis_train.tokenizer.task import REPORT as TOKENIZER_REPORT

RESULTS = Path("benchmarks/results/listener.json")
PAGE = Path("docs/reference/listener.md")
KEPT = Path("runs/listener_report")
GUIDANCE = (1.0, 3.0)
MARKS = ("<!-- listeners: by visavis lab listener-report -->", "<!-- end of listeners -->")


@dataclass(frozen=True, slots=True)
class ReportedMethod:
    """One row of the table with one seed.

    Attributes:
        name: name of the row.
        seed: seed of its training and draws.
        settings: JSON values that determine its scores, together with the data.
        open: gives the trained method.
        tokenizer: the run folder of its tokenizer; None for another method, and for the package's tokenizer.
        folder: the run folder of the method; None for a baseline.
    """

    name: str
    seed: int
    settings: dict[str, Any]
    open: Callable[[], Method]
    tokenizer: Path | None = None
    folder: Path | None = None


def baselines(
    train: ListeningPack, test: Contest, training: BaselineTraining | None, seeds: int
) -> Iterator[ReportedMethod]:
    """All methods except our own network; methods without randomness come once."""
    yield ReportedMethod("ground truth", 1, {}, lambda: GroundTruth(test.truths))
    for seed in range(1, seeds + 1):
        yield ReportedMethod("random", seed, {}, Uniform)
    yield ReportedMethod("copy speaker", 1, {}, CopySpeaker)
    yield ReportedMethod("copy speaker, late", 1, {}, LateCopy)
    yield ReportedMethod("mean face", 1, {}, lambda: MeanSequence(train, still=True))
    yield ReportedMethod("mean sequence", 1, {}, lambda: MeanSequence(train))
    yield ReportedMethod("nearest neighbour", 1, {}, lambda: NearestNeighbour(train))
    if training is None:
        return
    trained: dict[str, Callable[[int], Method]] = {
        "Trans-VAE, small": partial(TransVae.trained, train, training),
        "Trans-VAE, small, online": partial(OnlineTransVae.trained, train, training),
        "latent diffusion, small": partial(LatentDiffusion.trained, train, training),
        "latent diffusion, small, best of 10, binary AU": lambda seed: BinaryUnits(
            LatentDiffusion.trained(train, training, seed, best_of=10)
        ),
    }
    for name, train_it in trained.items():
        for seed in range(1, seeds + 1):
            yield ReportedMethod(name, seed, training.model_dump(), partial(train_it, seed))


def listeners(experiment: ListenerExperiment, guidance: Sequence[float] = ()) -> Iterator[ReportedMethod]:
    """The finished runs of an experiment; with guidance, its own folder's run also with other guidances."""
    folders = [experiment.out, *sorted(experiment.out.parent.glob(f"{experiment.out.name}_seed*"))]
    for folder in folders:
        ways = {experiment.name: experiment.sampling}
        if experiment.sampling.sampling.guided and folder == experiment.out:
            for much in guidance:
                way = experiment.sampling.model_copy(update={"guidance": much})
                ways[f"{experiment.name}, guidance {much:g}"] = way
        file = folder / LISTENER_FILE
        if file.is_file():
            stored = json.loads(regular(folder / "config.json").read_text("utf-8-sig"))
            digest = hashlib.sha256(regular(file).read_bytes()).hexdigest()
            for name, way in ways.items():
                settings = {"file": digest, "sampling": way.model_dump()}
                # Each seed may have its own tokenizer.
                place = stored["tokenizer"] and Path(stored["tokenizer"])
                load = partial(_loaded, place, file, way)
                yield ReportedMethod(name, int(stored["seed"]), settings, load, place, folder)


def _loaded(place: Path | None, file: Path, drawing: SamplingSettings) -> Method:
    tokenizer = TokenVocabulary.open(place).tokenizer
    return TrainedListener(ListenerModel(Predictor.load(file), tokenizer, drawing.sampling))


def scored(
    candidate: ReportedMethod, data: str, pack: ListeningPack, test: Contest, samples: int, kept: Path
) -> dict[str, Any]:
    """Measure a candidate, or read the result of an earlier run of this command.

    ``data`` is a digest of the packs, and ``kept`` the folder of finished scores.
    """
    key = {
        "name": candidate.name,
        "seed": candidate.seed,
        "settings": candidate.settings,
        "data": data,
        "samples": samples,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    file = kept / f"{digest}.json"
    if not file.exists():
        method = candidate.open()
        found = key | score_method(candidate.name, method, test, samples, candidate.seed)
        if candidate.tokenizer is not None:
            found |= _changes(candidate, method, pack, test)
        with whole_file(file) as partial:
            partial.write_text(json.dumps(found) + "\n", "utf-8")
        print_note(f"{candidate.name}, seed {candidate.seed}: measured")
    result: dict[str, Any] = json.loads(regular(file).read_text("utf-8-sig"))
    return result


def compare_listeners(
    experiments: Sequence[ListenerExperiment],
    training: BaselineTraining | None,
    seeds: int,
    samples: int,
    kept: Path,
    guidance: Sequence[float],
) -> dict[str, Any]:
    """Measure everything.

    Raises:
        InputError: the experiments name several folders of packs, or a pack or run cannot be used.
    """
    if len(folders := {experiment.data for experiment in experiments}) != 1:
        raise InputError(
            f"the experiments are of {', '.join(sorted(map(str, folders)))}; expected one folder of packs"
        )
    torch.set_num_threads(1)
    files = [next(iter(folders)) / f"{split}.npz" for split in ("train", "test")]
    train, pack = (load_listening(file) for file in files)
    data = hashlib.sha256(b"".join(regular(file).read_bytes() for file in files)).hexdigest()
    test = Contest.of(pack)
    own = {experiment.name: list(listeners(experiment, guidance)) for experiment in experiments}
    candidates = [*baselines(train, test, training, seeds), *(one for runs in own.values() for one in runs)]
    require_folder(kept)
    kept.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    pairs: list[dict[str, Any]] = []
    for candidate in candidates:
        run = scored(candidate, data, pack, test, samples, kept)
        found.setdefault(candidate.name, []).append(run)
        if quality := _quality(candidate.tokenizer):
            scores = {metric: mean(run["items"][metric]) for metric in ("fr_corr", "fr_dist", "fr_var")}
            listed = ("name", "seed", "changes", "changes_real")
            facts = {key: run[key] for key in listed if key in run}
            pairs.append(facts | quality | scores | _bits(candidate.folder))
    return {
        "commit": current_commit(),
        "machine": machine(),
        "versions": versions(),
        "samples": samples,
        "baseline_training": training and training.model_dump(),
        "test": {
            "corpus": pack.corpus,
            "clips": len(test.speakers),
            "listeners": len(test.listeners),
            "frames": len(test.speakers[0]),
        },
        "methods": {name: score_summary(runs) for name, runs in found.items()},
        "tokenizers": pairs,
        "not_run": [name for name, runs in own.items() if not runs],
        "costs": {experiment.name: _cost(experiment) for experiment in experiments},
    }


def _quality(tokenizer: Path | None) -> dict[str, Any] | None:
    """The error and the correlation of a tokenizer on unseen people, from the report of its run."""
    if tokenizer is None or not (report := tokenizer / TOKENIZER_REPORT).is_file():
        return None
    unseen = json.loads(regular(report).read_text("utf-8-sig"))["test"].get(UNSEEN)
    return unseen and {"unexplained": unseen["unexplained"], "mean_r": unseen["mean_r"]}


def _bits(folder: Path | None) -> dict[str, float]:
    """Bits a frame on the test split beside the true speaker and another one; empty without a report."""
    report = folder and folder / REPORT
    if not report or not report.is_file():
        return {}
    bits = json.loads(regular(report).read_text("utf-8-sig")).get("test_bits_per_frame", {})
    return {f"bits_{who}": bits[who] for who in ("true_speaker", "other_speaker") if who in bits}


def _changes(
    candidate: ReportedMethod, method: Method, pack: ListeningPack, test: Contest
) -> dict[str, float]:
    """Share of frames whose expression changes, in drawn reactions and in real listeners' tokens.

    Shares lie in [0, 1]. A listener whose share is far above the real listeners' trembles.
    """
    drawn = method.reactions(test.speakers, 1, candidate.seed)
    tokenizer = TokenVocabulary.open(candidate.tokenizer).tokenizer
    faces = (item.listener.face.astype(np.float32) for item in pack.items)
    real = [tokenizer.expressions(tokenizer.encode(face)) for face in faces]
    return {
        "changes": _moving_share(drawn[:, 0, :, -len(EXPRESSION_CHANNELS) :]),
        "changes_real": mean(_moving_share(expression) for expression in real),
    }


def _moving_share(expressions: FloatArray) -> float:
    """Expressions (..., frames, channels) -> the share of frames that differ from the frame before."""
    return float((np.abs(np.diff(expressions, axis=-2)).max(axis=-1) > 1e-6).mean())


def _cost(experiment: ListenerExperiment) -> dict[str, Any]:
    """A guided listener runs twice: with the speaker and alone."""
    levels = TokenVocabulary.open(experiment.tokenizer).levels
    cost = stream_cost(network_config(experiment, levels), FRAME_RATE_HZ)
    return asdict(replace(cost, streamed=cost.streamed * (2 if experiment.sampling.sampling.guided else 1)))
