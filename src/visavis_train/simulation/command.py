"""``python -m visavis_train.simulation --out runs/simulated --seed 1``: a corpus of simulated dyads."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from visavis.base.console import print_note
from visavis.errors import InputError
from visavis_train.loop.command import status_of
from visavis_train.simulation.corpus import build, read_parts
from visavis_train.simulation.settings import Settings


def main() -> int:
    """Command line; returns the exit status."""
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m visavis_train.simulation",
        description="Simulate conversations from real parts; a run that was ended goes on where it was.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--clips", type=int, default=default.clips, help="of train; val and test: a fifth")
    parser.add_argument("--listeners", type=int, default=default.listeners, help="for each clip")
    parser.add_argument("--frames", type=int, default=default.frames, help="of a clip, 25 a second")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="speech, video, faces")
    parser.add_argument("--pack", type=Path, default=Path("runs/tokens/faces.npz"), help="of face tracks")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    args = parser.parse_args()

    def work() -> None:
        if args.workers < 1:
            raise InputError(f"--workers: at least one process; found {args.workers}")
        settings = Settings(args.seed, args.clips, args.listeners, args.frames)
        parts = read_parts(args.data, args.pack, settings.length_s)
        made = build(args.out, settings, parts, args.workers)
        print_note(
            f"{args.out}: {made} clips made now, {sum(map(settings.count, ('train', 'val', 'test')))} in all"
        )

    return status_of(work, "interrupted: the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
