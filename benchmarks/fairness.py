"""Accuracy of the expression reading in each age group, on face photographs with ages.

    python benchmarks/fairness.py ../shared/data/faces --out benchmarks/results/fairness.json

Needs the shared face crops: UTKFace with ages, and MediaPipe's answers for them (teacher.npz). The faces have
no expression labels, so "happy" is compared with the teacher's smile, on the same number of random faces of
each age group. Each face is padded by 25%, found by the embedded tracker, cut and read as in the program.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from visavis.base.files import write_json
from visavis.base.machine import machine, versions
from visavis.channels import BLENDSHAPES, EXPRESSIONS
from visavis.datasets.tables import rows
from visavis.errors import InputError
from visavis.evaluate.expressions import Model
from visavis.face.embedded import EmbeddedTracker
from visavis.metrics.expression import accuracy_interval
from visavis.metrics.ranking import area_interval, area_under_curve
from visavis.pipeline import EXPRESSION_CROP_PX, expression_region
from visavis.types import BoolArray, FloatArray, Frame, ImageArray

SOURCE = "UTKFace"
# First age of each group; the last one is open.
AGES = (18, 30, 40, 50, 60, 70)
SMILES = [BLENDSHAPES.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
# The teacher's mean smile from which a face counts as smiling: the middle of its range.
SMILING = 0.5
HAPPY = EXPRESSIONS.index("happy")
# Readings that an unsmiling face may get for its wrinkles alone; the data cannot say whether it did.
UNPLEASANT = [EXPRESSIONS.index(name) for name in ("sad", "fear", "disgust", "anger", "contempt")]


@dataclass(frozen=True, slots=True)
class Photograph:
    """A face in the shards.

    Attributes:
        name: its id.
        shard, row: where it lies.
        age: in years, as UTKFace states it.
        smile: the teacher's, 0..1.
    """

    name: str
    shard: str
    row: int
    age: int
    smile: float


def group_of(age: int) -> str:
    """The group's name, such as ``30-39``."""
    index = int(np.searchsorted(AGES, age, "right")) - 1
    return f"{AGES[index]}-{AGES[index + 1] - 1}" if index + 1 < len(AGES) else f"{AGES[index]}+"


def list_photographs(folder: Path) -> list[Photograph]:
    """Every adult with an age and an answer of the teacher.

    Raises:
        InputError: the table or the teacher's answers are missing.
    """
    try:
        with np.load(folder / "teacher.npz") as teacher:
            smiles = teacher["blendshapes"][:, SMILES].astype(np.float64).mean(axis=1)
            known = dict(zip(teacher["ids"].tolist(), smiles.tolist(), strict=True))
    except (OSError, KeyError) as error:
        raise InputError(f"{folder}: no answers of the teacher (teacher.npz): {error}") from error
    return [
        Photograph(row["id"], row["shard"], int(row["row"]), int(row["age"]), known[row["id"]])
        for _, row in rows(folder / "index.csv", ("id", "shard", "row", "source", "age"))
        if row["source"] == SOURCE and row["id"] in known and row["age"] and int(row["age"]) >= AGES[0]
    ]


def draw(photographs: list[Photograph], each: int, seed: int) -> list[Photograph]:
    """At most ``each`` random faces of each age group, in the order of the shards."""
    rng = np.random.default_rng(seed)
    chosen: list[Photograph] = []
    for group in (group_of(age) for age in AGES):
        there = [photograph for photograph in photographs if group_of(photograph.age) == group]
        picks = rng.choice(len(there), min(each, len(there)), replace=False)
        chosen += [there[pick] for pick in picks]
    return sorted(chosen, key=lambda photograph: (photograph.shard, photograph.row))


def read_images(folder: Path, photographs: list[Photograph]) -> Iterator[ImageArray]:
    """Each photograph as RGB, padded by 25%."""
    opened, jpeg, offsets = "", np.empty(0, np.uint8), np.empty(0, np.int64)
    for photograph in photographs:
        if photograph.shard != opened:
            opened = photograph.shard
            with np.load(folder / opened) as shard:
                jpeg, offsets = shard["jpeg"], shard["offsets"]
        data = jpeg[offsets[photograph.row] : offsets[photograph.row + 1]]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
        pad = len(image) // 4
        yield np.asarray(cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_CONSTANT), np.uint8)


