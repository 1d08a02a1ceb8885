"""The command ``visavis evaluate voices``: expressions from a face, from a voice and from both."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.words import counted
from visavis.cli.labeled import JsonOption
from visavis.cli.recognizer import DENSE, RecognizerOption
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.datasets.faces import LabeledFaces
    from visavis.evaluate.voices import WitnessAnswers
    from visavis.expression.voice import VoiceClassifier


def voices(
    clips: Annotated[
        Path, typer.Argument(metavar="RAVDESS", help="Folder of RAVDESS's files, videos or sound alone.")
    ],
    split: Annotated[
        str, typer.Option(help="Actors: train (1 to 16), val (17 to 20), test (21 to 24) or all.")
    ] = "test",
    faces: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Also pair labelled faces, such as fer2013.csv, with clips of the same expression.",
            show_default="none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the pairs.")] = 0,
    voice: Annotated[
        Path | None,
        typer.Option(metavar="VOICE.onnx", help="A voice network.", show_default="the embedded one"),
    ] = None,
    recognizer: RecognizerOption = DENSE,
    as_json: JsonOption = False,
) -> None:
    """Measure how well expressions are recognised from a face, from a voice, and from both.

    RAVDESS's files are told apart by their names: modality, channel, emotion, intensity, statement,
    repetition, actor. Songs are left out, and calm counts as neutral. Videos are read with their faces, and
    the result stands for each actor; sound alone gives the voice alone.

    With --faces, each face of half of the data set is paired with a clip of the same expression. Face and
    voice are then independent given the expression, so the result is an optimistic bound for one person's
    face and voice. The weight of the voice is chosen on the other half and the clips of val.

    Examples:

        visavis evaluate voices RAVDESS/
        visavis evaluate voices RAVDESS/ --split all --json
        visavis evaluate voices RAVDESS/ --faces fer2013.csv --seed 0
    """
    from visavis.base import networks
    from visavis.datasets.ravdess import read_clips
    from visavis.datasets.registry import find_dataset
    from visavis.evaluate import voices as measured
    from visavis.expression.voice import WEIGHT, VoiceClassifier
    from visavis.pipeline import Pipeline

    if faces is not None and split != "test":
        raise InputError("--faces chooses the voice's weight on val and reports test: leave out --split")
    labeled = None if faces is None else find_dataset(faces).read(None)
    found = read_clips(clips, None if split == "all" else split)
    if voice is None:
        classifier = VoiceClassifier()
    else:
        session = networks.open_file(voice)
        with networks.naming(voice):
            classifier = VoiceClassifier(session)
    make_pipeline = partial(Pipeline, recognizer=recognizer)
    with console.progress("evaluate", len(found), "clips") as advance:
        answers = measured.read_witnesses(found, classifier, make_pipeline, advance)
    facts: dict[str, Any] = {"clips": len(found), "split": split, "weight": WEIGHT}
    facts |= _facts(answers, WEIGHT)
    pairs = None if labeled is None else _pairs(clips, labeled, answers, classifier, recognizer, seed)
    facts["pairs"] = pairs
    if as_json:
        console.print_json(facts)
    else:
        _print(facts)


def _facts(answers: WitnessAnswers, weight: float) -> dict[str, Any]:
    """What ``--json`` prints of clips or pairs."""
    facts: dict[str, Any] = {
        "witnesses": {name: scores.json() for name, scores in answers.scores(weight).items()},
        "accuracy_by_actor": {
            str(actor): {name: round(value, 4) for name, value in those.items()}
            for actor, those in answers.by_actor(weight).items()
        },
    }
    if answers.face is not None:
        gain, low, high = answers.gain(weight)
        facts["both_minus_face"] = [round(value, 4) for value in (gain, low, high)]
    return facts


def _pairs(
    clips: Path,
    faces: LabeledFaces,
    spoken: WitnessAnswers,
    classifier: VoiceClassifier,
    recognizer: str,
    seed: int,
) -> dict[str, Any]:
    """The figures of pairs, with the weight that other faces and other actors chose."""
    from visavis.datasets.ravdess import read_clips
    from visavis.evaluate import voices as measured
    from visavis.expression.registry import open_classifier

    face = open_classifier(recognizer)
    choosing, reported = measured.halves(faces, seed)
    # The weight is chosen on pairs, so the pictures of val's clips are not read.
    val = measured.read_witnesses(
        [replace(clip, seen=False) for clip in read_clips(clips, "val")], classifier
    )
    weight, temperature = measured.choose_weight(measured.pair(choosing, face, val, seed))
    pairs = measured.pair(reported, face, spoken, seed)
    facts = {"dataset": reported.name, "split": reported.split, "seed": seed, "weight": weight}
    return {**facts, "temperature": round(temperature, 4), **_facts(pairs, weight)}


def _print(facts: dict[str, Any]) -> None:
    console.print_line(f"RAVDESS, {facts['split']}: {counted(facts['clips'], 'clip')}")
    _print_scores(facts)
    pairs = facts["pairs"]
    if pairs is not None:
        console.print_line(
            f"pairs of faces ({pairs['dataset']}, half of {pairs['split']}) and clips, seed {pairs['seed']}: "
            f"an optimistic bound; weight of the voice {pairs['weight']:.2f}, chosen on val and other faces"
        )
        _print_scores(pairs)


def _print_scores(facts: dict[str, Any]) -> None:
    witnesses = facts["witnesses"]
    for name, scores in witnesses.items():
        low, high = scores["interval_95"]
        console.print_line(
            f"{name}: accuracy {scores['accuracy']:.1%} ({low:.1%} to {high:.1%}) of {scores['n']}, mean "
            f"recall {scores['mean_recall']:.1%}, ECE {scores['ece']:.1%}"
        )
    if "both_minus_face" in facts:
        gain, low, high = (100 * value for value in facts["both_minus_face"])
        console.print_line(f"both minus face: {gain:+z.1f} points ({low:+z.1f} to {high:+z.1f})")
    labels = next(iter(witnesses.values()))["recall"]
    recall = [[label, *(f"{100 * s['recall'][label]:.1f}" for s in witnesses.values())] for label in labels]
    console.print_table(["recall, %", *witnesses], recall)
    rows = [
        [actor, *(f"{100 * value:.1f}" for value in those.values())]
        for actor, those in facts["accuracy_by_actor"].items()
    ]
    console.print_table(["accuracy, % of actor", *witnesses], rows)
