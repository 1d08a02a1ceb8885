"""The JSON output of ``visavis evaluate face``; a figure without a value is null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from visavis.base.words import rounded

if TYPE_CHECKING:
    from visavis.evaluate.face_clips import ClipFigures
    from visavis.evaluate.face_figures import FaceFigures
    from visavis.evaluate.face_finding import FindingScores
    from visavis.evaluate.face_stills import FalseFaces


def figures_json(figures: FaceFigures) -> dict[str, Any]:
    """JSON of the figures of faces."""
    from visavis.channels import BLENDSHAPES, HEAD_ANGLES

    def named(values: Sequence[float]) -> dict[str, float | None]:
        return {name: rounded(value) for name, value in zip(BLENDSHAPES, values, strict=True)}

    return {
        "n": figures.n,
        "mean_r": rounded(figures.mean_r),
        "channels": figures.channels,
        "moving_r": rounded(figures.moving_r),
        "moving": int(figures.moving.sum()),
        "mean_rise": rounded(figures.mean_rise),
        "rising": figures.rising,
        "flat": figures.flat,
        "mean_error": rounded(float(figures.error.mean())),
        "r": named(figures.r.tolist()),
        "rise": named(figures.rise.tolist()),
        "error": named(figures.error.tolist()),
        "landmarks": {part: rounded(value) for part, value in figures.landmarks.items()},
        "head_deg": {name: rounded(value) for name, value in zip(HEAD_ANGLES, figures.head_deg, strict=True)},
    }


def clips_json(clips: Sequence[ClipFigures]) -> dict[str, Any]:
    """JSON of clips: means over the clips, sums of ``n`` and of blinks, and each clip."""
    each = [
        figures_json(clip.faces)
        | {
            "found": rounded(clip.found),
            "frames": clip.frames,
            "taught": clip.taught,
            "jitter": {name: rounded(value, 5) for name, value in clip.jitter.items()},
            "blinks": blinks_json(clip.blinks),
        }
        for clip in clips
    ]
    blinks = {name: sum(clip.blinks[name] for clip in clips) for name in clips[0].blinks}
    left_out = ("frames", "taught", "blinks", "n")
    means = _mean([{key: value for key, value in one.items() if key not in left_out} for one in each])
    named = {clip.name: one for clip, one in zip(clips, each, strict=True)}
    total = sum(clip.faces.n for clip in clips)
    return {"n": total, **means, "blinks": blinks_json(blinks), "clips": named}


def _mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of each entry of objects; null if none has a value."""
    if isinstance(values[0], dict):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 5) if known else None


def blinks_json(counts: dict[str, int]) -> dict[str, float | None]:
    """Numbers of blinks that the teacher and we see, and how many of them are the same."""
    teacher, ours, matched = (counts[name] for name in ("teacher", "ours", "matched"))
    return {
        "teacher": teacher,
        "ours": ours,
        "recall": rounded(matched / teacher) if teacher else None,
        "precision": rounded(matched / ours) if ours else None,
    }


def false_json(found: FalseFaces) -> dict[str, Any]:
    """JSON of pictures without a face."""
    wrong = {name: count for name, count in found.faces.items() if count}
    share = rounded(len(wrong) / len(found.faces))
    return {"pictures": len(found.faces), "with_faces": len(wrong), "share": share, "faces": wrong}


def turned_json(found: Sequence[FindingScores]) -> list[dict[str, Any]]:
    """JSON of turned and small copies."""
    return [
        {
            "turned_deg": one.copy.roll_deg,
            "height": one.copy.height,
            "n": one.n,
            "found": rounded(one.found),
            "right": rounded(one.right),
            "roll_error_deg": rounded(one.roll_deg, 2),
            "size": rounded(one.size),
        }
        for one in found
    ]
