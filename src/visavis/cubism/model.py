"""A user's Live2D model as an avatar: it takes poses and draws pictures, as Mira does.

live2d-py (1.0.0 was tried) wants this order: import it before there is an OpenGL context; for each picture
set the parameters, let physics and pose follow, then draw. Its ``Update`` would undo the parameters and add
blinks and breath of its own, so it is not called.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

import numpy as np

from visavis.avatar.puppet import Color, straight_alpha
from visavis.channels import AVATAR_PARAMETERS
from visavis.cubism.folder import MOC, MODEL, ModelFolder
from visavis.errors import DeviceError, InputError, MissingExtraError
from visavis.motion.exp3 import Exp3
from visavis.types import AvatarPose, FloatArray, ImageArray

LINUX = sys.platform == "linux"

PAPER_RGB: Color = (238, 238, 252)
# Physics of a longer pause would only be a jump.
LONGEST_STEP_S = 0.25
# These move the face's features, whose place says where the face is: the ids and their other end.
FEATURES = {"ParamEyeLOpen": 0.0, "ParamEyeROpen": 0.0, "ParamMouthOpenY": 1.0}
# Share of the picture's width between the outer ends of the features.
FACE_SHARE = 0.26
# OpenGL 2.1, since the library draws without vertex array objects; newer core contexts show nothing at all.
OPENGL = 210


class Live2DModel:
    """A Live2D model, drawn by live2d-py; use one object for each stream of poses.

    Parameters that the model does not have are left out; :func:`scale` fits the others to its ranges. The
    picture shows the model's head and shoulders. Try a stranger's model by
    :func:`~visavis.cubism.trial.try_model` first.

    Args:
        folder: the model's checked files.
        worn: an expression that the model always wears.

    Raises:
        MissingExtraError: the extra ``live2d`` is not installed.
        DeviceError: there is no OpenGL.
        InputError: Cubism Core refuses the model.
    """

    def __init__(self, folder: ModelFolder, worn: Exp3 | None = None) -> None:
        self._stage = _stage()
        self._worn = worn
        self._last_s: float | None = None
        self._size_px = 0
        with self._stage.current():
            self._model = _load(self._stage.live2d, folder)
            self._resize(64)
            names = self._model.GetParamIds()
            self._index = {name: i for i, name in enumerate(names)}
            self._rest = {name: self._model.GetParamDefaultByIndex(i) for name, i in self._index.items()}
            self._scales = {
                name: scale(
                    name,
                    self._model.GetParamMinByIndex(self._index[name]),
                    self._model.GetParamMaxByIndex(self._index[name]),
                    self._rest[name],
                )
                for name in AVATAR_PARAMETERS
                if name in self._index
            }
            self._frame()
            if (error := self._stage.context.error) != "GL_NO_ERROR":
                raise DeviceError(f"this OpenGL cannot draw Live2D models: {error}; update its driver")

    def reset(self) -> None:
        """Stop the physics, as before the first pose."""
        self._last_s = None

    def draw(self, pose: AvatarPose, size_px: int = 512, background: Color = PAPER_RGB) -> ImageArray:
        """Draw the next pose of the stream; the model's physics move for the time since the last pose.

        Args:
            pose: values of the parameters, and their time.
            size_px: side of the picture.
            background: RGB colour.

        Returns:
            (size_px, size_px, 3) uint8 RGB.
        """
        return np.ascontiguousarray(self._drawn(pose, size_px, (*background, 255))[..., :3])

    def cut_out(self, pose: AvatarPose, size_px: int = 512) -> ImageArray:
        """Draw the next pose of the stream without a background; see :meth:`draw`.

        Returns:
            (size_px, size_px, 4) uint8 RGBA as of :func:`~visavis.avatar.puppet.straight_alpha`.
        """
        return straight_alpha(self._drawn(pose, size_px, (0, 0, 0, 0)))

    def parameters(self, pose: AvatarPose) -> dict[str, float]:
        """The model's parameters by id for a pose, with the worn expression; others stay at rest."""
        values = pose.as_dict()
        moved = {name: float(np.interp(values[name], *knots)) for name, knots in self._scales.items()}
        found = self._rest | moved
        return found if self._worn is None else self._worn.apply(found)

    def _drawn(self, pose: AvatarPose, size_px: int, background: tuple[int, int, int, int]) -> ImageArray:
        """(size_px, size_px, 4) RGBA, colours multiplied by alpha, as Cubism's shaders blend them."""
        past_s = 0.0 if self._last_s is None else pose.time_s - self._last_s
        self._last_s = pose.time_s
        with self._stage.current():
            self._resize(size_px)
            self._set(self.parameters(pose), min(max(past_s, 0.0), LONGEST_STEP_S))
            self._target.use()
            self._target.clear(*(value / 255 for value in background))
            self._model.Draw()
            pixels = np.frombuffer(self._target.read(components=4), np.uint8)
        return pixels.reshape(size_px, size_px, 4)[::-1]

    def _resize(self, size_px: int) -> None:
        if size_px != self._size_px:
            self._size_px, self._target = size_px, self._stage.target(size_px)
            self._model.Resize(size_px, size_px)

    def _set(self, values: Mapping[str, float], past_s: float) -> None:
        """Set all parameters, then let what depends on them follow."""
        for name, value in values.items():
            self._model.SetSaveParamByIndex(self._index[name], value)
        self._model.UpdatePhysics(past_s)
        self._model.UpdatePose(past_s)

    def _frame(self) -> None:
        """Show head and shoulders: find the face by the corners that eyes and mouth move."""
        self._target.use()
        rest = self._vertices(self._rest)
        moved = self._vertices(self._rest | {n: v for n, v in FEATURES.items() if n in self._index})
        shifts = np.abs(rest - moved).max(axis=1)
        features = rest[shifts > 1e-4 * np.ptp(rest)]
        if not len(features):
            return
        low, high = features.min(axis=0), features.max(axis=0)
        across = self._model.GetMvp()[0]
        zoom = 2 * FACE_SHARE / max(float(high[0] - low[0]) * across, 1e-6)
        zoom = min(max(zoom, 1.0), 20.0)
        x, y = (low + high) / 2 * across * zoom
        self._model.SetScale(zoom)
        self._model.SetOffset(-float(x), -float(y))

    def _vertices(self, values: Mapping[str, float]) -> FloatArray:
        """(N, 2) corners of everything that is drawn."""
        self._set(values, 0.0)
        self._model.Draw()
        count = len(self._model.GetDrawableIds())
        corners = [np.asarray(self._model.GetDrawableVertices(i), np.float32) for i in range(count)]
        return np.concatenate(corners).reshape(-1, 2)


