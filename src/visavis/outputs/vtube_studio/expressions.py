"""Expressions of the person that trigger hotkeys and expressions of the model in VTube Studio.

An expression such as *happy* triggers the hotkey of this name, or the hotkey or the expression whose file has
this name. https://github.com/DenchiSoft/VTubeStudio#requesting-execution-of-hotkeys
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic
from typing import Any

from visavis.channels import EXPRESSIONS
from visavis.outputs.vtube_studio.errors import VTubeStudioError
from visavis.outputs.vtube_studio.protocol import Data, StudioSession

NEUTRAL = EXPRESSIONS[0]
LABELS = EXPRESSIONS[1:]
ENDING = ".exp3.json"
ACTIVATE = "ExpressionActivationRequest"
# A new expression must last this long before it is shown, and is then shown this long at least.
SETTLE_S = 0.3
HOLD_S = 1.0
# A switch that VTube Studio refused is tried again after this time. A hotkey works once in 5 frames.
AGAIN_S = 1.0
FADE_S = 0.25
# At the end, answers that are still on their way are awaited this long.
RELEASE_S = 0.5


class HeldExpression:
    """The expression to show, which does not flicker."""

    def __init__(self) -> None:
        self._shown: str | None = None
        self._since_s = -inf
        self._next: str | None = None
        self._next_since_s = -inf

    def update(self, label: str | None, time_s: float) -> str | None:
        """The expression to show at this time; None for none.

        Args:
            label: what the face shows now.
            time_s: time of the frame.
        """
        label = None if label == NEUTRAL else label
        if time_s < max(self._since_s, self._next_since_s):  # The clock starts again.
            self._since_s = self._next_since_s = -inf
        if label != self._next:
            self._next, self._next_since_s = label, time_s
        settled = time_s - self._next_since_s >= SETTLE_S
        if label != self._shown and settled and time_s - self._since_s >= HOLD_S:
            self._shown, self._since_s = label, time_s
        return self._shown


@dataclass(slots=True, eq=False)
class Target:
    """One hotkey or expression of the model.

    Attributes:
        hotkey: id of the hotkey; empty for an expression without one.
        file: file of the expression; empty if the hotkey does something else, which needs no switching off.
        labels: the person's expressions that switch it on.
        shown: whether it is on, as far as we know.
        busy: whether an answer is awaited.
        tried_s: when it was switched last.
    """

    hotkey: str
    file: str
    labels: set[str] = field(default_factory=set)
    shown: bool = False
    busy: bool = False
    tried_s: float = -inf

    @property
    def perhaps_on(self) -> bool:
        """Whether it is on, or was asked to switch and has not answered."""
        return self.shown or self.busy


class Expressions:
    """Switches the model's expressions as the person's face changes.

    Args:
        names: the person's expression -> name of the hotkey or expression, where it has another name; empty:
            this expression triggers nothing.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._failed = self._missing = ""
        self._names = dict(names)
        self._held = HeldExpression()
        self._hotkeys: Sequence[Any] = ()
        self._targets: list[Target] = []

    @property
    def message(self) -> str:
        """What a person should know; empty if all is well."""
        return self._failed or self._missing

    def refresh(self, session: StudioSession) -> None:
        """Ask for the hotkeys and expressions of the model that is loaded now."""
        session.post("HotkeysInCurrentModelRequest", None, self._got_hotkeys)
        # Its answer comes after that of the hotkeys.
        session.post("ExpressionStateRequest", {"details": False}, self._got_expressions)

    def step(self, session: StudioSession, label: str | None, time_s: float) -> None:
        """Switch what the face asks for; what VTube Studio refuses is tried again later."""
        label = self._held.update(label, time_s)
        for target in sorted(self._targets, key=lambda target: label in target.labels):  # First off, then on.
            wanted = label in target.labels
            if wanted != target.shown and not target.busy and abs(time_s - target.tried_s) >= AGAIN_S:
                target.tried_s, target.busy = time_s, True
                self._switch(session, target, wanted)

    def release(self, session: StudioSession) -> None:
        """Switch off the expression that was switched on, even if VTube Studio has not confirmed it yet."""
        until_s = monotonic() + RELEASE_S

        def wait_while(pending: Callable[[], object]) -> None:
            while pending() and (left_s := until_s - monotonic()) > 0:
                session.pump(left_s)

        wait_while(lambda: any(target.busy for target in self._targets))
        for target in self._targets:
            if target.perhaps_on and target.file:
                session.post(ACTIVATE, _activation(target, False))
        # What waits unread when the connection ends may be lost.
        wait_while(lambda: session.unanswered(ACTIVATE))

    def _switch(self, session: StudioSession, target: Target, on: bool) -> None:
        done = partial(self._done, target, on)
        if not target.hotkey:
            session.post(ACTIVATE, _activation(target, on), done)
        elif target.file:
            # A hotkey toggles, and the person may have toggled by hand: look first.
            session.post(
                "ExpressionStateRequest",
                {"details": False, "expressionFile": target.file},
                partial(self._toggle, session, target, on),
            )
        elif on:
            session.post("HotkeyTriggerRequest", {"hotkeyID": target.hotkey}, done)
        else:
            done({}, None)

    def _toggle(
        self, session: StudioSession, target: Target, on: bool, data: Data, error: VTubeStudioError | None
    ) -> None:
        states = [e for e in _dicts(data.get("expressions")) if e.get("file") == target.file]
        if error is not None or (states and states[0].get("active") is on):
            self._done(target, on, data, error)
        else:
            done = partial(self._done, target, on)
            session.post("HotkeyTriggerRequest", {"hotkeyID": target.hotkey}, done)

    def _done(self, target: Target, on: bool, data: Data, error: VTubeStudioError | None) -> None:
        target.busy = False
        if error is None:
            target.shown = on
        self._failed = "" if error is None else str(error)

    def _got_hotkeys(self, data: Data, error: VTubeStudioError | None) -> None:
        self._hotkeys = _dicts(data.get("availableHotkeys"))

    def _got_expressions(self, data: Data, error: VTubeStudioError | None) -> None:
        self._failed = self._missing = ""
        expressions = _dicts(data.get("expressions"))
        active = {one.get("file") for one in expressions if one.get("active") is True}
        # What was switched on before the connection was lost must be switched off again.
        ours = {(one.hotkey, one.file) for one in self._targets if one.perhaps_on and one.file in active}
        targets: dict[tuple[str, str], Target] = {}
        for label in LABELS:
            name = self._names.get(label, label)
            if not name:  # Switched off by the address.
                continue
            found = find(name, self._hotkeys, expressions)
            if found is not None:
                targets.setdefault((found.hotkey, found.file), found).labels.add(label)
            elif label in self._names and data.get("modelLoaded") is True:
                self._missing = (
                    f"the model {str(data.get('modelName'))[:40]!r} has no hotkey and no expression "
                    f"{name!r}, which the address names for {label}"
                )
        self._targets = list(targets.values())
        for target in self._targets:
            target.shown = (target.hotkey, target.file) in ours


def find(name: str, hotkeys: Sequence[Any], expressions: Sequence[Any]) -> Target | None:
    """The hotkey, or else the expression, of this name; upper and lower case are the same.

    Args:
        name: name or id of a hotkey, or name of an expression's file with or without ``.exp3.json``.
        hotkeys: ``availableHotkeys`` of HotkeysInCurrentModelResponse.
        expressions: ``expressions`` of ExpressionStateResponse.
    """
    name = _plain(name)
    for key in ("name", "hotkeyID", "file"):
        for hotkey in hotkeys:
            if _plain(hotkey.get(key)) == name and hotkey.get("hotkeyID"):
                toggles = hotkey.get("type") == "ToggleExpression"
                return Target(str(hotkey["hotkeyID"]), str(hotkey.get("file")) if toggles else "")
    for expression in expressions:
        if _plain(expression.get("file")) == name:
            return Target("", str(expression["file"]))
    return None


def _plain(name: object) -> str:
    return str(name or "").strip().casefold().removesuffix(ENDING)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _activation(target: Target, on: bool) -> dict[str, Any]:
    return {"expressionFile": target.file, "fadeTime": FADE_S, "active": on}
