"""A tokenizer's errors on clips, its use of the vocabulary, and its speed."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visavis.channels import ACTION_UNITS, EXPRESSION_CHANNELS, EXPRESSIONS, FACE_CHANNELS
from visavis.reaction.tokenizer import FaceTokenizer, Tokens
from visavis.types import FloatArray
from visavis_train.data.track_pack import Clip, clip_windows, known_rows
from visavis_train.tokenizer.face_groups import FACE_GROUPS
from visavis_train.tokenizer.network import TokenizerNet

EXPRESSION_GROUPS = {
    "action_units": slice(0, len(ACTION_UNITS)),
    "affect": slice(len(ACTION_UNITS), len(EXPRESSION_CHANNELS) - len(EXPRESSIONS)),
    "expressions": slice(len(EXPRESSION_CHANNELS) - len(EXPRESSIONS), len(EXPRESSION_CHANNELS)),
}
# A group that differs less from its mean did not move, or is not tracked.
STILL = 1e-4
# Least standard deviation of a channel that moves: weights, radians, centimetres.
MOVES = 0.01
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Errors of decoded clips.

    Attributes:
        frames: number of compared frames.
        groups: mean absolute error of each face group, in its own units (weights, radians, centimetres); None
            if the group is unknown.
        mean_face: the same error, if every frame were decoded as the training's mean face.
        expression: mean absolute error of action units, of valence and arousal, and of the expressions; None
            if they are unknown.
        jitter: mean size of the decoded faces' second difference in time, relative to the true faces, both
            standardised; 1 is as steady as the original.
        changes_per_s: changes of the tokens per second.
        channels: for each channel that moves: ``r``, the correlation of decoded and true frames, and
            ``spread``, the standard deviation of decoded frames divided by that of true frames. They show
            a channel that stands still while the true one seldom moves; an error hides it.
    """

    frames: int
    groups: dict[str, float | None]
    mean_face: dict[str, float | None]
    expression: dict[str, float | None]
    jitter: float
    changes_per_s: float
    channels: dict[str, dict[str, float]]

    @property
    def unexplained(self) -> float:
        """Error relative to the mean face's error, mean over the groups that move; 1: nothing was learned."""
        pairs = [(self.groups[name], self.mean_face[name]) for name in self.groups]
        shares = [error / plain for error, plain in pairs if error is not None and plain and plain > STILL]
        return float(np.mean(shares))

    @property
    def mean_r(self) -> float:
        """Mean of ``r`` over the channels that move; 0 if none moves."""
        return float(np.mean([channel["r"] for channel in self.channels.values()] or [0.0]))

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, for reports."""
        return asdict(self) | {"unexplained": self.unexplained, "mean_r": self.mean_r}


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One clip through the tokenizer and back, without frames that have no face.

    Attributes:
        clip: the clip.
        true: (M, 58).
        found: (M, 58).
        expression: (M, 25) decoded.
        tokens: (M, R).
    """

    clip: Clip
    true: FloatArray
    found: FloatArray
    expression: FloatArray
    tokens: Tokens


@torch.no_grad()
def tokens_of(net: TokenizerNet, rows: FloatArray) -> torch.Tensor:
    """Tokens (M, R) of windows (M, W, 58), batch by batch."""
    return torch.cat([net.tokens(part) for part in torch.from_numpy(rows).split(_BATCH)])


@torch.no_grad()
def decode_clips(net: TokenizerNet, clips: Sequence[Clip]) -> Iterator[Decoded]:
    """Pass every clip through the network, which is in evaluation mode during this."""
    was_training = net.training
    net.eval()
    for clip in clips:
        rows = clip_windows(clip, net.window)
        tokens = tokens_of(net, rows)
        codes = net.quantizer.codes(tokens)
        faces, expressions = net.faces(codes).numpy(), net.expressions(codes).numpy()
        yield Decoded(clip, rows[:, -1], faces, expressions, tokens.numpy())
    net.train(was_training)


class _Means:
    """Sums and counts of numbers by channel; NaN is skipped."""

    def __init__(self, width: int) -> None:
        self.total = np.zeros(width)
        self.count = np.zeros(width)

    def add(self, values: FloatArray) -> None:
        self.total += np.nansum(values, axis=0, dtype=np.float64)
        self.count += np.isfinite(values).sum(axis=0)

    def of(self, part: slice) -> float | None:
        count = self.count[part].sum()
        return float(self.total[part].sum() / count) if count else None


