"""Export of a torch network as an ONNX file that gives the same numbers, and its manifest entry."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import warnings
from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

import visavis
from visavis.base.files import whole_file
from visavis.base.networks import LOAD_ERRORS, MANIFEST, WeightFile, session_of
from visavis.base.reading import regular
from visavis.errors import InputError, WeightsError
from visavis_train.onnx.int8 import Feed
from visavis_train.onnx.storage import BLOCKS_OPSET, halve, quantize_convolutions, quantize_dense

OPSET = 18
ASSETS = Path(visavis.__file__).parent / "assets"


def export_onnx(
    module: nn.Module,
    example_inputs: tuple[Tensor, ...],
    path: Path,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_batch: bool = True,
    dynamic_axes: Mapping[str, Sequence[int]] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    half_weights: bool = False,
    int8_dense: bool = False,
    int8_convolutions: tuple[Collection[str], Sequence[Feed]] | None = None,
) -> None:
    """Write a network as ONNX and check that ONNX Runtime and torch agree.

    Args:
        module: the network; put into evaluation mode.
        example_inputs: at least 2 rows each if the batch is dynamic; also used to check the agreement.
        path: the ONNX file to write, in one piece.
        input_names: one for each example input.
        output_names: one for each output.
        dynamic_batch: let axis 0 of every input have any size.
        dynamic_axes: further axes of any size, by the input's name; examples have at least 2 there.
        metadata: JSON values stored in the file (read by ``visavis.base.networks.metadata``), with
            ``parameters``, the number of learned numbers.
        tolerance: largest difference between torch and ONNX Runtime, absolute.
        half_weights: store large tensors in 16 bits, see :mod:`visavis_train.onnx.storage`.
        int8_dense: store the weights of large dense layers in 8 bits, see there.
        int8_convolutions: names of the weights of convolutions to store in 8 bits, and inputs that show their
            ranges, see there.

    Raises:
        WeightsError: the exported network answers differently.
    """
    module.eval()
    first = (0,) if dynamic_batch else ()
    axes = [(*first, *(dynamic_axes or {}).get(name, ())) for name in input_names]
    shapes = tuple(dict.fromkeys(some, torch.export.Dim.DYNAMIC) or None for some in axes)
    named = sum(
        each.kind is not each.VAR_POSITIONAL for each in signature(module.forward).parameters.values()
    )
    nested = (*shapes[:named], shapes[named:]) if shapes[named:] else shapes  # As torch takes ``*arguments``.
    # torch's exporter warns about its own internals, which no caller can change.
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            example_inputs,
            dynamo=True,
            opset_version=BLOCKS_OPSET if int8_dense else OPSET,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=nested,
            verbose=False,
        )
    if program is None:
        raise WeightsError("torch.onnx.export returned no program; expected torch >= 2.6 with dynamo=True")
    model = program.model_proto
    del model.metadata_props[:]
    parameters = sum(each.numel() for each in module.parameters() if each.requires_grad)
    for key, value in {"parameters": parameters, **(metadata or {})}.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    _forget_origins(model)
    if int8_convolutions is not None:
        quantize_convolutions(model, *int8_convolutions)
    if int8_dense:
        quantize_dense(model)
    if half_weights:
        halve(model)
    onnx.checker.check_model(model)
    with whole_file(path) as partial:
        onnx.save(model, partial)
        worst = difference(module, partial, example_inputs)
        if not worst <= tolerance:
            raise WeightsError(
                f"ONNX Runtime differs from torch by {worst:.2g}; expected at most {tolerance:g}"
            )


def _forget_origins(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they contain stack traces with paths of this machine."""
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@torch.no_grad()
def difference(module: nn.Module, path: Path, inputs: tuple[Tensor, ...]) -> float:
    """Largest absolute difference between the outputs of torch and of ONNX Runtime, with and without 8 bits.

    Raises:
        WeightsError: ONNX Runtime cannot run the file.
    """
    answers = module(*inputs)
    expected = answers if isinstance(answers, tuple) else (answers,)
    worst = 0.0
    for int8_weights in (False, True):
        session = session_of(path.read_bytes(), str(path), int8_weights=int8_weights)
        feed = {spec.name: value.numpy() for spec, value in zip(session.get_inputs(), inputs, strict=True)}
        try:
            found = session.run(None, feed)
        except LOAD_ERRORS as error:
            raise WeightsError(f"ONNX Runtime cannot run the exported network: {error}") from error
        for want, got in zip(expected, found, strict=True):
            worst = max(worst, float(np.abs(want.numpy().astype(np.float64) - got).max()))
    return worst


def register(manifest_path: Path, name: str, file: Path, entry: Mapping[str, Any]) -> None:
    """Add a weight file to the manifest; it replaces an entry of the same name.

    Args:
        manifest_path: the manifest; created if missing.
        name: its name for ``visavis.base.networks.open_session``.
        file: the weight file, in the manifest's folder.
        entry: ``licence``, ``training_data``, ``config``, ``commit`` and ``score``; sha256 and size are
            taken from the file.

    Raises:
        InputError: the file is in another folder, or the entry has missing or additional fields.
    """
    if file.resolve().parent != manifest_path.resolve().parent:
        raise InputError(f"{file} must lie beside {manifest_path}")
    data = regular(file).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    try:
        weights = WeightFile(file=file.name, sha256=digest, size=len(data), **entry)
    except TypeError as error:
        raise InputError(f"manifest entry {name!r}: {error}") from error
    entries = json.loads(regular(manifest_path).read_text("utf-8-sig")) if manifest_path.exists() else {}
    entries[name] = {field: getattr(weights, field) for field in WeightFile.__dataclass_fields__}
    with whole_file(manifest_path) as partial:
        partial.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", "utf-8")


def install(file: Path, name: str, entry: Mapping[str, Any]) -> Path:
    """Copy a run's network into the package's assets and add it to the manifest; returns its new path.

    Args:
        file: the ONNX file.
        name: its name in the manifest.
        entry: see :func:`register`; without ``commit``, the commit of now.

    Raises:
        InputError: the run has not been exported, or the entry has missing or additional fields.
    """
    if not file.is_file():
        raise InputError(f"{file.parent}: no {file.name}; train to the end first")
    commit = current_commit()  # Read before the described file changes.
    target = ASSETS / f"{name}.onnx"
    shutil.copyfile(file, target)
    register(ASSETS / MANIFEST, name, target, {"commit": commit, **entry})
    return target


def current_commit() -> str:
    """The commit of the working tree, with ``+changes`` where it differs; ``unknown`` outside of git."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        answer = subprocess.run(  # noqa: S603 - the words are the project's own
            ["git", *words],  # noqa: S607 - whichever git the person uses
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
