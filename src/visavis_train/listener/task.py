"""The training task of a listener of faces, on packs of conversations.

``visavis train experiments/listener.toml [--resume] [--set key=value] [--install]``

The run folder receives ``config.json``, ``log.jsonl`` (one line a round), ``last.safetensors`` to go on from,
``best.safetensors`` of the round with the fewest bits a frame on validation, ``listener.onnx`` of that round,
and ``report.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from visavis.base.console import print_note
from visavis.base.files import write_json
from visavis.base.machine import machine
from visavis.errors import InputError
from visavis.reaction.cues import HEARD_CHANNELS
from visavis.reaction.listener import ASSET, LISTENER_TOKENIZER, SPEAKS, ListenerModel
from visavis.reaction.predictor import UNKNOWN
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.reaction.style import CONTROLS
from visavis.reaction.tokenizer import FaceTokenizer
from visavis_train.data.conversation_pack import ListeningPack, load_listening, require_splits
from visavis_train.listener.batches import Conversation
from visavis_train.listener.config import ListenerExperiment
from visavis_train.listener.cost import stream_cost
from visavis_train.listener.network import ListenerConfig, ListenerNet
from visavis_train.listener.release import LISTENER_FILE, export_listener
from visavis_train.listener.tokens import TokenVocabulary, token_conversations
from visavis_train.listener.trainer import ListenerTrainer
from visavis_train.loop.checkpoint import BEST, load_checkpoint, save_checkpoint
from visavis_train.loop.command import Command, Task
from visavis_train.loop.log import read_log
from visavis_train.loop.rounds import run_rounds
from visavis_train.onnx.export import install

REPORT = "report.json"
LICENCE = "for research and personal use: see the licences of what its training data were made from"
SCORE = "validation_bits_per_frame"


def network_config(
    experiment: ListenerExperiment, levels: tuple[int, ...], heard: int = len(HEARD_CHANNELS)
) -> ListenerConfig:
    """The network of an experiment, for a tokenizer's levels and so many numbers of sound a frame."""
    return ListenerConfig(
        levels=levels,
        sound_channels=heard if experiment.speech else 0,
        controls=len(CONTROLS) if experiment.style else 0,
        **experiment.model.model_dump(),
    )


def train_listener(
    experiment: ListenerExperiment, vocabulary: TokenVocabulary, *, resume: bool = False
) -> ListenerTrainer:
    """Run (or finish) an experiment; returns its trainer with the network of the best round.

    Raises:
        InputError: the data or a checkpoint cannot be used, or the run folder holds a run and ``resume`` is
            off.
    """
    require_splits(experiment.data)
    torch.set_num_threads(experiment.threads)
    torch.manual_seed(experiment.seed)
    packs = (load_listening(experiment.data / f"{split}.npz") for split in ("train", "val"))
    learnt, validation = (token_conversations(experiment, pack, vocabulary.tokenizer) for pack in packs)
    net = ListenerNet(network_config(experiment, vocabulary.levels, learnt[0].sound.shape[1]))
    trainer = ListenerTrainer(net, experiment.training, learnt, validation, experiment.seed)
    best = experiment.out / BEST

    def run_round(number: int) -> Mapping[str, Any]:
        row = trainer.run_round(number)
        if not best.exists() or not number or row[SCORE] <= load_checkpoint(best, {})[SCORE]:
            save_checkpoint(best, {"model": net}, None, {"round": number + 1, SCORE: row[SCORE]})
        return row

    out, seed, rounds, modules = experiment.out, experiment.seed, experiment.training.rounds, {"model": net}
    run_rounds(out, experiment, seed, rounds, run_round, modules, trainer.optimizer, resume=resume)
    load_checkpoint(best, {"model": net})
    return trainer


def with_speaker(item: Conversation, other: Conversation | None) -> Conversation:
    """The same listener with another speaker, or with nobody."""
    speaker, sound = np.full_like(item.speaker, UNKNOWN), np.full_like(item.sound, np.nan)
    if other is not None:
        length = min(len(speaker), len(other.speaker))
        speaker[:length], sound[:length] = other.speaker[:length], other.sound[:length]
    return replace(item, speaker=speaker, sound=sound)