def movement(true: FloatArray, found: FloatArray) -> dict[str, dict[str, float]]:
    """``r`` and ``spread`` of every channel that moves, see :class:`Fidelity`; (M, 58) and (M, 58)."""
    result = {}
    for name, column, other in zip(FACE_CHANNELS, true.T, found.T, strict=True):
        known = np.isfinite(column)
        both = np.stack([column[known], other[known]]).astype(np.float64)
        if known.any() and both[0].std() > MOVES:
            spread = float(both[1].std() / both[0].std())
            r = float(np.corrcoef(*both).item(1)) if spread > STILL else 0.0
            result[name] = {"r": r, "spread": spread}
    return result


def fidelity(net: TokenizerNet, clips: Sequence[Clip]) -> Fidelity:
    """Decode clips and compare; see :class:`Fidelity`."""
    mean, spread = net.get_buffer("mean").numpy(), net.get_buffer("spread").numpy()
    faces, plain, expressions = _Means(len(mean)), _Means(len(mean)), _Means(len(EXPRESSION_CHANNELS))
    shaken, shakes = _Means(len(mean)), _Means(len(mean))
    frames, changes, seconds = 0, 0, 0.0
    trues: list[FloatArray] = []
    founds: list[FloatArray] = []
    for decoded in decode_clips(net, clips):
        true, rows = decoded.true, known_rows(decoded.clip)
        trues.append(true)
        founds.append(decoded.found)
        faces.add(np.abs(decoded.found - true))
        plain.add(np.abs(mean - true))
        expressions.add(np.abs(decoded.expression - decoded.clip.expression[rows]))
        shakes.add(np.abs(np.diff(true / spread, 2, axis=0)))
        unknown = np.where(np.isfinite(true), 0, np.nan).astype(np.float32)
        shaken.add(np.abs(np.diff(decoded.found / spread + unknown, 2, axis=0)))
        frames += len(true)
        changes += int((np.diff(decoded.tokens, axis=0) != 0).any(axis=1).sum())
        seconds += max(len(true) - 1, 0) / decoded.clip.fps
    every = slice(None)
    return Fidelity(
        frames=frames,
        groups={name: faces.of(part) for name, part in FACE_GROUPS.items()},
        mean_face={name: plain.of(part) for name, part in FACE_GROUPS.items()},
        expression={name: expressions.of(part) for name, part in EXPRESSION_GROUPS.items()},
        jitter=(shaken.of(every) or 0.0) / max(shakes.of(every) or 0.0, 1e-9),
        changes_per_s=changes / max(seconds, 1e-9),
        channels=movement(np.concatenate(trues), np.concatenate(founds)),
    )


def code_use(net: TokenizerNet, clips: Sequence[Clip]) -> dict[str, Any]:
    """Use of the vocabulary over clips; the network is put into evaluation mode.

    Returns:
        ``frames``; and for each of the R tokens of a frame ``used``, the share of the vocabulary that occurs,
        and ``perplexity``, the exponential of the entropy of their frequencies.
    """
    counts = [np.zeros(size, np.int64) for size in net.quantizer.vocabulary]
    net.eval()
    for clip in clips:
        tokens = tokens_of(net, clip_windows(clip, net.window)).numpy()
        for place, count in enumerate(counts):
            count += np.bincount(tokens[:, place], minlength=len(count))
    return {
        "frames": int(counts[0].sum()),
        "used": [float(np.mean(count > 0)) for count in counts],
        "perplexity": [perplexity(count) for count in counts],
    }


def perplexity(counts: NDArray[np.int64]) -> float:
    """Exponential of the entropy of the tokens' frequencies: the equivalent number of evenly used tokens."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def tokens_per_s(tokenizer: FaceTokenizer, face: FloatArray) -> dict[str, float]:
    """Tokens per second of a face (T, 58), with ONNX on one thread: streamed, whole and decoded.

    The fastest of three runs counts, after one to warm up.
    """

    def one_by_one() -> None:
        stream = tokenizer.stream()
        for row in face:
            stream.encode(row[None])

    tokens = tokenizer.encode(face)
    works: dict[str, Callable[[], object]] = {
        "streamed": one_by_one,
        "whole": lambda: tokenizer.encode(face),
        "decoded": lambda: tokenizer.decode(tokens),
    }
    result = {}
    for name, work in works.items():
        fastest_s = min(timeit.repeat(work, repeat=4, number=1)[1:])
        result[name] = len(face) * tokenizer.depth / fastest_s
    return result
