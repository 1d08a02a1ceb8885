"""The operator's own files that the page may use: a VRM or Live2D model, Cubism Core, a retarget file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Self

import anyio.to_thread
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response

from visavis.avatar.retarget import Retargeting, presets
from visavis.avatar.retarget_file import MAX_BYTES, Rules, decode, parse, read_text
from visavis.base.reading import parse_json, read_start
from visavis.base.words import writable_text
from visavis.cubism.folder import ENDING, ModelFolder
from visavis.errors import InputError
from visavis.serve.answers import describe_retargeting

READ = ["GET", "HEAD"]  # Monitors ask for the head alone.
CORE = "core.js"
CORE_NAME = "Live2DCubismCore"
MAX_CORE_BYTES = 8_000_000
VRM = "model.vrm"
MAX_VRM_BYTES = 100_000_000
GLTF_VERSION = 2
JSON_CHUNK = 0x4E4F534A
# The worker that draws a Live2D model runs the person's Cubism Core, and only there such a file may run. It
# reaches no server.
WORKER_POLICY = "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'"


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The operator's files, read and checked when the server starts.

    Attributes:
        model_name: name of the model; empty without one.
        model: content of the model's files by name: one VRM file, or the files of a Live2D model as of
            :meth:`~visavis.cubism.folder.ModelFolder.files`.
        core: Cubism Core for the web; None without it.
        mapping_name: name of the retarget file; empty without one.
        mapping: its rules; None without one.
    """

    model_name: str = ""
    model: Mapping[str, bytes] = field(default_factory=dict)
    core: bytes | None = None
    mapping_name: str = ""
    mapping: Rules | None = None

    @classmethod
    def read(cls, model: Path | None, core: Path | None, mapping: Path | None) -> Self:
        """Read the files that the operator names.

        Args:
            model: a ``.vrm``, or a Live2D model's ``.model3.json``.
            core: ``live2dcubismcore.min.js``.
            mapping: a retarget file.

        Raises:
            InputError: a file is missing, or not what it should be.
        """
        return cls(
            "" if model is None else writable_text(model.name.split(".")[0]),
            {} if model is None else _model(model),
            None if core is None else _core(core),
            "" if mapping is None else writable_text(mapping.name),
            None if mapping is None else parse(read_text(mapping), str(mapping)),
        )

    @property
    def kind(self) -> str:
        """What the model is: ``vrm`` or ``live2d``; empty without one."""
        return "" if not self.model else "vrm" if VRM in self.model else "live2d"

    def rules(self, name: str) -> Rules:
        """The rules of a preset or of the operator's retarget file.

        Raises:
            InputError: there are none of this name.
        """
        if self.mapping is not None and name == self.mapping_name and name not in presets():
            return self.mapping
        return Retargeting.preset(name).rules


def _model(path: Path) -> Mapping[str, bytes]:
    if path.suffix.lower() != ".vrm":
        if path.is_file() and not path.name.lower().endswith(ENDING):
            raise InputError(f"{path}: expected a model for the page, which ends in .vrm or {ENDING}")
        return ModelFolder.load(path).files()
    data = read_start(path, MAX_VRM_BYTES, "a VRM model")
    if len(data) > MAX_VRM_BYTES:
        raise InputError(f"{path}: has more than {MAX_VRM_BYTES // 1_000_000} MB; export a smaller VRM model")
    check_vrm(data, str(path))
    return {VRM: data}


def check_vrm(data: bytes, name: str) -> None:
    """Check what can be checked without drawing: the head and the description of a VRM file.

    Args:
        data: the file.
        name: its name in messages.

    Raises:
        InputError: it is cut or damaged, is no VRM file, or refers to other files.
    """
    if not data.startswith(b"glTF"):
        raise InputError(f"{name}: is no VRM file: it does not begin with glTF; export the model as VRM")
    head = data[4:20].ljust(16, b"\0")
    version, size, length, kind = struct.unpack("<4I", head)
    if version != GLTF_VERSION:
        raise InputError(f"{name}: glTF version {version}; VRM files have version {GLTF_VERSION}")
    if kind != JSON_CHUNK or max(size, 20 + length) > len(data):
        raise InputError(f"{name}: the VRM file is cut short or damaged; export it again")
    try:
        told = parse_json(data[20 : 20 + length].decode("utf-8"))
        extensions, *lists = (told.get(key) or {} for key in ("extensions", "buffers", "images"))
        models = extensions.keys() & {"VRM", "VRMC_vrm"}
        addresses = [part.get("uri") or "data:" for parts in lists for part in parts]
        inside = all(address.startswith("data:") for address in addresses)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{name}: the VRM file's description is damaged; export it again") from error
    if not models:
        raise InputError(f"{name}: is a glTF file without VRM data; export the model as VRM")
    if not inside:
        raise InputError(f"{name}: the VRM file refers to other files; export it as one file")


def _core(path: Path) -> bytes:
    data = read_start(path, MAX_CORE_BYTES, "Cubism Core, live2dcubismcore.min.js")
    if len(data) > MAX_CORE_BYTES or CORE_NAME.encode() not in data:
        raise InputError(
            f"{path}: is not Cubism Core for the web; download the Cubism SDK for Web from Live2D's site, "
            "and name its Core/live2dcubismcore.min.js"
        )
    return data


def add_own_files(app: FastAPI, own: OwnFiles) -> None:
    """Let the page read the operator's files, and retarget files of its own."""

    @app.api_route("/model", methods=READ)
    def model() -> dict[str, object]:
        offer = {"kind": own.kind, "name": own.model_name}
        return {**offer, "files": list(own.model), "core": own.core is not None}

    @app.api_route("/live2d/worker.js", methods=READ)
    def worker() -> FileResponse:
        script = Path(str(files("visavis"))) / "serve" / "static" / "live2d_worker.js"
        return FileResponse(script, headers={"Content-Security-Policy": WORKER_POLICY})

    @app.api_route("/model/{name}", methods=READ)
    def model_file(name: str) -> Response:
        content = own.core if name == CORE else own.model.get(name)
        if content is None:
            raise HTTPException(404, "this server was started without it: see --model and --cubism-core")
        return Response(content, media_type="application/octet-stream")

    @app.api_route("/retarget/{name}", methods=READ)
    def rules(name: str) -> dict[str, object]:
        try:
            return describe_retargeting(own.rules(name))
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    @app.post("/retarget")
    async def read_rules(request: Request, name: str = "the file") -> dict[str, object]:
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > MAX_BYTES:
                break
        try:
            return await anyio.to_thread.run_sync(
                lambda: describe_retargeting(parse(decode(data, name), name))
            )
        except InputError as error:
            raise HTTPException(400, str(error)) from error