def others_of(pack: ListeningPack) -> tuple[int, ...] | None:
    """For each conversation, another one without any of its people; None if there is not always one.

    It is the one half of the split later, or the next one that fits. Real corpora list every conversation
    a second time with exchanged roles, exactly half of the split later.
    """
    people = [{item.speaker.name, item.listener.name} for item in pack.items]
    count, found = len(people), []
    for place, both in enumerate(people):
        order = ((place + count // 2 + step) % count for step in range(count))
        other = next((one for one in order if not both & people[one]), None)
        if other is None:
            print_note(
                f"{pack.corpus}, {pack.split}: nobody is a stranger to {pack.items[place].listener.name}; "
                "the bits with another speaker are not measured"
            )
            return None
        found.append(other)
    return tuple(found)


def speakers(
    trainer: ListenerTrainer, items: Sequence[Conversation], others: Sequence[int] | None
) -> dict[str, float | None]:
    """Bits a frame of listeners with their own speaker, with another conversation's speaker, and alone."""
    variants = {
        "true_speaker": items,
        "other_speaker": [
            with_speaker(items[place], items[other]) for place, other in enumerate(others or ())
        ],
        "alone": [with_speaker(one, None) for one in items],
    }
    return {
        name: round(trainer.measure(variant), 5) if variant else None for name, variant in variants.items()
    }


def release_listener(
    experiment: ListenerExperiment, vocabulary: TokenVocabulary, trainer: ListenerTrainer, config: str
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
        "traits": test_pack.traits,
        "ahead": experiment.ahead,
    }
    exported = export_listener(net, experiment.out, notes)
    # The program hears its own features; a listener of others is measured in bits and not run.
    if net.config.sound_channels in (0, len(HEARD_CHANNELS)):
        ListenerModel(exported, tokenizer)
    rows = read_log(experiment.out, "round")
    report = {
        "name": experiment.name,
        "config": config,
        "seed": experiment.seed,
        "corpus": test_pack.corpus,
        "sources": list(test_pack.sources),
        "tokenizer": tokenizer.pair,
        "sound_channels": net.config.sound_channels,
        "rounds": len(rows),
        "training_s": round(sum(row["seconds"] for row in rows), 1),
        "machine": machine(),
        "cost": asdict(stream_cost(net.config, FRAME_RATE_HZ)),
        **load_checkpoint(experiment.out / BEST, {}),
        "test_bits_per_frame": speakers(
            trainer, token_conversations(experiment, test_pack, tokenizer), others_of(test_pack)
        ),
    }
    write_json(experiment.out / REPORT, report, allow_nan=True)
    return report


def install_run(experiment: ListenerExperiment, report: Mapping[str, Any], config: str) -> Path:
    """Copy a run's listener into the package's assets; returns its path.

    Raises:
        InputError: the program cannot run it, the package's tokenizer is not the one of its training, or no
            listener was exported.
        WeightsError: the package has no tokenizer.
    """
    if (heard := report["sound_channels"]) not in (0, len(HEARD_CHANNELS)):
        raise InputError(
            f"the listener hears {heard} numbers a frame, which the program does not compute: leave out "
            "--install, or train with speech = true"
        )
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
        "score": {
            f"test_bits_per_frame_{name}": round(value, 4)
            for name, value in bits.items()
            if value is not None
        },
    }
    return install(experiment.out / LISTENER_FILE, ASSET, entry)


def open_and_train(
    experiment: ListenerExperiment, *, resume: bool
) -> tuple[TokenVocabulary, ListenerTrainer]:
    """Open the experiment's tokenizer, and run the experiment (or finish it)."""
    vocabulary = TokenVocabulary.open(experiment.tokenizer)
    return vocabulary, train_listener(experiment, vocabulary, resume=resume)


def finish_listener(
    experiment: ListenerExperiment, trained: tuple[TokenVocabulary, ListenerTrainer], command: Command
) -> Path:
    """Release a trained network, and install it if requested; returns the report's path."""
    report = release_listener(experiment, *trained, command.config.name)
    if command.install:
        path = install_run(experiment, report, f"experiments/{command.config.name}")
        print_note(f"installed as {path}")
    return experiment.out / REPORT


TASK = Task(ListenerExperiment, open_and_train, finish_listener)
