"""The size of every model by name, from the figures of ``visavis quantize`` and the findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from visavis.base.reading import regular
from visavis.errors import InputError
from visavis_train.expression.report import paper
from visavis_train.expression.report.findings import Findings


def read_quantized(path: Path) -> dict[str, int]:
    """Name -> bytes of the results of ``visavis quantize``: ``variants``, each with ``name`` and ``bytes``.

    Raises:
        InputError: the file cannot be read, or is of another layout.
    """
    try:
        values = json.loads(regular(path).read_text("utf-8-sig"))
        return {str(row["name"]): int(row["bytes"]) for row in values["variants"]}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: expected JSON with variants, each with name and bytes") from error


def sizes_bytes(findings: Findings, quantized: Mapping[str, int]) -> dict[str, float]:
    """Name -> bytes: the paper's sizes, the real sizes of its ViT, then ours."""
    sizes = {f"paper: {size.name}": size.size_bytes for size in paper.SIZES}
    sizes |= {f"measured: {size.name}": size.size_bytes for size in paper.REAL_SIZES}
    for each in findings.runs:
        if each.measured is not None:
            sizes[each.run.name] = each.measured.model.size_bytes
    return {**sizes, **quantized}