def scale(name: str, low: float, high: float, rest: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """How values of one of our parameters become a model's: knots of a curve of straight lines.

    A model with our range gets our values. Otherwise our rest becomes the model's, and each side of it is
    stretched to the end of the model's range: eyes of 0 to 2 that rest at 1 are shut at 0 and open at 1.

    Args:
        name: one of :data:`~visavis.channels.AVATAR_PARAMETERS`.
        low, high, rest: the model's range of this parameter, and its value at rest.
    """
    our_low, our_high, our_rest = AVATAR_PARAMETERS[name]
    if (low, high) == (our_low, our_high):
        return (low, high), (low, high)
    knots = {our_low: low, our_high: high} | {our_rest: rest}
    ordered = sorted(knots)
    return tuple(ordered), tuple(knots[knot] for knot in ordered)


def require_live2d() -> None:
    """Find before the work what would keep every model from being drawn.

    Raises:
        MissingExtraError: the extra ``live2d`` is not installed.
        DeviceError: there is no OpenGL.
    """
    _stage()


class _Stage:
    """The OpenGL context of all models: the library keeps its shaders in the one that was there first.

    A context is current in one thread at a time, so a lock guards it.
    """

    def __init__(self) -> None:
        try:
            with _standard_output_closed(), _own_symbols():
                import live2d
            import moderngl
        except ImportError as error:
            raise MissingExtraError("live2d-py", "live2d", "drawing a Live2D model") from error
        backend: dict[str, Any] = {"backend": "egl"} if LINUX else {}
        try:
            self.context = moderngl.create_context(standalone=True, require=OPENGL, **backend)
        except Exception as error:  # moderngl raises plain Exceptions where there is no OpenGL.
            raise DeviceError(
                f"no OpenGL for Live2D models: {error}; on Debian install libegl1 and libgl1-mesa-dri"
            ) from error
        self.live2d = live2d
        self._lock = RLock()
        live2d.enableLog(False)
        with self.context, _standard_output_closed():
            live2d.init()
            live2d.glInit()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Draw in this thread."""
        with self._lock, self.context:
            yield

    def target(self, size_px: int) -> Any:
        """A square to draw on."""
        return self.context.simple_framebuffer((size_px, size_px))


@contextmanager
def _own_symbols() -> Iterator[None]:
    """Let a library that is imported here call its own functions before others of the same name.

    On Linux live2d-py contains the ``std::filesystem`` of an older compiler. If ONNX Runtime, for example,
    was imported first, live2d-py would call that of the newer libstdc++ on its own data, and abort.
    """
    if not LINUX:
        yield
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        yield
    finally:
        sys.setdlopenflags(flags)


@cache
def _stage() -> _Stage:
    return _Stage()


def _load(live2d: Any, folder: ModelFolder) -> Any:
    """The model, from copies of its checked files."""
    files = folder.files()
    with TemporaryDirectory(prefix="visavis-") as place:
        root = Path(place)
        for name, data in files.items():
            (root / name).write_bytes(data)
        model = live2d.Model()
        with _standard_output_closed():
            model.LoadFromJsonString(files[MODEL].decode(), False, str(root))
            if not model.HasMocConsistencyFromFile(MOC):
                raise InputError(f"{folder.path}: its .moc3 is damaged, says Cubism Core; export it again")
            model.CreateRenderer()
    model.SetAutoBreath(False)
    model.SetAutoBlink(False)
    return model


@contextmanager
def _standard_output_closed() -> Iterator[None]:
    """Keep the library's banner and its version off standard output, where ``--json`` prints one object."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        with redirect_stdout(StringIO()):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
