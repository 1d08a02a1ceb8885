"""A fake VTube Studio: its API server, with the documented rules, limits and errors, in a thread of its own.

https://github.com/DenchiSoft/VTubeStudio describes the API.
"""

from __future__ import annotations

import base64
import secrets
import socket
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from threading import RLock, Thread
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from visavis.base.clock import Clock, SystemClock
from visavis.capture.image_header import image_size
from visavis.testing.vtube_studio_messages import ApiError, Caller, Owner, read_request, reject
from visavis.testing.vtube_studio_state import Hotkey, Parameters, StudioModel

OPEN_TO_ALL = ("APIStateRequest", "AuthenticationTokenRequest", "AuthenticationRequest")
ICON_PX = (128, 128)
Data = dict[str, Any]


class FakeVTubeStudio:
    """Use it in a ``with`` statement, and send to :attr:`address`.

    Args:
        allow: the person's answer to the question whether a plugin may connect; None: no answer until
            :meth:`click`.
        port: port of the server; 0 for a free one.
        clock: time of hotkeys and lost values.

    Attributes:
        port: port of the server.
        parameters: parameters and their values.
        model: the loaded model.
        injected: the values of each injection so far.
        requests: the type of each request so far.
        popups: how often the person was asked.
        api_on: whether the API is switched on.
        silent: True to answer nothing.
        noisy: True to send an event and an answer to somebody else before each answer.
    """

    def __init__(self, *, allow: bool | None = True, port: int = 0, clock: Clock | None = None) -> None:
        self.allow, self.port = allow, port
        clock = clock or SystemClock()
        self._clock = clock
        self.parameters, self.model = Parameters(clock), StudioModel(clock)
        self.injected: list[dict[str, float]] = []
        self.requests: list[str] = []
        self.popups = 0
        self.api_on, self.silent, self.noisy = True, False, False
        self._tokens: dict[str, Owner] = {}
        self._failures: defaultdict[str, deque[int]] = defaultdict(deque)
        self._asking: tuple[Caller, Owner, str] | None = None
        self._callers: set[Caller] = set()
        self._server: Server | None = None
        self._lock = RLock()

    @property
    def address(self) -> str:
        """Address for ``--send`` and ``open_output``."""
        return f"vts://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, or start it again on the same port; tokens and parameters stay."""
        self._server = serve(self._talk, "127.0.0.1", self.port, compression=None)
        self.port = self._server.socket.getsockname()[1]
        Thread(target=self._server.serve_forever, name="fake VTube Studio", daemon=True).start()

    def stop(self) -> None:
        """Stop at once, as if the program were closed."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
        with self._lock:
            self._asking = None
            for caller in self._callers:
                try:
                    caller.connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def click(self, allow: bool) -> None:
        """The person answers the question that is shown."""
        with self._lock:
            if self._asking is None:
                raise ValueError("VTube Studio does not ask anything")
            (caller, plugin, request_id), self._asking = self._asking, None
            if not allow:
                caller.send("APIError", {"errorID": 50, "message": "denied"}, request_id)
                return
            token = secrets.token_hex(16)
            self._tokens[token] = plugin
            caller.send("AuthenticationTokenResponse", {"authenticationToken": token}, request_id)

    def revoke(self) -> None:
        """The person takes all permissions back; the plugins' parameters go, too."""
        with self._lock:
            for plugin in self._tokens.values():
                self.parameters.forget(plugin)
            self._tokens.clear()

    def load_model(self, name: str, hotkeys: tuple[Hotkey, ...] = (), files: tuple[str, ...] = ()) -> None:
        """Load a model with its hotkeys and files of expressions; an empty name unloads the model."""
        with self._lock:
            self.model.load(name, hotkeys, files)
            self.emit("ModelLoadedEvent", self.model.facts())

    def emit(self, kind: str, data: Data) -> None:
        """Send an event to all who want it."""
        with self._lock:
            for caller in self._callers:
                if kind in caller.events:
                    caller.send(kind, data, str(uuid.uuid4()))

    def fail(self, kind: str, *numbers: int) -> None:
        """Answer the next requests of this type with these errors."""
        self._failures[kind].extend(numbers)

    def value(self, name: str) -> float:
        """The value of a parameter now."""
        with self._lock:
            return self.parameters.all[name].now(self._clock.now_s())

    def _talk(self, connection: ServerConnection) -> None:
        caller = Caller(connection)
        with self._lock:
            self._callers.add(caller)
        try:
            for text in connection:
                with self._lock:
                    self._handle(caller, text)
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._callers.discard(caller)
                if self._asking is not None and self._asking[0] is caller:
                    self._asking = None

    def _handle(self, caller: Caller, text: str | bytes) -> None:
        request_id, kind = str(uuid.uuid4()), ""
        try:
            request_id, kind, data = read_request(text, request_id)
            self.requests.append(kind)
            if self.silent:
                return
            answer = self._answer(caller, kind, data, request_id)
        except ApiError as error:
            request_id = error.request_id or request_id
            kind, answer = "APIError", {"errorID": error.number, "message": str(error)}
        if answer is not None:
            if self.noisy:
                caller.send("TestEvent", {"counter": 1}, request_id)
                caller.send("APIError", {"errorID": 0, "message": "not yours"}, str(uuid.uuid4()))
            caller.send(kind.removesuffix("Request") + "Response" * (kind != "APIError"), answer, request_id)

    def _answer(self, caller: Caller, kind: str, data: Data, request_id: str) -> Data | None:
        rule = self._rules(caller, data).get(kind)
        reject(rule is None and kind != "AuthenticationTokenRequest", 7)
        reject(not self.api_on and kind != "APIStateRequest", 1)
        if failures := self._failures[kind]:
            raise ApiError(failures.popleft())
        if kind not in OPEN_TO_ALL:
            reject(not caller.token, 8)
            reject(caller.token not in self._tokens, 50)
        if rule is not None:
            return rule()
        self._ask_person(caller, data, request_id)
        return None

    def _ask_person(self, caller: Caller, data: Data, request_id: str) -> None:
        for key, error in (("pluginName", 52), ("pluginDeveloper", 53)):
            reject(not 3 <= len(str(data.get(key) or "")) <= 32, error)
        if icon := data.get("pluginIcon"):
            try:
                size = image_size(base64.b64decode(icon, validate=True))
            except (ValueError, TypeError):
                size = None
            reject(size != ICON_PX, 54)
        reject(self._asking is not None, 51)
        self.popups += 1
        self._asking = (caller, (data["pluginName"], data["pluginDeveloper"]), request_id)
        if self.allow is not None:
            self.click(self.allow)

    def _rules(self, caller: Caller, data: Data) -> dict[str, Callable[[], Data]]:
        """What answers each type of request."""
        model, parameters = self.model, self.parameters
        return {
            "APIStateRequest": lambda: {
                "active": self.api_on,
                "vTubeStudioVersion": "1.9.0",
                "currentSessionAuthenticated": caller.token in self._tokens,
            },
            "AuthenticationRequest": lambda: self._sign_in(caller, data),
            "EventSubscriptionRequest": lambda: caller.subscribe(data),
            "HotkeysInCurrentModelRequest": lambda: (
                model.facts() | {"availableHotkeys": model.list_hotkeys()}
            ),
            "HotkeyTriggerRequest": lambda: {"hotkeyID": model.trigger(data.get("hotkeyID"))},
            "ExpressionStateRequest": lambda: model.facts() | {"expressions": model.expressions(data)},
            "ExpressionActivationRequest": lambda: model.activate(data),
            "InputParameterListRequest": lambda: model.facts() | parameters.lists(),
            "ParameterValueRequest": lambda: parameters.describe(data.get("name")),
            "ParameterCreationRequest": lambda: {"parameterName": parameters.create(caller.plugin, data)},
            "ParameterDeletionRequest": lambda: {"parameterName": parameters.delete(caller.plugin, data)},
            "InjectParameterDataRequest": lambda: self._inject(caller, data),
        }

    def _sign_in(self, caller: Caller, data: Data) -> Data:
        for key, error in (("authenticationToken", 100), ("pluginName", 101), ("pluginDeveloper", 102)):
            reject(not data.get(key), error)
        token, plugin = str(data["authenticationToken"]), (data["pluginName"], data["pluginDeveloper"])
        valid = self._tokens.get(token) == plugin
        if valid:
            caller.token, caller.plugin = token, plugin
        return {"authenticated": valid, "reason": "Token valid." if valid else "Token invalid."}

    def _inject(self, caller: Caller, data: Data) -> Data:
        self.injected.append(self.parameters.inject(caller.plugin, data))
        return {}
