"""What a fake VTube Studio holds: parameters with their owners, and a model with hotkeys and expressions.

The rules are those of https://github.com/DenchiSoft/VTubeStudio; numbers of errors are from Files/ErrorID.cs.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Any

from visavis.base.clock import Clock
from visavis.testing.vtube_studio_messages import ApiError, Owner, number_of, reject

LOST_S = 1.0
# One hotkey is executed every 5 frames, at 60 frames a second.
HOTKEY_S = 5 / 60
HOTKEY_QUEUE = 32
MOST_OF_PLUGIN, MOST_OF_ALL = 100, 300
LONGEST_EXPLANATION = 255
ENDING = ".exp3.json"
# The inputs of the program itself, with lowest, highest and default value. The names are documented, of the
# ranges only those of FaceAngleX and FacePositionX.
DEFAULT_INPUTS: dict[str, tuple[float, float, float]] = {
    **dict.fromkeys(("FacePositionX", "FacePositionY", "FacePositionZ"), (-10.0, 10.0, 0.0)),
    **dict.fromkeys(("FaceAngleX", "FaceAngleY", "FaceAngleZ"), (-30.0, 30.0, 0.0)),
    **dict.fromkeys(
        ("MouthSmile", "MouthOpen", "Brows", "TongueOut", "CheekPuff", "FaceAngry"), (0.0, 1.0, 0.0)
    ),
    **dict.fromkeys(("EyeOpenLeft", "EyeOpenRight", "BrowLeftY", "BrowRightY"), (0.0, 1.0, 0.0)),
    **dict.fromkeys(("EyeLeftX", "EyeLeftY", "EyeRightX", "EyeRightY", "MouthX"), (-1.0, 1.0, 0.0)),
    **dict.fromkeys(("MousePositionX", "MousePositionY"), (-1.0, 1.0, 0.0)),
    **dict.fromkeys(("VoiceVolume", "VoiceFrequency"), (0.0, 1.0, 0.0)),
    **dict.fromkeys(("VoiceVolumePlusMouthOpen", "VoiceFrequencyPlusMouthSmile"), (0.0, 1.0, 0.0)),
}


@dataclass(slots=True)
class StudioParameter:
    """A parameter that plugins may set: one sets, and any number adds."""

    low: float
    high: float
    rest: float
    maker: Owner | None = None
    owner: Owner | None = None
    set_s: float = -inf
    value: float = 0.0
    added: dict[Owner, tuple[float, float]] = field(default_factory=dict)

    def now(self, time_s: float) -> float:
        """The value at a time: what was not sent again within a second is lost."""
        base = self.value if time_s - self.set_s <= LOST_S else self.rest
        return base + sum(value for value, since_s in self.added.values() if time_s - since_s <= LOST_S)

    def held_by_other(self, plugin: Owner, time_s: float) -> bool:
        """Whether another plugin sets it."""
        return self.owner not in (None, plugin) and time_s - self.set_s <= LOST_S


class Parameters:
    """All parameters, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.all = {name: StudioParameter(*numbers) for name, numbers in DEFAULT_INPUTS.items()}
        self.face_found = False

    def create(self, plugin: Owner, data: dict[str, Any]) -> str:
        """Create a parameter, or change the range of an own one; returns its name."""
        name, explanation = data.get("parameterName"), data.get("explanation") or ""
        valid = isinstance(name, str) and name.isascii() and name.isalnum() and 4 <= len(name) <= 32
        if not isinstance(name, str) or not valid:
            raise ApiError(350)
        low, high, rest = (number_of(data.get(key), 351) for key in ("min", "max", "defaultValue"))
        reject(len(str(explanation)) > LONGEST_EXPLANATION, 353)
        old = self.all.get(name)
        reject(name in DEFAULT_INPUTS, 354)
        reject(old is not None and old.maker != plugin, 352)
        custom = [one for one in self.all.values() if one.maker is not None]
        reject(old is None and sum(one.maker == plugin for one in custom) >= MOST_OF_PLUGIN, 355)
        reject(old is None and len(custom) >= MOST_OF_ALL, 356)
        self.all[name] = StudioParameter(low, high, rest, plugin)
        return name

    def delete(self, plugin: Owner, data: dict[str, Any]) -> str:
        """Delete an own parameter; returns its name."""
        name = data.get("parameterName")
        if not isinstance(name, str) or not name:
            raise ApiError(400)
        reject(name in DEFAULT_INPUTS, 403)
        reject(name not in self.all, 401)
        reject(self.all[name].maker != plugin, 402)
        del self.all[name]
        return name

    def forget(self, plugin: Owner) -> None:
        """Delete what a plugin made, as happens when its permission is withdrawn."""
        self.all = {name: one for name, one in self.all.items() if one.maker != plugin}

    def inject(self, plugin: Owner, data: dict[str, Any]) -> dict[str, float]:
        """Set or add values; either all of them or none."""
        mode, items, now_s = data.get("mode") or "set", data.get("parameterValues"), self._clock.now_s()
        reject(mode not in ("set", "add"), 455)
        if not isinstance(items, list) or not items:
            raise ApiError(450)
        values: dict[str, tuple[float, float]] = {}
        for item in items:
            name = item.get("id") if isinstance(item, dict) else None
            if name not in self.all:
                raise ApiError(453)
            weight = item.get("weight")
            values[name] = (
                number_of(item.get("value"), 451),
                1.0 if weight is None else number_of(weight, 452, 0, 1),
            )
            reject(mode == "set" and self.all[name].held_by_other(plugin, now_s), 454)
        for name, (value, weight) in values.items():
            one = self.all[name]
            if mode == "add":
                one.added[plugin] = (value, now_s)
            else:
                one.owner, one.set_s = plugin, now_s
                one.value = weight * value + (1 - weight) * one.rest
        self.face_found = data.get("faceFound") is True
        return {name: value for name, (value, _) in values.items()}

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """The lists of InputParameterListResponse."""
        found: dict[str, list[dict[str, Any]]] = {"customParameters": [], "defaultParameters": []}
        for name, one in self.all.items():
            kind = "defaultParameters" if one.maker is None else "customParameters"
            found[kind].append(self.describe(name))
        return found

    def describe(self, name: Any) -> dict[str, Any]:
        """A parameter as VTube Studio describes it."""
        reject(name not in self.all, 500)
        one = self.all[name]
        return {
            "name": name,
            "addedBy": "VTube Studio" if one.maker is None else one.maker[0],
            "value": one.now(self._clock.now_s()),
            "min": one.low,
            "max": one.high,
            "defaultValue": one.rest,
        }