def read_expressions(images: Iterator[ImageArray], model: Model) -> FloatArray:
    """Probabilities (N, 8); NaN where no face was found."""
    tracker = EmbeddedTracker(smooth=False)
    answers = []
    for image in images:
        tracker.reset()
        if faces := tracker.update(Frame(image, 0.0)):
            crop = expression_region(faces[0]).crop(image, EXPRESSION_CROP_PX)
            answers.append(model.classifier.predict(crop[None])[0])
        else:
            answers.append(np.full(len(EXPRESSIONS), np.nan, np.float32))
    return np.stack(answers)


def share(hits: BoolArray) -> dict[str, Any]:
    """A share with its interval; nulls where there is nobody."""
    if not len(hits):
        return {"n": 0, "share": None, "interval_95": None}
    interval = [round(value, 4) for value in accuracy_interval(hits)]
    return {"n": len(hits), "share": round(float(hits.mean()), 4), "interval_95": interval}


def describe(answers: FloatArray, smile: FloatArray) -> dict[str, Any]:
    """The figures of one group, from answers (N, 8) and the teacher's smiles (N,)."""
    found = np.isfinite(answers[:, 0])
    read, smiling = answers[found], smile[found] > SMILING
    happy, top = read[:, HAPPY], read.argmax(axis=1)
    counts = np.bincount(top[~smiling], minlength=len(EXPRESSIONS)) / max((~smiling).sum(), 1)
    return {
        "n": len(answers),
        "found": share(found),
        "smiling": share(smiling),
        "auc": round(area_under_curve(happy, smiling), 4),
        "auc_interval_95": [round(value, 4) for value in area_interval(happy, smiling)],
        "agreement": share((top == HAPPY) == smiling),
        "happy_of_smiling": share(top[smiling] == HAPPY),
        "happy_of_unsmiling": share(top[~smiling] == HAPPY),
        "unpleasant_of_unsmiling": share(np.isin(top[~smiling], UNPLEASANT)),
        "answers_of_unsmiling": {
            name: round(float(value), 4) for name, value in zip(EXPRESSIONS, counts, strict=True)
        },
        "mean_confidence": round(float(read.max(axis=1).mean()), 4),
    }


def measure(folder: Path, each: int, seed: int, model: Model) -> dict[str, Any]:
    """All groups, and everybody.

    Raises:
        InputError: the crops or their tables are missing.
    """
    photographs = draw(list_photographs(folder), each, seed)
    answers = read_expressions(read_images(folder, photographs), model)
    smile = np.asarray([photograph.smile for photograph in photographs], np.float32)
    groups = np.asarray([group_of(photograph.age) for photograph in photographs])
    return {
        "machine": machine(),
        "versions": versions(),
        "model": {"name": model.name, "bytes": model.size_bytes, "sha256": model.sha256},
        "data": SOURCE,
        "seed": seed,
        "smiling_from": SMILING,
        "all": describe(answers, smile),
        "ages": {
            name: describe(answers[groups == name], smile[groups == name]) for name in map(group_of, AGES)
        },
    }


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder of index.csv, teacher.npz and the shards")
    parser.add_argument("--each", type=int, default=400, help="faces of each age group (default 400)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="an ONNX file; default: the embedded network")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = Model.load(args.model) if args.model else Model.embedded()
    result = measure(args.faces, args.each, args.seed, model)
    if args.out:
        write_json(args.out, result)
    print(f"{'age':8}{'faces':>7}{'found':>8}{'AUC':>7}{'agree':>7}")
    for age, group in result["ages"].items():
        found, agreement = group["found"]["share"], group["agreement"]["share"]
        print(f"{age:8}{group['n']:7}{found:8.3f}{group['auc']:7.3f}{agreement:7.3f}")


if __name__ == "__main__":
    main()
