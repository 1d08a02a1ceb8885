"""Face tracks whose faces at rest are all moved to one common face at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.neutral_face import resting
from visavis.types import FloatArray
from visavis_train.data.track_pack import Clip


def mean_rest(clips: Sequence[Clip], shares: Mapping[str, float]) -> FloatArray:
    """(58,): the mean of the clips' faces at rest, with the sources' shares as weights.

    Sources that are not named are left out.

    Raises:
        InputError: a channel is unknown in all clips.
    """
    total, weight = np.zeros(len(FACE_CHANNELS)), np.zeros(len(FACE_CHANNELS))
    for source, share in shares.items():
        rests = np.asarray([resting(clip.face) for clip in clips if clip.source == source])
        if len(rests):
            known = np.isfinite(rests)
            total += share * np.where(known, rests, 0).sum(axis=0) / len(rests)
            weight += share * known.mean(axis=0)
    if not weight.all():
        missing = FACE_CHANNELS[int(weight.argmin())]
        raise InputError(f"no training clip knows the channel {missing}; add a tracked video")
    return np.asarray(total / weight, np.float32)


def at_one_rest(clips: Sequence[Clip], rest: FloatArray) -> tuple[Clip, ...]:
    """Each clip, moved so that its face at rest is the given one."""
    return tuple(replace(clip, face=clip.face - resting(clip.face) + rest) for clip in clips)
