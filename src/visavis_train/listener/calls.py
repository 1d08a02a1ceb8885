"""The training task of a listener of four signals, on real calls.

``visavis train experiments/calls_listener.toml [--resume] [--set key=value] [--install]``

The pairs of people are split into folds. For each fold, a network learns from the other folds and is measured
on this one. Then the shipped network learns from all pairs. The run folder receives ``fold1`` and so on,
and ``all``, each with its log, checkpoint and ``listener.onnx``, and ``report.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from visavis.base.console import print_note
from visavis.base.files import write_json
from visavis.base.machine import machine
from visavis.datasets.calls import CALL_RATE_HZ, Call, read_calls
from visavis.errors import InputError
from visavis.evaluate.speaker_gain import (
    ASSET,
    DEFAULT_SAMPLING,
    SPEAKS,
    CallScores,
    SpeakerGain,
    measure_speaker_gain,
)
from visavis.reaction.predictor import UNKNOWN, Predictor
from visavis.reaction.signals import HEARD_CHANNELS, SIGNALS, SignalCodec, as_heard
from visavis_train.listener.batches import Conversation
from visavis_train.listener.network import ListenerConfig, ListenerNet, ListenerSize
from visavis_train.listener.release import LISTENER_FILE, export_listener
from visavis_train.listener.trainer import ListenerTrainer, ListenerTraining
from visavis_train.loop.command import Command, Task
from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.loop.log import read_log
from visavis_train.loop.rounds import run_rounds
from visavis_train.onnx.export import install

REPORT = "report.json"
# Guidances of the compared samples; the report's other figures use the program's guidance.
GUIDANCE = (1.0, 2.0, 3.0, 4.0)
ALL = "all"
LICENCE = "Apache-2.0"
TRAINING_DATA = (
    "AU06, AU12, body motion and gaze regions of both people in 45 video calls (Diao, Arevalo Arboleda and "
    "Raake, ICMI 2024, doi 10.1145/3678957.3685733; MIT)"
)


class Signals(Settings):
    """The conversion of signals to tokens.

    Attributes:
        levels: most levels for AU06, AU12 and motion; gaze has its four regions.
        mean_of: number of frames of the calls, at 30 Hz, that are averaged into one.
    """

    levels: tuple[int, int, int] = (8, 8, 5)
    mean_of: int = Field(default=3, ge=1)


class CallsExperiment(Settings):
    """One run of the calls task.

    Attributes:
        task: which task the file is for.
        name: name of the run, for its report.
        data: the file of calls, from the working folder.
        out: the run folder, from the working folder.
        seed: of all randomness.
        threads: processor threads.
        folds: number of parts that the pairs are split into.
        signals: the table `[signals]`.
        model: the table `[model]`.
        training: the table `[training]`.
    """

    task: Literal["calls"] = "calls"
    name: str
    data: Path
    out: RunFolder
    seed: Seed = 0
    threads: int = Field(default=1, ge=1)
    folds: int = Field(default=5, ge=2)
    signals: Signals = Signals()
    model: ListenerSize = ListenerSize()
    training: ListenerTraining = ListenerTraining()


def deal(calls: Sequence[Call], folds: int, seed: int) -> tuple[tuple[Call, ...], ...]:
    """Split the calls into folds; all calls of a pair are in the same fold.

    Raises:
        InputError: there are fewer pairs than folds.
    """
    pairs = sorted({call.pair for call in calls})
    if len(pairs) < folds:
        raise InputError(f"{len(pairs)} pairs of people cannot be dealt into {folds} folds")
    order = np.random.default_rng(seed).permutation(len(pairs))
    fold_of = {pairs[int(pair)]: place % folds for place, pair in enumerate(order)}
    return tuple(tuple(call for call in calls if fold_of[call.pair] == fold) for fold in range(folds))


def codec_for(experiment: CallsExperiment, calls: Sequence[Call]) -> SignalCodec:
    """Levels that fit the training calls."""
    slow = [call.slowed(experiment.signals.mean_of).reshape(-1, len(SIGNALS)) for call in calls]
    return SignalCodec.fitted(np.concatenate(slow), experiment.signals.levels)


def call_conversations(calls: Sequence[Call], codec: SignalCodec, mean_of: int) -> tuple[Conversation, ...]:
    """Each person of each call as the listener of the other one: own tokens, and the speaker's as heard."""
    result = []
    for call in calls:
        slow = call.slowed(mean_of)
        people = zip(codec.encode(slow).T, (slow[:, 1], slow[:, 0]), "AB", strict=True)
        for own, speaker, who in people:
            heard = as_heard(speaker, CALL_RATE_HZ / mean_of)
            unknown = np.full_like(own, UNKNOWN)
            result.append(Conversation(f"{call.name}_{who}", unknown, own, heard, np.zeros(0, np.float32)))
    return tuple(result)


