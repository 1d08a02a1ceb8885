"""ctypes bindings to ThorVG, the vector graphics library that draws Mira.

The package ``thorvg-python`` provides the library for every platform. Its own classes turn each number into
an object, which takes longer than drawing; this module calls the same C functions (``thorvg_capi.h``) with
the addresses of whole arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from thorvg_python.engine import Engine

from visavis.errors import VisavisError

# Path commands of ``append_path``.
CLOSE, MOVE_TO, LINE_TO, CUBIC_TO = range(4)
# Pixel format for ``set_target``: bytes red, green, blue, alpha; colours are multiplied by alpha.
RGBA = 0
# Redraw the whole picture each time, because the library does not know that the background changes.
NO_OPTIONS = 0

_POINTER, _FLOAT, _COUNT, _BYTE = ctypes.c_void_p, ctypes.c_float, ctypes.c_uint32, ctypes.c_uint8

Matrix = _FLOAT * 9


class ThorVG:
    """The started library; pointers are integers, and arrays are passed by their address.

    An object belongs to the shape or canvas that it is added to, and is freed together with it.

    Raises:
        OSError: the library cannot be loaded or started.
    """

    def __init__(self) -> None:
        self._engine = Engine(threads=0)  # Ends the library when it is collected.
        if self._engine.init_result:
            raise OSError(f"it did not start: {self._engine.init_result}")
        self._slow = self._engine.thorvg_lib
        # Other threads wait during these calls: hundreds of them take less time than one change of threads.
        self._quick = ctypes.PyDLL(self._slow._name, handle=self._slow._handle)
        self.new_canvas = self._maker("swcanvas_create", ctypes.c_int)
        self.new_shape = self._maker("shape_new")
        self.new_scene = self._maker("scene_new")
        self.new_linear_gradient = self._maker("linear_gradient_new")
        self.new_radial_gradient = self._maker("radial_gradient_new")
        # canvas, pixels, pixels in a row, width, height, layout
        self.set_target = self._doer("swcanvas_set_target", _POINTER, _POINTER, *[_COUNT] * 3, ctypes.c_int)
        self.add = self._doer("canvas_add", _POINTER, _POINTER)
        # scene, shape; a clip of the scene bounds all its shapes.
        self.add_to_scene = self._doer("scene_add", _POINTER, _POINTER)
        self.update = self._doer("canvas_update", _POINTER, slow=True)
        # canvas, whether to clear it first
        self.draw = self._doer("canvas_draw", _POINTER, ctypes.c_bool, slow=True)
        self.sync = self._doer("canvas_sync", _POINTER, slow=True)
        self.destroy = self._doer("canvas_destroy", _POINTER)
        # Deletes only the path.
        self.reset = self._doer("shape_reset", _POINTER)
        # shape, uint8 commands, their number, float32 points, their number
        self.append_path = self._doer("shape_append_path", _POINTER, _POINTER, _COUNT, _POINTER, _COUNT)
        self.set_color = self._doer("shape_set_fill_color", _POINTER, *[_BYTE] * 4)
        self.set_gradient = self._doer("shape_set_gradient", _POINTER, _POINTER)
        self.set_opacity = self._doer("paint_set_opacity", _POINTER, _BYTE)
        self.set_clip = self._doer("paint_set_clip", _POINTER, _POINTER)
        # gradient, rows of a float32 offset and four bytes of colour, their number
        self.set_color_stops = self._doer("gradient_set_color_stops", _POINTER, _POINTER, _COUNT)
        # gradient, both ends
        self.set_line = self._doer("linear_gradient_set", _POINTER, *[_FLOAT] * 4)
        # gradient, centre and radius of the end circle, then of the start circle
        self.set_circles = self._doer("radial_gradient_set", _POINTER, *[_FLOAT] * 6)
        # gradient, a 3 x 3 matrix by rows
        self.set_transform = self._doer("gradient_set_transform", _POINTER, ctypes.POINTER(Matrix))

    def _function(self, name: str, result: type[Any], *arguments: type[Any], slow: bool = False) -> Any:
        # By index, because the wrapper declares the attributes of these names differently.
        function = (self._slow if slow else self._quick)[f"tvg_{name}"]
        function.restype, function.argtypes = result, arguments
        return function

    def _maker(self, name: str, *arguments: type[Any]) -> Callable[..., int]:
        made: Callable[..., int] = self._function(name, _POINTER, *arguments)
        return made

    def _doer(self, name: str, *arguments: type[Any], slow: bool = False) -> Callable[..., int]:
        def check(status: int, function: object, given: tuple[object, ...]) -> int:
            if status:
                raise VisavisError(f"ThorVG's {name} failed with status {status}; please report this")
            return status

        function = self._function(name, ctypes.c_int, *arguments, slow=slow)
        function.errcheck = check
        done: Callable[..., int] = function
        return done


@cache
def thorvg() -> ThorVG:
    """The library, loaded once.

    Raises:
        VisavisError: it cannot be loaded.
    """
    try:
        return ThorVG()
    except (OSError, AttributeError) as error:
        raise VisavisError(
            f"the drawing library ThorVG cannot be loaded ({error}); reinstall the package thorvg-python"
        ) from error
