"""The training task of a listener of faces, on packs of conversations.

``visavis train experiments/listener.toml [--resume] [--set key=value] [--install]``

The run folder receives ``config.json``, ``log.jsonl`` (one line a round), ``last.safetensors`` to go on from,
``best.safetensors`` of the round with the fewest bits a frame on validation, ``listener.onnx`` of that round,
and ``report.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from visavis.base.console import print_note
from visavis.base.files import whole_file
from visavis.base.machine import machine
from visavis.errors import InputError
from visavis.reaction.cues import HEARD_CHANNELS
from visavis.reaction.listener import ASSET, LISTENER_TOKENIZER, SPEAKS, FaceListener
from visavis.reaction.predictor import UNKNOWN
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.reaction.temperament import CONTROLS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis_train.data.conversation_pack import ListeningPack, load_listening
from visavis_train.listener.batches import Conversation
from visavis_train.listener.config import ListenerExperiment
from visavis_train.listener.cost import stream_cost
from visavis_train.listener.network import ListenerConfig, ListenerNet
from visavis_train.listener.release import export_listener, install_listener
from visavis_train.listener.tokens import Vocabulary, conversations
from visavis_train.listener.trainer import ListenerTrainer
from visavis_train.loop.checkpoint import BEST, load_checkpoint, save_checkpoint
from visavis_train.loop.command import Command, Task
from visavis_train.loop.rounds import run_rounds

REPORT = "report.json"
LICENCE = "for research and personal use: see the licences of what its training data were made from"
SCORE = "validation_bits_per_frame"


def network_config(experiment: ListenerExperiment, levels: tuple[int, ...]) -> ListenerConfig:
    """The network of an experiment, for a tokenizer's levels."""
    return ListenerConfig(
        levels=levels,
        sound_channels=len(HEARD_CHANNELS) if experiment.speech else 0,
        controls=len(CONTROLS) if experiment.temperament else 0,
        **experiment.model.model_dump(),
    )


def read_conversations(
    experiment: ListenerExperiment, pack: ListeningPack, tokenizer: FaceTokenizer
) -> tuple[Conversation, ...]:
    """A pack as training data of the experiment's network."""
    return conversations(
        pack,
        tokenizer,
        sound=experiment.speech,
        controls=experiment.temperament,
        steady=experiment.steady,
    )


def train(experiment: ListenerExperiment, vocabulary: Vocabulary, *, resume: bool = False) -> ListenerTrainer:
    """Run (or finish) an experiment; returns its trainer with the network of the best round.

    Raises:
        InputError: the data or a checkpoint cannot be used, or the run folder holds a run and ``resume`` is
            off.
    """
    torch.set_num_threads(experiment.threads)
    torch.manual_seed(experiment.seed)
    learnt, validation = (
        read_conversations(experiment, load_listening(experiment.data / f"{split}.npz"), vocabulary.tokenizer)
        for split in ("train", "val")
    )
    net = ListenerNet(network_config(experiment, vocabulary.levels))
    trainer = ListenerTrainer(net, experiment.training, learnt, validation, experiment.seed)
    best = experiment.out / BEST

    def run_round(number: int) -> Mapping[str, Any]:
        row = trainer.run_round(number)
        if not best.exists() or not number or row[SCORE] <= load_checkpoint(best, {})[SCORE]:
            save_checkpoint(best, {"model": net}, None, {"round": number + 1, SCORE: row[SCORE]})
        return row

    run_rounds(
        experiment.out,
        experiment,
        experiment.seed,
        experiment.training.rounds,
        run_round,
        {"model": net},
        trainer.optimizer,
        resume=resume,
    )
    load_checkpoint(best, {"model": net})
    return trainer


def with_partner(item: Conversation, other: Conversation | None) -> Conversation:
    """The same listener with another speaker, or with nobody."""
    partner, sound = np.full_like(item.partner, UNKNOWN), np.full_like(item.sound, np.nan)
    if other is not None:
        length = min(len(partner), len(other.partner))
        partner[:length], sound[:length] = other.partner[:length], other.sound[:length]
    return replace(item, partner=partner, sound=sound)


