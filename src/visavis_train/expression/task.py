"""The training task of expression networks, on labelled faces.

``visavis train [EXPERIMENT.toml] [--data FOLDER] [--out RUN] [--resume] [--set key=value] [--install]``

The run folder receives ``config.json``, ``machine.json`` (the training machine), ``log.jsonl`` (one line an
epoch), ``tensorboard/``, ``last.safetensors`` (to resume; written after each epoch that is the best so far,
and after others once in 20 s), ``best.safetensors`` (the averaged weights that did best on the validation
faces), ``expression.onnx``, ``report.json`` and ``card.md``; ``faces.csv`` if pictures are files: a data set
of the run's splits; with ``training.keep_rates`` also ``expression_sparse.onnx``, which has the number of
tokens as an input.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from visavis.base.console import print_note
from visavis.base.files import write_json
from visavis.datasets.duplicates import seen_in
from visavis.datasets.faces import ImageFiles, LabeledFaces
from visavis.datasets.picture_table import TABLES, write_picture_table
from visavis.errors import InputError
from visavis.expression import sparse
from visavis_train.data.face_crops import read_crops
from visavis_train.expression.card import CARD, write_card
from visavis_train.expression.config import Experiment
from visavis_train.expression.data.sources import Splits, read_splits
from visavis_train.expression.distillation import onnx_teacher
from visavis_train.expression.folder import standing, trained_on, write_description
from visavis_train.expression.imbalance import told
from visavis_train.expression.init import require_start, start_teacher
from visavis_train.expression.models.cost import cost
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.release import (
    NAME,
    Scores,
    export_network,
    export_sparse,
    gray_pixels,
    install_expression,
    score_network,
    score_reader,
)
from visavis_train.expression.teachers import teacher_answers
from visavis_train.expression.trainer import ExpressionTrainer, make_accelerator
from visavis_train.loop.checkpoint import BEST, LAST, load_checkpoint, save_checkpoint
from visavis_train.loop.command import Command, Task
from visavis_train.loop.log import RunLog, read_log
from visavis_train.loop.progress import Watch, no_progress, progress_bar

# On a GPU an epoch may take a second, and writing a checkpoint may take longer.
SAVE_EVERY_S = 20.0


def train_expression(experiment: Experiment, *, resume: bool = False) -> Path:
    """Run (or finish) an experiment; returns the run folder.

    Raises:
        InputError: data, teachers or checkpoint cannot be used, or the run folder holds a run and ``resume``
            is off.
        VisavisError: pretrained weights cannot be fetched.
    """
    torch.set_num_threads(experiment.threads)
    out, last = experiment.out, experiment.out / LAST
    accelerator = make_accelerator(experiment.mixed_precision)
    found, main = standing(experiment, resume=resume), accelerator.is_main_process
    if found == "trained":
        return out
    if found == "new":
        require_start(experiment)
    watch = progress_bar if main else no_progress
    splits = experiment_faces(experiment, watch)
    crops = [read_crops(folder) for folder in experiment.distillation.faces]
    taught = teacher_answers(experiment, [gray_pixels(splits.training), *crops], watch)
    unlabeled = np.concatenate(crops) if crops else None
    trainer = ExpressionTrainer(
        experiment, splits.training, accelerator, taught, unlabeled, fresh=found == "new"
    )
    if found == "begun":
        trainer.load(last)
    if main and resume and found == "new":
        print_note(f"{out}: no run to go on with; a new one begins")
    for note in (*splits.notes, told(splits.training, experiment.training.imbalance)) if main else ():
        print_note(note)
    accelerator.wait_for_everyone()  # Others must not see what the first one writes from here on.
    if main and not trainer.finished and (changes := write_description(experiment, accelerator.device)):
        print_note(f"{out}: goes on with other settings: {', '.join(changes)}")
    if main and any(isinstance(faces.images, ImageFiles) for _, faces in splits.files):
        write_picture_table(out / TABLES[0], splits.files)
    with RunLog(out, experiment.training.epochs, trainer.epoch) if main else nullcontext() as log:
        saved_s = -math.inf
        while not trainer.finished:
            better = _train_epoch(trainer, splits.validation, log)
            if main and (better or trainer.finished or time.monotonic() - saved_s > SAVE_EVERY_S):
                trainer.save(last)
                saved_s = time.monotonic()
    accelerator.end_training()
    return out


def experiment_faces(experiment: Experiment, watch: Watch = no_progress) -> Splits:
    """The faces of an experiment, always divided in the same way.

    Raises:
        InputError: see :func:`~visavis_train.expression.data.sources.read_splits`; or all faces to learn from
            have one label.
    """
    splits = read_splits(
        experiment.data,
        held_out=experiment.held_out,
        repeats=experiment.repeats,
        side_px=experiment.reading.face_px,
        seed=experiment.seed,
        watch=watch,
    )
    labels = np.unique(splits.training.labels)
    if len(labels) == 1:
        raise InputError(
            f"{experiment.data[0].path}: all faces to learn from are {splits.training.names[labels[0]]!r}; "
            "name pictures of at least two expressions"
        )
    return splits


def _train_epoch(trainer: ExpressionTrainer, chosen_on: LabeledFaces, log: RunLog | None) -> bool:
    """Train one epoch, score it and save it; returns whether it was the best so far.

    Only the first process has a ``log``.
    """
    out, side_px = trainer.experiment.out, trainer.experiment.side_px(trainer.epoch)
    row: dict[str, Any] = {"epoch": trainer.epoch, "side_px": side_px}
    row |= trainer.run_epoch(no_progress if log is None else progress_bar)
    network = trainer.average.module
    scores: list[Scores] = (
        [score_network(network, chosen_on, side_px=side_px)] if log else [Scores(0, 0, 0, 0, 0)]
    )
    broadcast_object_list(scores)  # All processes must make the same choice, and stop together.
    better = trainer.judge(scores[0], side_px)
    if log is not None:
        row |= scores[0].as_dict()
        row["validation_loss"] = row.pop("cross_entropy")
        if better:
            save_checkpoint(out / BEST, {"model": network}, None, row)
        log.write(row)
    return better


def release_expression(experiment: Experiment, config: Path) -> tuple[Path, Scores]:
    """Export the best weights of a finished run and measure them; writes ``report.json`` and ``card.md``.

    Raises:
        InputError: the run has no best weights, or its data cannot be read.
        WeightsError: ONNX Runtime answers differently.
    """
    side_px = experiment.model.image_px
    model = build_model(experiment.model, experiment.reading, download=False)
    progress = load_checkpoint(experiment.out / BEST, {"model": model})
    network = experiment.out / "expression.onnx"
    export_network(model.eval(), network, side_px, half_weights=experiment.half_weights)
    if isinstance(model, SparseNet) and experiment.training.keep_rates:
        [rate] = model.pruning.rates.values()
        export_sparse(model, experiment.out / f"{sparse.NAME}.onnx", rate)
    splits = experiment_faces(experiment)
    chosen_on, test = splits.validation, splits.test
    # Measures the file, not the torch network.
    answer = onnx_teacher(network, experiment.threads, experiment.reading.face_px)
    scores = score_reader(answer, chosen_on)
    unseen = ~seen_in(chosen_on, splits.training)
    before = start_teacher(experiment)
    rows = read_log(experiment.out)
    costs = cost(model, side_px)
    report = {
        "name": experiment.name,
        "config": config.name,
        "kind": experiment.model.kind,
        "seed": experiment.seed,
        "epochs": len(rows),
        "best_epoch": progress["epoch"] + 1,
        "training_s": round(sum(row["seconds"] for row in rows), 1),
        "machine": trained_on(experiment.out),
        "processes": PartialState().num_processes,
        "parameters": costs.parameters,
        "macs": costs.macs,
        "bytes": network.stat().st_size,
        "validation": scores.as_dict(),
        "validation_mirrored": score_reader(answer, chosen_on, mirror=True).as_dict(),
        "validation_without_images_of_training": (
            score_reader(answer, chosen_on[unseen]).as_dict() if unseen.any() else None
        ),
        "test": None if test is None else score_reader(answer, test).as_dict(),
        "before_training": before and score_reader(before, splits.judged).as_dict(),
    }
    write_card(experiment, splits, (answer, before), report)
    write_json(experiment.out / "report.json", report, allow_nan=True)
    return network, scores


def finish_expression(experiment: Experiment, _: object, command: Command) -> Path | None:
    """Release the trained network, and install it if requested; returns the report's path.

    With several processes, the first one does it.
    """
    if not PartialState().is_main_process:
        return None
    network, scores = release_expression(experiment, command.config)
    if command.install:
        name = sparse.NAME if experiment.training.keep_rates else NAME
        config = f"experiments/{command.config.name}"
        installed = install_expression(
            network.with_stem(name), scores, config, name, experiment.also_trained_on
        )
        print_note(f"installed as {installed}")
    print_note(f"{experiment.out / CARD}: what it learned from, and how well it does")
    data = "" if (experiment.out / TABLES[0]).exists() else f" --data {quote(str(experiment.data[0].path))}"
    run = quote(str(experiment.out))
    print_note(f"next: visavis quantize {run} --method int8{data} --out NET.onnx")
    print_note(f"or: visavis run 0 --recognizer {run}")
    return experiment.out / "report.json"


TASK = Task(Experiment, train_expression, finish_expression)
