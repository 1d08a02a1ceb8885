"""Real calls and an experiment in; a listener of four signals, and what it proves on unseen pairs, out.

``visavis train experiments/calls_listener.toml [--resume] [--set key=value] [--install]``

The pairs of people are dealt into folds; for each, a network learns from the others and is measured on it.
Two pairs of the others are kept back from learning, to choose how far the network's gates to the partner stay
open: it believes partners of its training more than strangers deserve. Then the network to be shipped learns
from all, with the folds' middle opening. The run folder receives ``fold1`` and so on, and ``all``, each with
its log, checkpoint and ``listener.onnx``, and ``report.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from statistics import median_low
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from visavis.atomic import whole_file
from visavis.cli.output import print_note
from visavis.coupling import ASSET, SPEAKS, CallScores, Coupling, measure_coupling
from visavis.datasets.calls import CALL_RATE_HZ, Call, read_calls
from visavis.errors import InputError
from visavis.machine import machine
from visavis.reaction.predictor import Predictor
from visavis.reaction.signals import SIGNALS, SignalCodec
from visavis_train.data.listening import Conversation
from visavis_train.experiment import Settings
from visavis_train.models.listener import ListenerConfig, ListenerNet, ListenerSize
from visavis_train.rounds import Command, command_line, run_rounds
from visavis_train.tasks.listener_release import export_listener, install_listener
from visavis_train.tasks.listener_trainer import ListenerTrainer, ListenerTraining

REPORT = "report.json"
ALL = "all"
LICENCE = "Apache-2.0"
TRAINING_DATA = (
    "AU06, AU12, body motion and gaze regions of both people in 45 video calls (Diao, Arevalo Arboleda and "
    "Raake, ICMI 2024, doi 10.1145/3678957.3685733; MIT)"
)


class Signals(Settings):
    """How signals become tokens.

    Attributes:
        levels: at most so many for AU06, AU12 and motion; gaze has its four regions.
        mean_of: frames of the calls, at 30 Hz, that are averaged into one.
    """

    levels: tuple[int, int, int] = (8, 8, 5)
    mean_of: int = Field(default=3, ge=1)


class CallsExperiment(Settings):
    """One run of the calls task.

    Attributes:
        task: which task the file is for.
        name: of the run, for its report.
        data: the file of calls, from the working folder.
        out: the run folder, from the working folder.
        seed: of all randomness.
        threads: processor threads.
        folds: into how many parts the pairs are dealt.
        openings: shares of the gates to the partner to choose from.
        chosen_on: pairs that are kept back from learning in each fold, to choose on.
        signals: the table `[signals]`.
        model: the table `[model]`.
        training: the table `[training]`.
    """

    task: Literal["calls"] = "calls"
    name: str
    data: Path
    out: Path
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
    folds: int = Field(default=5, ge=2)
    openings: tuple[float, ...] = Field(default=(0.2, 0.4, 0.6, 0.8, 1.0), min_length=1)
    chosen_on: int = Field(default=2, ge=1)
    signals: Signals = Signals()
    model: ListenerSize = ListenerSize()
    training: ListenerTraining = ListenerTraining()


def deal(calls: Sequence[Call], folds: int, seed: int) -> tuple[tuple[Call, ...], ...]:
    """Deal the calls into folds; all calls of a pair fall into one.

    Raises:
        InputError: fewer pairs than folds.
    """
    pairs = sorted({call.pair for call in calls})
    if len(pairs) < folds:
        raise InputError(f"{len(pairs)} pairs of people cannot be dealt into {folds} folds")
    order = np.random.default_rng(seed).permutation(len(pairs))
    fold_of = {pairs[int(pair)]: place % folds for place, pair in enumerate(order)}
    return tuple(tuple(call for call in calls if fold_of[call.pair] == fold) for fold in range(folds))


def codec_for(experiment: CallsExperiment, calls: Sequence[Call]) -> SignalCodec:
    """Levels that fit the calls that are learnt from."""
    slow = [call.slowed(experiment.signals.mean_of).reshape(-1, len(SIGNALS)) for call in calls]
    return SignalCodec.fitted(np.concatenate(slow), experiment.signals.levels)


def conversations(calls: Sequence[Call], codec: SignalCodec, mean_of: int) -> tuple[Conversation, ...]:
    """Each person of each call as who reacts to the other."""
    result = []
    for call in calls:
        tokens = codec.encode(call.slowed(mean_of)).T
        nothing = np.zeros((tokens.shape[1], 0), np.float32)
        for own, partner, who in zip(tokens, tokens[::-1], "AB", strict=True):
            item = Conversation(f"{call.name}_{who}", partner, own, nothing, np.zeros(0, np.float32))
            result.append(item)
    return tuple(result)


def learner(experiment: CallsExperiment, calls: Sequence[Call], codec: SignalCodec) -> ListenerTrainer:
    """A network before its training, and what trains it."""
    torch.manual_seed(experiment.seed)
    net = ListenerNet(ListenerConfig(levels=codec.levels, **experiment.model.model_dump()))
    heard = conversations(calls, codec, experiment.signals.mean_of)
    return ListenerTrainer(net, experiment.training, heard, (), experiment.seed)


def train_on(
    experiment: CallsExperiment, calls: Sequence[Call], out: Path, *, resume: bool
) -> tuple[ListenerTrainer, SignalCodec]:
    """Train one network, or finish it."""
    torch.set_num_threads(experiment.threads)
    codec = codec_for(experiment, calls)
    trainer = learner(experiment, calls, codec)
    run_rounds(
        out,
        experiment,
        experiment.seed,
        experiment.training.rounds,
        trainer.run_round,
        {"model": trainer.net},
        trainer.optimizer,
        resume=resume,
    )
    return trainer, codec


def best_opening(
    trainer: ListenerTrainer, openings: Sequence[float], unseen: Sequence[Conversation]
) -> float:
    """The share of the gates to the partner with which unseen people are predicted best."""
    learnt = deepcopy(trainer.net.state_dict())
    bits = {}
    for opening in openings:
        trainer.net.open_gates(opening)
        bits[opening] = trainer.measure(unseen)
        trainer.net.load_state_dict(learnt)
    return min(bits, key=lambda opening: bits[opening])


def export_opened(
    experiment: CallsExperiment, net: ListenerNet, codec: SignalCodec, opening: float, out: Path
) -> Predictor:
    """Set the gates and write ``listener.onnx``."""
    net.open_gates(opening)
    notes = {
        "frame_rate_hz": CALL_RATE_HZ / experiment.signals.mean_of,
        "speaks": SPEAKS,
        "signals": list(SIGNALS),
        "edges": [values.tolist() for values in codec.edges],
        "centres": [values.tolist() for values in codec.centres],
        "opening": opening,
    }
    return export_listener(net, out, notes)


def train(experiment: CallsExperiment, *, resume: bool = False) -> Coupling:
    """Run (or finish) an experiment; returns what the folds' networks prove on the pairs that they never saw.

    Raises:
        InputError: the calls or a checkpoint cannot be used, too few pairs are left to learn from, or the run
            folder holds a run and ``resume`` is off.
    """
    calls = read_calls(experiment.data)
    scores: list[CallScores] = []
    openings = []
    for number, unseen in enumerate(deal(calls, experiment.folds, experiment.seed), start=1):
        others = sorted({call.pair for call in calls} - {call.pair for call in unseen})
        kept = others[: experiment.chosen_on]
        if len(others) <= len(kept):
            raise InputError(f"{len(others)} pairs besides a fold; expected more than {len(kept)}, chosen_on")
        out = experiment.out / f"fold{number}"
        trainer, codec = train_on(
            experiment, [call for call in calls if call.pair in others[len(kept) :]], out, resume=resume
        )
        choice = conversations(
            [call for call in calls if call.pair in kept], codec, experiment.signals.mean_of
        )
        openings.append(best_opening(trainer, experiment.openings, choice))
        predictor = export_opened(experiment, trainer.net, codec, openings[-1], out)
        print_note(f"fold {number}: gates open to {openings[-1]:g}")
        scores += measure_coupling(predictor, unseen, others=calls, seed=experiment.seed)
    trainer, codec = train_on(experiment, calls, experiment.out / ALL, resume=resume)
    export_opened(experiment, trainer.net, codec, median_low(openings), experiment.out / ALL)
    return Coupling.of(scores)


def report_of(experiment: CallsExperiment, coupling: Coupling, config: str) -> dict[str, Any]:
    """What ``report.json`` says."""
    logs = [
        line for log in experiment.out.glob("*/log.jsonl") for line in log.read_text("utf-8").splitlines()
    ]
    return {
        "name": experiment.name,
        "config": config,
        "seed": experiment.seed,
        "folds": experiment.folds,
        "training_s": round(sum(json.loads(line)["seconds"] for line in logs), 1),
        "machine": machine(),
        **{name: coupling.mean(name) for name in ("bits_per_frame", "au12_peak_r", "variance")},
        "p_value": coupling.p_value,
        "calls": [asdict(call) for call in coupling.calls],
    }


def install(experiment: CallsExperiment, report: dict[str, Any], config: str) -> Path:
    """Copy the network that learnt from all calls into the package's assets; returns its path."""
    bits = report["bits_per_frame"]
    score = {f"bits_per_frame_{name}": round(value, 4) for name, value in bits.items()}
    entry = {"licence": LICENCE, "training_data": TRAINING_DATA, "config": config, "score": score}
    return install_listener(experiment.out / ALL, ASSET, entry)


def finish(experiment: CallsExperiment, coupling: Coupling, command: Command) -> Path:
    """Write the report, and install the network if that was asked for; returns the report's path."""
    report = report_of(experiment, coupling, command.config.name)
    path = experiment.out / REPORT
    with whole_file(path) as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if command.install:
        installed = install(experiment, report, config=f"experiments/{command.config.name}")
        print_note(f"installed as {installed}")
    return path


def main() -> int:
    """Command line; returns the exit status."""
    return command_line("Train a listener on real calls.", CallsExperiment, train, finish)


if __name__ == "__main__":
    sys.exit(main())