def others_of(pack: ListeningPack) -> tuple[int, ...]:
    """For each conversation, another one without any of its people.

    It is the one half of the split later, or the next one that fits. Real corpora list every conversation
    a second time with exchanged roles, exactly half of the split later.

    Raises:
        InputError: all conversations have the same people.
    """
    people = [{item.speaker.name, item.listener.name} for item in pack.items]
    count, found = len(people), []
    for place, both in enumerate(people):
        order = ((place + count // 2 + step) % count for step in range(count))
        other = next((one for one in order if not both & people[one]), None)
        if other is None:
            raise InputError(
                f"{pack.corpus}, {pack.split}: nobody is a stranger to {pack.items[place].listener.name}"
            )
        found.append(other)
    return tuple(found)


def partners(
    trainer: ListenerTrainer, items: Sequence[Conversation], others: Sequence[int]
) -> dict[str, float]:
    """Bits a frame of listeners with their own speaker, with another conversation's speaker, and alone."""
    strangers = [items[other] for other in others]
    variants = {
        "true_partner": items,
        "other_partner": [with_partner(one, other) for one, other in zip(items, strangers, strict=True)],
        "alone": [with_partner(one, None) for one in items],
    }
    return {name: round(trainer.measure(variant), 5) for name, variant in variants.items()}


def release(
    experiment: ListenerExperiment, vocabulary: Vocabulary, trainer: ListenerTrainer, config: str
) -> dict[str, Any]:
    """Export a trained listener, measure it, and write ``report.json``; returns the report.

    Raises:
        WeightsError: ONNX Runtime answers differently, or the program refuses the file.
    """
    net, tokenizer = trainer.net, vocabulary.tokenizer
    test_pack = load_listening(experiment.data / "test.npz")
    notes = {
        "frame_rate_hz": FRAME_RATE_HZ,
        "speaks": SPEAKS,
        "tokenizer": tokenizer.pair,
        "trained_on": test_pack.corpus,
    }
    FaceListener(export_listener(net, experiment.out, notes), tokenizer)
    rows = [json.loads(line) for line in (experiment.out / "log.jsonl").read_text("utf-8").splitlines()]
    report = {
        "name": experiment.name,
        "config": config,
        "seed": experiment.seed,
        "corpus": test_pack.corpus,
        "sources": list(test_pack.sources),
        "tokenizer": tokenizer.pair,
        "rounds": len(rows),
        "training_s": round(sum(row["seconds"] for row in rows), 1),
        "machine": machine(),
        "cost": asdict(stream_cost(net.config, FRAME_RATE_HZ)),
        **load_checkpoint(experiment.out / BEST, {}),
        "test_bits_per_frame": partners(
            trainer, read_conversations(experiment, test_pack, tokenizer), others_of(test_pack)
        ),
    }
    with whole_file(experiment.out / REPORT) as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return report


def install(experiment: ListenerExperiment, report: Mapping[str, Any], config: str) -> Path:
    """Copy a run's listener into the package's assets; returns its path.

    Raises:
        InputError: the package's tokenizer is not the one of the listener's training, or no listener was
            exported.
        WeightsError: the package has no tokenizer.
    """
    installed = FaceTokenizer.default(names=LISTENER_TOKENIZER).pair
    if installed != report["tokenizer"]:
        raise InputError(
            f"the listener was trained with the tokenizer {report['tokenizer']}; the package holds "
            f"{installed}: install that tokenizer first (visavis train, with --install), or train again "
            "without the key tokenizer"
        )
    bits = report["test_bits_per_frame"]
    entry = {
        "licence": LICENCE,
        "training_data": "; ".join([report["corpus"], *report["sources"]]),
        "config": config,
        "score": {f"test_bits_per_frame_{name}": round(value, 4) for name, value in bits.items()},
    }
    return install_listener(experiment.out, ASSET, entry)


def train_listener(experiment: ListenerExperiment, *, resume: bool) -> tuple[Vocabulary, ListenerTrainer]:
    """Open the experiment's tokenizer, and run the experiment (or finish it)."""
    vocabulary = Vocabulary.open(experiment.tokenizer)
    return vocabulary, train(experiment, vocabulary, resume=resume)


def finish(
    experiment: ListenerExperiment, trained: tuple[Vocabulary, ListenerTrainer], command: Command
) -> Path:
    """Release a trained network, and install it if requested; returns the report's path."""
    report = release(experiment, *trained, command.config.name)
    if command.install:
        path = install(experiment, report, f"experiments/{command.config.name}")
        print_note(f"installed as {path}")
    return experiment.out / REPORT


TASK = Task(ListenerExperiment, train_listener, finish)
