"""Ways to drop tokens, trained and compared: which choice, before or after the attention, in which layer.

    python benchmarks/sparse_ways.py FER2013 [--seeds 3] [--ways before] [--out R.json]

Each way fine-tunes the network of experiments/fer_sparse_ways.toml on the first third of Training, and then
reads PublicTest once. Finished runs are kept in runs/sparse_ways: the same command goes on. All are compared.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from visavis.base.files import write_json
from visavis.datasets.registry import find_dataset
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.cost import cost
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.release import gray_pixels
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.loop.checkpoint import save_checkpoint
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.marks import measured_on

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "fer_sparse_ways.toml"
RUNS = Path("runs/sparse_ways")
RESULT = Path(__file__).parent / "results" / "sparse_ways.json"
METHODS = "random", "cls", "learned"
WAYS = {f"{method} before": [f"method={method}", "keys=kept"] for method in METHODS}
WAYS |= {f"{method} after": [f"method={method}"] for method in METHODS}
WAYS |= {f"cls after, layer {n}": ["method=cls", f"layers=[{n}]"] for n in range(1, 6)}
RESAMPLES = 2000


def begin(data: Path) -> Path:
    """The weights of the embedded network as a checkpoint: ONNX takes long to read."""
    if not (path := RUNS / "start.safetensors").exists():
        experiment = load_experiment(EXPERIMENT, Experiment, [f"data={data}"])
        faces = find_dataset(data).read("Training")
        save_checkpoint(path, {"model": ExpressionTrainer(experiment, faces).network}, None, {})
    return path


def train(way: str, seed: int, data: Path) -> dict[str, Any]:
    """Fine-tune in one way; the accuracy, and for each face of PublicTest 1 if it was read rightly."""
    changes = [f"model.pruning.{change}" for change in WAYS[way]]
    changes += [f"seed={seed}", f"data={data}", f"init={begin(data)}"]
    experiment = load_experiment(EXPERIMENT, Experiment, changes)
    torch.set_num_threads(experiment.threads)
    faces, tested = (find_dataset(data).read(split) for split in ("Training", "PublicTest"))
    third = faces[np.arange(1, len(faces) // 3 + 1)]  # 9,569 faces; the measured runs lacked face 0.
    trainer, start_s = ExpressionTrainer(experiment, third), time.process_time()
    while not trainer.finished:
        loss = trainer.run_epoch()["loss"]
    cpu_s, network = time.process_time() - start_s, trainer.average.module.eval()
    graph = ExpressionGraph(network)
    pictures = torch.from_numpy(gray_pixels(tested))[:, None]
    with torch.no_grad():
        answers = torch.cat([graph(some)[1].argmax(dim=1) for some in pictures.split(256)])
    right = answers.numpy() == tested.labels
    return {
        "accuracy": float(right.mean()),
        "loss": loss,
        "cpu_s": round(cpu_s, 1),
        "macs": cost(network, experiment.model.image_px).macs,
        "right": "".join("01"[each] for each in right.tolist()),
    }


def against(runs: dict[str, dict[int, dict[str, Any]]], first: str, second: str) -> dict[str, Any] | None:
    """The difference of two ways over the seeds that both have, with a bootstrap over the faces."""
    if not (seeds := sorted(runs[first].keys() & runs[second].keys())):
        return None
    right = [[[int(digit) for digit in runs[way][n]["right"]] for n in seeds] for way in (first, second)]
    each = np.subtract(*np.array(right))
    rng, mean = np.random.default_rng(0), each.mean(axis=0)
    drawn = [mean[rng.integers(0, len(mean), len(mean))].mean() for _ in range(RESAMPLES)]
    return {
        "difference": float(mean.mean()),
        "interval_95": [float(value) for value in np.quantile(drawn, (0.025, 0.975))],
        "seeds": {seed: float(value) for seed, value in zip(seeds, each.mean(axis=1), strict=True)},
    }


def summary(runs: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any]:
    """Each way's runs, and its difference from random dropping at the same point, or from layer 0."""
    found = {}
    for way in (each for each in runs if runs[each]):
        rival = "cls after" if "layer" in way else f"random {way.split()[1]}"
        found[way] = {
            "runs": {n: {k: v for k, v in run.items() if k != "right"} for n, run in runs[way].items()},
            "against": rival,
            **((way != rival and against(runs, way, rival)) or {}),
        }
    return found


def main() -> None:
    """Train what is not there yet, and write the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="FER-2013, with Training and PublicTest")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", default="", help="train only ways with these words in their names")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    runs: dict[str, dict[int, dict[str, Any]]] = {way: {} for way in WAYS}
    for seed in range(1, given.seeds + 1):
        for way in WAYS:
            path = RUNS / f"{way.replace(', ', ' ').replace(' ', '-')}-{seed}.json"
            if not path.exists() and given.ways in way:
                write_json(path, train(way, seed, given.data))
            if path.exists():
                runs[way][seed] = json.loads(path.read_text())
                print(way, seed, runs[way][seed]["accuracy"], flush=True)
    write_json(given.out, {**measured_on(find_dataset(given.data).read("PublicTest")), "ways": summary(runs)})


if __name__ == "__main__":
    main()
