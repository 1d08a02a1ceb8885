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
from visavis.errors import VisavisError
from visavis.expression.classifier import ExpressionClassifier

CALLS, PROCESSES = 20, 3
STATUS = Path("/proc/self/status")


def inference_bytes(network: bytes) -> int | None:
    """Peak memory that opening an expression network and reading single faces on one thread add.

    Median of three new processes: a process keeps most of its freed memory, so a second network in it
    would seem to need less.

    Returns:
        None on systems other than Linux, which do not report it.

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
            raise VisavisError(
                f"the memory of a network could not be measured: {last.partition('Error: ')[2] or last}"
            )
        found.append(int(done.stdout))
    return statistics.median_high(found)


def peak_bytes(status: Path = STATUS) -> int | None:
    """Peak memory of this process so far; None if the system does not report it.

    ``getrusage`` is no alternative: on Linux its peak survives exec, so a child of a large process begins
    with the parent's peak.
    """
    try:
        lines = status.read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def print_memory() -> None:
    """Read a network from standard input, use it, and print the rise of the peak in bytes."""
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
    print_memory()
