"""A model's trial: it is drawn in a process of its own first, because a damaged one can crash native code.

Cubism Core finds most damage by itself. Of the rest, much shows when the model is drawn for the first time.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from visavis.channels import AVATAR_PARAMETERS
from visavis.cubism.folder import ModelFolder
from visavis.cubism.model import Live2DModel
from visavis.errors import InputError, VisavisError
from visavis.types import AvatarPose

# Loading a large model on a busy computer takes seconds.
LONGEST_S = 120.0
MIXES = 8
SIDE_PX = 64


def try_model(folder: ModelFolder) -> None:
    """Draw a model once in a process of its own.

    Raises:
        InputError: the process failed, crashed or did not end.
    """
    command = [sys.executable, "-m", "visavis.cubism.trial", str(folder.path)]
    try:
        ended = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{folder.path}: drawing it does not end; export the model again") from error
    if ended.returncode:
        # A process that crashed leaves no message of ours.
        said = ended.stderr.strip().splitlines()[-1:] if ended.returncode == 1 else []
        why = said[0] if said else f"{folder.path}: drawing it crashes; its .moc3 is damaged"
        raise InputError(why)


def _draw(path: str) -> None:
    model = Live2DModel(ModelFolder.load(path))
    low, high, rest = np.asarray(list(AVATAR_PARAMETERS.values()), np.float32).T
    rng = np.random.default_rng(0)
    mixes = [np.where(rng.random(len(low)) < 0.5, low, high) for _ in range(MIXES)]
    for step, values in enumerate((rest, low, high, *mixes)):
        model.draw(AvatarPose(values, step / 25), SIDE_PX)


if __name__ == "__main__":
    try:
        _draw(sys.argv[1])
    except VisavisError as caught:
        sys.exit(str(caught))
    except SystemError:  # live2d-py reads text that is none.
        sys.exit(f"{sys.argv[1]}: its .moc3 is damaged: the names in it are no text")