@dataclass(frozen=True, slots=True)
class Hotkey:
    """A hotkey of the model; for ToggleExpression the file is an expression's."""

    name: str
    type: str = "ToggleExpression"
    file: str = ""

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{self.type}/{self.file}").hex


class StudioModel:
    """The loaded model, or none.

    Attributes:
        name: its name; empty if no model is loaded.
        active: files of the expressions that are on.
        executed: names of the hotkeys that were executed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[tuple[float, Hotkey]] = deque()
        self._last: dict[str, float] = {}
        self._free_s = -inf
        self.executed: list[str] = []
        self.load("Akari", (Hotkey("Happy", file="smile.exp3.json"),), ("smile.exp3.json", "sad.exp3.json"))

    def load(self, name: str, hotkeys: tuple[Hotkey, ...], files: tuple[str, ...]) -> None:
        """Load another model; an empty name unloads it."""
        self.name, self.hotkeys, self.files = name, hotkeys, files
        self.active: set[str] = set()
        self._queue.clear()

    def facts(self) -> dict[str, Any]:
        """What many answers say of the model."""
        model_id = uuid.uuid5(uuid.NAMESPACE_OID, self.name).hex if self.name else ""
        return {"modelLoaded": bool(self.name), "modelName": self.name, "modelID": model_id}

    def list_hotkeys(self) -> list[dict[str, Any]]:
        """The list of HotkeysInCurrentModelResponse."""
        return [
            {
                "name": hotkey.name,
                "type": hotkey.type,
                "description": "",
                "file": hotkey.file,
                "hotkeyID": hotkey.id,
                "keyCombination": [],
                "onScreenButtonID": -1,
            }
            for hotkey in self.hotkeys
        ]

    def trigger(self, wanted: object) -> str:
        """Put a hotkey, named by id or name, into the queue; returns its id."""
        reject(not self.name, 201)
        now_s = self._clock.now_s()
        self.run(now_s)
        named = str(wanted or "").casefold()
        hotkey = next((h for h in self.hotkeys if wanted == h.id or named == h.name.casefold()), None)
        if hotkey is None:
            raise ApiError(202)
        reject(now_s - self._last.get(hotkey.id, -inf) < HOTKEY_S, 203)
        reject(len(self._queue) >= HOTKEY_QUEUE, 200)
        reject(hotkey.type == "ToggleExpression" and hotkey.file not in self.files, 204)
        self._last[hotkey.id] = now_s
        self._free_s = max(now_s, self._free_s + HOTKEY_S)
        self._queue.append((self._free_s, hotkey))
        self.run(now_s)
        return hotkey.id

    def run(self, now_s: float) -> None:
        """Execute the hotkeys whose turn has come."""
        while self._queue and self._queue[0][0] <= now_s:
            hotkey = self._queue.popleft()[1]
            self.executed.append(hotkey.name)
            if hotkey.type == "ToggleExpression":
                self.active ^= {hotkey.file}

    def activate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Switch an expression on or off; returns the empty answer."""
        file = data.get("expressionFile")
        reject(not self.name, 652)
        reject(not str(file).endswith(ENDING), 650)
        reject(file not in self.files, 651)
        (self.active.add if data.get("active") is True else self.active.discard)(str(file))
        return {}

    def expressions(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        """The list of ExpressionStateResponse."""
        self.run(self._clock.now_s())
        file = data.get("expressionFile")
        reject(bool(file) and not str(file).endswith(ENDING), 600)
        reject(bool(file) and file not in self.files, 601)
        return [
            {
                "name": one.removesuffix(ENDING),
                "file": one,
                "active": one in self.active,
                "deactivateWhenKeyIsLetGo": False,
                "autoDeactivateAfterSeconds": False,
                "secondsRemaining": 0,
                "usedInHotkeys": [],
                "parameters": [],
            }
            for one in self.files
            if not file or one == file
        ]
