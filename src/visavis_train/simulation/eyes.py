"""Blinks and glances over a clip, from rates and shares, for speakers and for listeners."""

from __future__ import annotations

import numpy as np

from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.datasets.react import FPS
from visavis.types import FloatArray
from visavis_train.simulation.movements import BLINK, SACCADE_FRAMES, reach, rise_curve
from visavis_train.simulation.seed_stream import SeedStream

# Mean blinks a minute at rest and in conversation, log-normal over people: Bentivoglio et al. 1997,
# "Analysis of blink rate patterns in normal subjects", Movement Disorders 12(6):1028-1034. A listener, who
# does not talk, is assumed to be half way to rest. The spread over people is our choice.
BLINKS_AT_REST, BLINKS_TALKING = 17.0, 26.0
BLINKS_LISTENING = (BLINKS_AT_REST + BLINKS_TALKING) / 2
PERSON_SPREAD, INTERVAL_SPREAD = 0.25, 0.6
LEAST_INTERVAL_S = 0.4
# Closing of the lids in a blink, in our tracker's numbers: 0.4 to 0.8 in GRID's and the other tracks.
LIDS = (0.5, 0.8)
# Share of the time that people look at the other while listening and while talking, and the mean length of a
# glance: Argyle and Ingham 1972, "Gaze, mutual gaze, and proximity", Semiotica 6:32-49, in the values that
# later work repeats; we have not seen the printed table itself.
LOOK_LISTENING, LOOK_TALKING, GLANCE_S = 0.75, 0.41, 2.95
LEAST_GLANCE_S = 0.4
# People do not look away for long: a lower share makes looks shorter instead. Our choice.
AWAY_S = 2.0
# Size of a turn away of the eyes, in weights of eyeLook*: our choice.
ASIDE, DOWN, UP = (0.25, 0.6), 0.5, 0.2
# While looking at a face, the eyes go from eye to eye and to the mouth. Size and pace are our choice.
SCAN, SCAN_S = 0.04, 0.7
# Eyes that look away also move often: seconds at one place, our choice.
ASIDE_S = 1.2
# Turn of the head for a turn of the eyes by 1: radians of yaw and of pitch. Our choice.
HEAD_WITH_EYES = (0.12, 0.06)


def lid_closing(
    frames: int, per_minute: float, seeds: SeedStream, also_at: tuple[int, ...] = ()
) -> FloatArray:
    """(T,) closing of the lids, 0 to 1.

    Args:
        frames: T.
        per_minute: mean rate of people; this person's own rate is drawn.
        seeds: this person's randomness.
        also_at: frames at which additional blinks begin.
    """
    result = np.zeros(frames, np.float32)
    own = per_minute * np.exp(PERSON_SPREAD * seeds.at("blink rate").standard_normal())
    mean_s = 60 / own
    at_s, number = 0.0, 0
    starts = list(also_at)
    while at_s < frames / FPS:
        draw = seeds.at("blink", number)
        middle = np.log(mean_s) - INTERVAL_SPREAD**2 / 2
        at_s += max(float(np.exp(middle + INTERVAL_SPREAD * draw.standard_normal())), LEAST_INTERVAL_S)
        starts.append(int(at_s * FPS))
        number += 1
    for start in starts:
        reach(result, start, BLINK * seeds.at("lids", start).uniform(*LIDS))
    return result


def glances(
    look_share: FloatArray, seeds: SeedStream, away_at: tuple[int, ...] = ()
) -> tuple[FloatArray, list[int]]:
    """The gaze: (T, 2) to the picture's right and up, 0 at the other's face; and the times of looking away.

    Args:
        look_share: (T,) share of the time that the eyes rest on the other; used when a glance ends.
        seeds: this person's randomness.
        away_at: frames at which looking eyes turn away.
    """
    frames = len(look_share)
    goal = np.zeros((frames, 2), np.float32)
    left: list[int] = []
    looking = bool(seeds.at("glance first").random() < look_share[0])
    number, start = 0, 0
    while start < frames:
        draw = seeds.at("glance", number)
        share = float(np.clip(look_share[start], 0.05, 0.97))
        # Looks have the published length, unless the eyes would look away for too long.
        away_s = min(GLANCE_S * (1 - share) / share, AWAY_S)
        mean_s = away_s * share / (1 - share) if looking else away_s
        length = max(round(FPS * max(float(draw.gamma(2.0, mean_s / 2)), LEAST_GLANCE_S)), 1)
        if looking:
            length = min(
                [frame - start for frame in away_at if start < frame < start + length], default=length
            )
            _scan(goal[start : start + length], draw, SCAN_S, SCAN)
        else:
            left.append(start)
            side = draw.choice([-1.0, 1.0]) * draw.uniform(*ASIDE)
            part = goal[start : start + length]
            _scan(part, draw, ASIDE_S, 0.15)
            part += np.asarray([side, draw.uniform(-DOWN, UP)], np.float32)
        start, looking, number = start + length, not looking, number + 1
    return _saccades(goal), left


def _scan(part: FloatArray, draw: np.random.Generator, each_s: float, size: float) -> None:
    """Random places within ``size``, each for a random time."""
    step = round(each_s * FPS)
    for start in range(0, len(part), step):
        part[start : start + step] = draw.uniform(-size, size, 2)


def _saccades(goal: FloatArray) -> FloatArray:
    """Spread each step over :data:`SACCADE_FRAMES` frames, from the step on."""
    result = goal.copy()
    for frame in np.flatnonzero(np.abs(np.diff(goal, axis=0)).max(axis=1) > 0) + 1:
        course = rise_curve(SACCADE_FRAMES)[:, None]
        part = slice(frame, frame + SACCADE_FRAMES)
        count = len(result[part])
        result[part] = goal[frame - 1] + course[:count] * (goal[frame] - goal[frame - 1])
    return result


def gaze_change(direction: FloatArray) -> FloatArray:
    """(T, 58) the change that a gaze (T, 2) makes to a face whose eyes look ahead."""
    result = np.zeros((len(direction), len(FACE_CHANNELS)), np.float32)
    aside, up = direction[:, 0], direction[:, 1]
    # In the picture, outward for the person's left eye is to the right.
    for names, value in (
        (("eyeLookOutLeft", "eyeLookInRight"), aside),
        (("eyeLookInLeft", "eyeLookOutRight"), -aside),
        (("eyeLookUpLeft", "eyeLookUpRight"), up),
        (("eyeLookDownLeft", "eyeLookDownRight"), -up),
    ):
        for name in names:
            result[:, FACE_INDEX[name]] = value
    return result
