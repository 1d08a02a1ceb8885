"""The memory that a process needs for reading faces with an ONNX network.

Run as a module, it is that process: ``python -m visavis_train.expression.sparsity.memory < NETWORK``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from visavis.base.networks import session_of
from visavis.emotion.classifier import ExpressionClassifier
from visavis.errors import VisavisError

CALLS, PROCESSES = 20, 3
STATUS = Path("/proc/self/status")


def inference_bytes(network: bytes) -> int | None:
    """What opening an expression network and reading single faces on one thread adds to the peak memory.

    Median of three processes, each fresh: what a process has freed it mostly keeps, so a second network in it
    would seem to need less.

    Args:
        network: the whole ONNX file.

    Returns:
        None where the system does not tell (it is not Linux).

    Raises:
        VisavisError: the process failed.
    """
    if peak_bytes() is None:
        return None
    words = [sys.executable, "-m", "visavis_train.expression.sparsity.memory"]
    found = []
    for _ in range(PROCESSES):
        done = subprocess.run(words, input=network, capture_output=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise VisavisError(f"the memory of a network could not be measured: {last}")
        found.append(int(done.stdout))
    return statistics.median_high(found)


def peak_bytes(status: Path = STATUS) -> int | None:
    """The most memory that this process has held so far; None where the system does not tell.

    ``getrusage`` will not do: on Linux its peak outlives exec, so a child of a large process begins with
    that one's.
    """
    try:
        lines = status.read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def main() -> None:
    """Read a network from standard input, use it, and print by how many bytes the peak rose."""
    network = sys.stdin.buffer.read()
    before = peak_bytes() or 0
    classifier = ExpressionClassifier(session_of(network, "the network"))
    faces = np.random.default_rng(0).integers(
        0, 256, (CALLS, 1, classifier.side_px, classifier.side_px), np.uint8
    )
    for face in faces:
        classifier.predict_labels(face)
    sys.stdout.write(f"{(peak_bytes() or 0) - before}\n")


if __name__ == "__main__":
    main()
