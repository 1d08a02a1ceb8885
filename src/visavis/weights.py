"""A network's name in, a session on it out: no weight file is opened before its sha256 is right."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import onnxruntime as ort

from visavis.errors import WeightsError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """What the manifest says of one embedded network.

    Attributes:
        file: file name inside ``visavis/assets``.
        sha256: hexadecimal digest of its bytes.
        size: bytes.
        licence: terms of the weights.
        training_data: what it was trained on, with those data's terms.
        config: the experiment file that made it.
        commit: the project's commit that it was trained at.
        score: what was measured, by name.
    """

    file: str
    sha256: str
    size: int
    licence: str
    training_data: str
    config: str
    commit: str
    score: dict[str, float]


@cache
def manifest() -> dict[str, WeightFile]:
    """Every embedded network by name.

    Raises:
        WeightsError: the manifest is missing or malformed.
    """
    try:
        entries = json.loads((files("visavis") / "assets" / MANIFEST).read_text("utf-8"))
        return {name: WeightFile(**entry) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"assets/{MANIFEST} cannot be read ({error}); reinstall visavis") from error


def read(name: str) -> bytes:
    """The bytes of an embedded network, after their check.

    Raises:
        WeightsError: unknown name, missing file, or another sha256 than the manifest's.
    """
    known = manifest()
    if name not in known:
        raise WeightsError(f"no embedded network is called {name!r}; there are: {', '.join(known)}")
    entry = known[name]
    try:
        data = (files("visavis") / "assets" / entry.file).read_bytes()
    except OSError as error:
        raise WeightsError(f"assets/{entry.file} cannot be read ({error}); reinstall visavis") from error
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise WeightsError(
            f"assets/{entry.file} is not the file that the manifest describes (sha256 {found[:12]}..., "
            f"expected {entry.sha256[:12]}...); it was changed or damaged: reinstall visavis"
        )
    return data


def open_session(name: str, threads: int = 1) -> ort.InferenceSession:
    """Open an embedded network on the CPU.

    Args:
        name: its name in the manifest.
        threads: how many threads one call may use.

    Raises:
        WeightsError: see :func:`read`; or ONNX Runtime cannot load it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep: a spinning pool would take a core from the video encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    data = read(name)
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except RuntimeError as error:
        raise WeightsError(f"ONNX Runtime {ort.__version__} cannot load {name!r}: {error}") from error


def metadata(session: ort.InferenceSession) -> dict[str, Any]:
    """The JSON values that export wrote into the network's own metadata."""
    return {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
