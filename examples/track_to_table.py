"""Write a track as CSV: ``python examples/track_to_table.py CLIP``."""

import sys
from pathlib import Path

import numpy as np

import visavis
from visavis.cli import run_plainly


def main() -> None:
    """Track the clip, write the table, and say when the person smiles most."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    clip = Path(sys.argv[1])
    visavis.record(clip, track=clip.parent / f"{clip.stem}.npz")
    track = visavis.Track.load(clip.with_suffix(".npz"))
    track.to_csv(clip.with_name(f"{clip.stem}_table.csv"))
    smile = (track["mouthSmileLeft"] + track["mouthSmileRight"]) / 2
    if not track.found.any():
        sys.exit(f"{clip}: no face")
    most = int(np.nanargmax(smile))
    print(track)
    print(f"widest smile: {smile[most]:.2f} at {track.time_s[most]:.2f} s")


if __name__ == "__main__":
    sys.exit(run_plainly(main))
