"""Let three listeners react to a person: ``python examples/listen_to_a_person.py CLIP [SOUND]``."""

import sys
from pathlib import Path

import visavis
from visavis.channels import FACE_INDEX
from visavis.cli import run_plainly


def main() -> None:
    """Track the person, let listeners hear the sound if one is named, and print how they move."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    clip = Path(sys.argv[1])
    track = clip.parent / f"{clip.stem}.npz"
    visavis.record(clip, track=track)
    audio = sys.argv[2] if len(sys.argv) > 2 else None  # The clip itself, where it has sound.
    reaction = visavis.react(track, audio=audio, samples=3, style={"nodding": 0.9})
    reaction.save(clip.with_suffix(".reactions.npz"))
    print(reaction)
    for number, face in enumerate(reaction.face, start=1):
        nods = face[:, FACE_INDEX["pitch"]].std()
        smile = face[:, FACE_INDEX["mouthSmileLeft"]].mean()
        print(f"listener {number}: head moves by {nods:.3f} rad, mean smile {smile:.2f}")


if __name__ == "__main__":
    sys.exit(run_plainly(main))
