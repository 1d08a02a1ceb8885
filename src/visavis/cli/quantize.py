"""An expression network and a data set in; the network in 8 or 4 bits, or a table of all methods, out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from visavis.cli.research import start

# What the methods need, but for nf4: onnxruntime's 4-bit quantiser imports onnx_ir, which onnxscript brings.
NEEDED = ("onnx", "onnx_ir")


class Method(StrEnum):
    """How to quantise."""

    INT8 = "int8"
    INT8_DYNAMIC = "int8-dynamic"
    INT4 = "int4"
    INT4_MATMUL = "int4-matmul"
    NF4 = "nf4"


def quantize(
    network: Annotated[
        Path,
        typer.Argument(metavar="NET.onnx|RUN_DIR", help="A network in 32 bits, or a trained run's folder."),
    ],
    data: Annotated[Path, typer.Option(metavar="DATASET", help="As for visavis evaluate emotion.")],
    split: Annotated[
        str | None,
        typer.Option(help="Part to measure on.", show_default="as in evaluate emotion"),
    ] = None,
    method: Annotated[Method | None, typer.Option(help="How to quantise.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The quantised network: .onnx; .safetensors of nf4.")
    ] = None,
    max_loss: Annotated[
        float,
        typer.Option(
            "--max-loss", min=0, help="Points of accuracy that may be lost; else nothing is written."
        ),
    ] = 0.5,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure all methods in one table; writes no network.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make an expression network smaller or faster, if it stays accurate. Needs the extra `train`.

    int8: faster, a quarter of the size. int4: the smallest, as fast as 32 bits. int8-dynamic, int4-matmul and
    nf4 (bitsandbytes; needs a run folder) change matrices alone. int8 and int4 calibrate on 512 faces of the
    training split; the accuracy is measured on the other one.

    Examples:

        visavis quantize net.onnx --method int4 --data fer2013.csv --out small.onnx
        visavis quantize runs/fer_hybrid --compare --data fer2013.csv --split PublicTest --json
    """
    words = [str(network), "--data", str(data), "--max-loss", str(max_loss)]
    words += [] if split is None else ["--split", split]
    words += [] if method is None else ["--method", method.value]
    words += [] if out is None else ["--out", str(out)]
    words += [*(["--compare"] if compare else []), *(["--json"] if as_json else [])]
    start("visavis_train.expression.quantize.task", "visavis quantize", words, NEEDED)
