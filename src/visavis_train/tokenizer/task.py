"""The training task of a face tokenizer, on a pack of face tracks.

``visavis train experiments/tokenizer_fsq.toml [--resume] [--set key=value] [--install]``

The run folder receives ``config.json``, ``log.jsonl`` (one line a round), ``last.safetensors``,
``tokens_encoder.onnx``, ``tokens_decoder.onnx`` and ``report.json``. ``--install`` makes it the package's
general tokenizer, or with ``one_rest`` the tokenizer of its listener.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from visavis.base.console import print_note
from visavis.base.files import write_json
from visavis.base.machine import machine
from visavis.reaction.listener import LISTENER_TOKENIZER
from visavis.reaction.tokenizer import DECODER, ENCODER
from visavis_train.data.track_pack import Clip, load_tracks, split_clips
from visavis_train.loop.command import Command, Task
from visavis_train.loop.log import read_log
from visavis_train.loop.rounds import run_rounds
from visavis_train.tokenizer.config import TokenizerExperiment
from visavis_train.tokenizer.network import TokenizerNet
from visavis_train.tokenizer.neutral_faces import at_one_rest, mean_rest
from visavis_train.tokenizer.release import (
    DECODER_FILE,
    ENCODER_FILE,
    export_tokenizer,
    install_tokenizer,
    measured,
)
from visavis_train.tokenizer.trainer import TokenizerTrainer

REPORT = "report.json"


def parts_of(experiment: TokenizerExperiment) -> dict[str, tuple[Clip, ...]]:
    """The clips ``training``, ``validation`` and ``test``, at one common rest if requested.

    Raises:
        InputError: the pack cannot be read, or the split does not fit the pack.
    """
    split = experiment.split
    parts = split_clips(load_tracks(experiment.data), {"validation": split.validation, "test": split.test})
    if experiment.one_rest:
        rest = mean_rest(parts["training"], experiment.training.shares)
        parts = {part: at_one_rest(clips, rest) for part, clips in parts.items()}
    return parts


def train_tokenizer(experiment: TokenizerExperiment, *, resume: bool = False) -> TokenizerNet:
    """Run (or finish) an experiment; returns the network.

    Raises:
        InputError: the data or the checkpoint cannot be used, or the run folder holds a run and ``resume`` is
            off.
    """
    torch.set_num_threads(experiment.threads)
    trainer = TokenizerTrainer(experiment, parts_of(experiment))
    out, seed, rounds, modules = experiment.out, experiment.seed, trainer.rounds, {"model": trainer.net}
    run_rounds(out, experiment, seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume)
    return trainer.net.eval()


def release_tokenizer(experiment: TokenizerExperiment, net: TokenizerNet, config: str) -> dict[str, Any]:
    """Export a trained network, measure it, and write ``report.json``; returns the report.

    Raises:
        WeightsError: ONNX Runtime answers differently.
    """
    parts = parts_of(experiment)
    # All people now have this face at rest.
    rest = mean_rest(parts["training"], experiment.training.shares) if experiment.one_rest else None
    tokenizer = export_tokenizer(net, experiment.out, rest)
    files = [experiment.out / name for name in (ENCODER_FILE, DECODER_FILE)]
    rows = read_log(experiment.out, "round")
    report = {
        "name": experiment.name,
        "config": config,
        "quantizer": tokenizer.quantizer,
        "coder": experiment.model.coder.kind,
        "vocabulary": list(tokenizer.vocabulary),
        "window": tokenizer.window,
        "seed": experiment.seed,
        "rounds": len(rows),
        "training_s": round(sum(row["seconds"] for row in rows), 1),
        "machine": machine(),
        "parameters": sum(weights.numel() for weights in net.parameters()),
        "bytes": sum(file.stat().st_size for file in files),
        **measured(net, tokenizer, parts),
    }
    write_json(experiment.out / REPORT, report, allow_nan=True)
    return report


def finish_tokenizer(experiment: TokenizerExperiment, net: TokenizerNet, command: Command) -> Path:
    """Release a trained network, and install it if requested; returns the report's path."""
    report = release_tokenizer(experiment, net, command.config.name)
    if command.install:
        names = LISTENER_TOKENIZER if experiment.one_rest else (ENCODER, DECODER)
        paths = install_tokenizer(experiment.out, report, f"experiments/{command.config.name}", names)
        print_note("installed as " + " and ".join(str(path) for path in paths))
    return experiment.out / REPORT


TASK = Task(TokenizerExperiment, train_tokenizer, finish_tokenizer)
