"""Opening networks, each once in a process; an embedded weight file's sha256 is checked first."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from visavis.base.assets import read_checked
from visavis.base.batching import AnyNetwork, BatchedNetwork
from visavis.base.files import PathText, as_path
from visavis.base.reading import read_bytes
from visavis.base.words import reason
from visavis.errors import WeightsError

MANIFEST = "manifest.json"
ONNX_FILE = "an ONNX file"  # in messages
# Errors of ONNX Runtime for a file that it cannot load; their only common base is Exception.
LOAD_ERRORS = (
    RuntimeError,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
# What ONNX Runtime says of itself before the reason: its name, a code, and places in its source.
ORIGIN = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+:\d+ .*?\) (?=[A-Z]))?")
# Networks of this process by what is opened and how; and the mergers of their calls.
_OPENED: dict[tuple[str | bytes, int, bool | None], Future[ort.InferenceSession]] = {}
_BATCHED: dict[ort.InferenceSession, BatchedNetwork] = {}
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class WeightFile:
    """The manifest's entry of one embedded network.

    Attributes:
        file: file name inside ``visavis/assets``.
        sha256: hexadecimal digest of its bytes.
        size: bytes.
        licence: terms of the weights.
        training_data: data of the training, with their terms.
        config: experiment file of the training.
        commit: the project's commit at the training.
        score: measured scores by name.
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
        found = {name: WeightFile(**entry) for name, entry in entries.items()}
        for name, entry in found.items():
            plain = Path(entry.file).name == entry.file and isinstance(entry.sha256, str)
            if not plain or not isinstance(entry.size, int):
                raise ValueError(f"the entry {name!r} needs a file name, a sha256 and a size")
        return found
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"assets/{MANIFEST} cannot be read ({reason(error)}); reinstall visavis"
        ) from error


def read(name: str) -> bytes:
    """The checked bytes of an embedded network.

    Raises:
        WeightsError: the name is unknown, the file is missing, or its sha256 differs from the manifest.
    """
    known = manifest()
    if name not in known:
        raise WeightsError(f"no embedded network is called {name!r}; there are: {', '.join(known)}")
    return read_checked(known[name].file, known[name].sha256, MANIFEST)


def open_session(name: str, threads: int = 1, int8_weights: bool | None = None) -> ort.InferenceSession:
    """An embedded network on the CPU; everybody in the process who asks for it gets the same one.

    ONNX Runtime's ``run`` can be used in several threads at the same time.

    Args:
        name: its name in the manifest.
        threads: number of threads that one call may use.
        int8_weights: see :func:`session_of`.

    Raises:
        WeightsError: see :func:`read`; or ONNX Runtime cannot load it.
    """
    return _opened(
        (name, threads, int8_weights), lambda: session_of(read(name), repr(name), threads, int8_weights)
    )


def _opened(
    what: tuple[str | bytes, int, bool | None], make: Callable[[], ort.InferenceSession]
) -> ort.InferenceSession:
    """The process's network of that name or content, made by the first who asks for it."""
    with _LOCK:
        mine = what not in _OPENED
        opened = _OPENED.setdefault(what, Future())
    if mine:
        try:
            session = make()
            _BATCHED[session] = BatchedNetwork(session)
            opened.set_result(session)
        except BaseException as error:
            del _OPENED[what]
            opened.set_exception(error)
            raise
    return opened.result()


def batched(session: ort.InferenceSession) -> AnyNetwork:
    """Calls of a network, merged with those of others in the process who use the same shared network.

    Args:
        session: from :func:`open_session` or :func:`open_file`; any other is nobody else's, and comes back
            as it is.
    """
    network: AnyNetwork = _BATCHED.get(session, session)
    return network


def open_file(path: PathText, threads: int = 1) -> ort.InferenceSession:
    """An ONNX file on the CPU; everybody in the process who opens a file of the same content shares it.

    Raises:
        InputError: the file cannot be read.
        WeightsError: see :func:`session_of`.
    """
    data = read_bytes(as_path(path), ONNX_FILE)
    return _opened((sha256(data).digest(), threads, None), lambda: session_of(data, str(path), threads))


@contextmanager
def naming(*files: PathText) -> Iterator[None]:
    """Put the names of the files before the message of an error about the networks in them."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{' and '.join(str(file) for file in files)}: {error}") from error


def session_of(
    data: bytes, what: str, threads: int = 1, int8_weights: bool | None = None
) -> ort.InferenceSession:
    """Open an ONNX file held in memory on the CPU.

    Args:
        data: the whole file.
        what: name of the file in messages.
        threads: number of threads that one call may use.
        int8_weights: for a file that stores some layers in 8 bits: whether to multiply by these bytes, or to
            widen them to 32 bits once. None: a file without such layers.

    Raises:
        WeightsError: ONNX Runtime cannot load it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep; a spinning pool would take a core from the video encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if int8_weights is False:
        # enable_quant_qdq_cleanup would forget ReLUs: findings/onnxruntime-qdq-cleanup-drops-relu.sh.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    # If products and sums become one, ONNX Runtime widens some of these layers in each call.
    without = ["MatMulAddFusion"] if int8_weights else []
    try:
        # With the fallback, ONNX Runtime prints to standard output and tries the same again.
        session = ort.InferenceSession(
            data, options, ["CPUExecutionProvider"], disabled_optimizers=without, enable_fallback=0
        )
        for each in (*session.get_inputs(), *session.get_outputs()):
            each.name  # noqa: B018 - reading a damaged name fails.
        return session
    except LOAD_ERRORS as error:
        if "protobuf" in str(error):
            found = f"no ONNX network in its {len(data)} bytes; name a whole .onnx file, or get it again"
        else:
            found = (
                f"ONNX Runtime {ort.__version__} cannot use this network; export it for this version, or "
                f"install a newer onnxruntime ({ORIGIN.sub('', str(error)).strip()})"
            )
        raise WeightsError(f"{what}: {found}") from error
    except UnicodeDecodeError as error:
        raise WeightsError(f"{what}: a damaged ONNX file: a text in it is no UTF-8; get it again") from error


def metadata(session: ort.InferenceSession) -> dict[str, Any]:
    """The JSON values in the network's metadata, written by the export.

    Raises:
        WeightsError: a value is not JSON, so the network was not exported by visavis.
    """
    try:
        notes = session.get_modelmeta().custom_metadata_map
        return {key: json.loads(value) for key, value in notes.items()}
    except ValueError as error:  # No JSON, or no UTF-8.
        raise WeightsError(f"the network's metadata are not what visavis' export writes: {error}") from error