def train_on(
    experiment: CallsExperiment, calls: Sequence[Call], unseen: Sequence[Call], out: Path, *, resume: bool
) -> Predictor:
    """Train one network (or finish it) and export it; ``unseen`` calls are only used for the log."""
    torch.set_num_threads(experiment.threads)
    torch.manual_seed(experiment.seed)
    codec, mean_of = codec_for(experiment, calls), experiment.signals.mean_of
    config = ListenerConfig(
        levels=codec.levels, sound_channels=HEARD_CHANNELS, **experiment.model.model_dump()
    )
    heard, looked_at = (call_conversations(some, codec, mean_of) for some in (calls, unseen))
    net = ListenerNet(config)
    trainer = ListenerTrainer(net, experiment.training, heard, looked_at, experiment.seed)
    seed, rounds, modules = experiment.seed, experiment.training.rounds, {"model": net}
    run_rounds(out, experiment, seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume)
    notes = {
        "frame_rate_hz": CALL_RATE_HZ / mean_of,
        "speaks": SPEAKS,
        "signals": list(SIGNALS),
        "edges": [values.tolist() for values in codec.edges],
        "centres": [values.tolist() for values in codec.centers],
    }
    return export_listener(net, out, notes)


def train_calls_listener(experiment: CallsExperiment, *, resume: bool = False) -> dict[float, SpeakerGain]:
    """Run (or finish) an experiment.

    Returns:
        For each guidance of the samples, the results of the folds' networks on the pairs that they never saw.

    Raises:
        InputError: the calls or a checkpoint cannot be used, or the run folder holds a run and ``resume`` is
            off.
    """
    calls = read_calls(experiment.data)
    ways = {much: replace(DEFAULT_SAMPLING, guidance=much) for much in GUIDANCE}
    ways[DEFAULT_SAMPLING.guidance] = DEFAULT_SAMPLING
    scores: dict[float, list[CallScores]] = {much: [] for much in ways}
    for number, unseen in enumerate(deal(calls, experiment.folds, experiment.seed), start=1):
        seen = [call for call in calls if call not in unseen]
        predictor = train_on(experiment, seen, unseen, experiment.out / f"fold{number}", resume=resume)
        for much, way in ways.items():
            scores[much] += measure_speaker_gain(
                predictor, unseen, others=calls, seed=experiment.seed, sampling=way
            )
    train_on(experiment, calls, (), experiment.out / ALL, resume=resume)
    return {much: SpeakerGain.of(found) for much, found in scores.items()}


def report_of(experiment: CallsExperiment, gains: dict[float, SpeakerGain], config: str) -> dict[str, Any]:
    """The content of ``report.json``."""
    gain = gains[DEFAULT_SAMPLING.guidance]
    rows = [row for log in experiment.out.glob("*/log.jsonl") for row in read_log(log.parent, "round")]
    return {
        "name": experiment.name,
        "config": config,
        "seed": experiment.seed,
        "folds": experiment.folds,
        "training_s": round(sum(row["seconds"] for row in rows), 1),
        "machine": machine(),
        **{name: gain.mean(name) for name in ("bits_per_frame", "au12_peak_r", "variance")},
        "p_value": gain.p_value,
        "model_against": {name: gain.model_against(name) for name in ("copy_speaker", "mean", "random")},
        "by_guidance": {
            f"{much:g}": {name: found.mean(name) for name in ("au12_peak_r", "variance")}
            for much, found in gains.items()
        },
        "calls": [asdict(call) for call in gain.calls],
    }


def finish_calls(experiment: CallsExperiment, gains: dict[float, SpeakerGain], command: Command) -> Path:
    """Write the report, and install the network that learnt from all calls if requested.

    Returns:
        The report's path.
    """
    report = report_of(experiment, gains, command.config.name)
    path = experiment.out / REPORT
    write_json(path, report, allow_nan=True)
    if command.install:
        bits = report["bits_per_frame"]
        entry = {
            "licence": LICENCE,
            "training_data": TRAINING_DATA,
            "config": f"experiments/{command.config.name}",
            "score": {f"bits_per_frame_{name}": round(value, 4) for name, value in bits.items()},
        }
        print_note(f"installed as {install(experiment.out / ALL / LISTENER_FILE, ASSET, entry)}")
    return path


TASK = Task(CallsExperiment, train_calls_listener, finish_calls)
