"""VTube Studio: the face moves a Live2D model there, and expressions trigger its hotkeys.

``vts://`` finds VTube Studio on this computer; ``vts://HOST:PORT`` names it. Values go into VTube Studio's
own tracking inputs, so a model that follows a face already needs no change. Options:

- ``map=FILE``: a retarget file of your own.
- ``custom=1``: also send the 52 blendshapes, as custom parameters; those that are missing are created.
- ``mirror=0``: the model moves as the camera sees you, and not as in a mirror.
- ``happy=NAME``, and so on for each expression: the hotkey or expression that it triggers.

https://github.com/DenchiSoft/VTubeStudio
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from time import monotonic

from visavis.avatar.profile import config_folder
from visavis.avatar.retarget import Retargeting
from visavis.base.address import LOCALHOST, Address
from visavis.errors import DeviceError, InputError
from visavis.outputs.sample import Sample
from visavis.outputs.vtube_studio import discovery
from visavis.outputs.vtube_studio.errors import (
    API_OFF,
    DENIED,
    NOT_AUTHENTICATED,
    UNKNOWN_PARAMETER,
    VTubeStudioError,
)
from visavis.outputs.vtube_studio.expressions import LABELS, Expressions
from visavis.outputs.vtube_studio.login import Login
from visavis.outputs.vtube_studio.parameters import (
    PRESET,
    create_parameter,
    mapping_of,
    missing_parameters,
    parameter_names,
)
from visavis.outputs.vtube_studio.protocol import Data, StudioSession
from visavis.outputs.vtube_studio.tokens import TokenStore

PORT = 8001
TOKENS = "vtube_studio.json"
INJECT = "InjectParameterDataRequest"
MODEL_EVENTS = ("ModelLoadedEvent", "ModelConfigChangedEvent")
# VTube Studio forgets a value after a second.
REPEAT_S = 0.5
# When the face is lost, values move to rest with this time constant.
EASE_S = 0.3
# While VTube Studio is busy, no more messages than these are sent ahead.
MOST_UNANSWERED = 30
POLL_S = 0.1
# The list of parameters is long, and not asked for more often.
LIST_AGAIN_S = 5.0


class VTubeStudio:
    """The connection to one VTube Studio.

    Args:
        host: name or address of its computer; None: this computer.
        port: port of its API; None: what it announces, else 8001.
        mapping: what moves each parameter.
        names: expression -> hotkey, where the hotkey has another name; empty for none.
        create: whether to create the parameters of the mapping that are missing.
    """

    repeat_s: float | None = REPEAT_S
    waits = 1
    at_once = False

    def __init__(
        self,
        host: str | None,
        port: int | None,
        mapping: Retargeting,
        names: Mapping[str, str],
        *,
        create: bool = False,
    ) -> None:
        self._seek = host is None and port is None
        self._host, self._port = host or LOCALHOST, port or PORT
        self._mapping, self._create = mapping, create
        self._values = {name: parameter.rest for name, parameter in mapping.parameters.items()}
        self._values_s = 0.0
        self._login = Login(TokenStore(config_folder() / TOKENS), self._host)
        self._expressions = Expressions(names)
        self._session: StudioSession | None = None
        self._known: set[str] | None = None
        self._listed_s = 0.0
        self._model_changed = False
        self._problem = self._notice = ""

    def open(self) -> None:
        """Reach VTube Studio and sign in; see :meth:`Connection.open`."""
        self._known, self._problem = None, ""
        self._session = self._reach()
        self._login.begin(self._session)

    def send(self, sample: Sample) -> str:
        """Send the values of one sample; see :meth:`Connection.send`.

        Raises:
            NotReadyError: the person must click Allow first.
        """
        session = self._ready()
        if self._model_changed:
            self._model_changed = False
            self._expressions.refresh(session)
        self._expressions.step(session, sample.label, sample.time_s)
        values = self._take(sample)
        while session.unanswered(INJECT) >= MOST_UNANSWERED:
            session.pump(POLL_S)
        if values:
            data = {
                "faceFound": sample.state is not None,
                "mode": "set",
                "parameterValues": [{"id": name, "value": value} for name, value in values.items()],
            }
            session.post(INJECT, data, self._injected)
        return self._problem or self._expressions.message or self._notice or self._login.notice

    def close(self) -> None:
        """Switch off what was switched on, and leave."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            self._expressions.release(session)
        except DeviceError:
            pass
        finally:
            session.close()

    def _reach(self) -> StudioSession:
        try:
            return StudioSession(self._host, self._port, self._event)
        except DeviceError:
            if not self._seek:
                raise
        found = discovery.hear_announcement()
        if found is not None and not found.here:
            raise DeviceError(
                f"VTube Studio runs on another computer; send to vts://{found.host}:{found.port}"
            )
        if found is not None and not found.active:
            raise VTubeStudioError(API_OFF)
        if found is not None:
            self._port = found.port
        return StudioSession(self._host, self._port, self._event)

    def _ready(self) -> StudioSession:
        """The session, signed in and prepared, after all that has come was handled."""
        session = self._session
        if session is None:
            raise DeviceError("VTube Studio is not connected")
        session.pump()
        if not self._login.done:
            self._login.step(session)
        if self._known is None:
            for event in MODEL_EVENTS:
                session.post(
                    "EventSubscriptionRequest", {"eventName": event, "subscribe": True, "config": {}}
                )
            self._expressions.refresh(session)
            self._known, self._listed_s = self._prepared(session), monotonic()
        return session

    def _prepared(self, session: StudioSession) -> set[str]:
        """The names of the parameters that are there; sets the notice if some are missing."""
        there = parameter_names(session)
        missing = missing_parameters(self._mapping, there)
        refused, self._notice = "", ""
        if self._create and missing:
            for name in missing:
                error = create_parameter(session, name, self._mapping.parameters[name])
                if error is not None and not refused:
                    refused = f"{name}: {error}"
            there = parameter_names(session)
        elif missing:
            names = ", ".join(missing)[:80]
            self._notice = (
                f"VTube Studio has no parameter {names}; with custom=1 visavis adds what is missing"
            )
        self._notice = self._notice or refused
        return there

    def _take(self, sample: Sample) -> dict[str, float]:
        """The values to send, by parameter, for those that VTube Studio has."""
        if sample.state is None:
            left = exp(-max(sample.time_s - self._values_s, 0.0) / EASE_S)
            for name, parameter in self._mapping.parameters.items():
                self._values[name] = parameter.rest + left * (self._values[name] - parameter.rest)
        else:
            self._values = self._mapping.apply(sample.state)
        self._values_s = sample.time_s
        return {name: value for name, value in self._values.items() if name in (self._known or ())}

    def _injected(self, data: Data, error: VTubeStudioError | None) -> None:
        self._problem = "" if error is None else str(error)
        if error is None:
            return
        if error.number in (API_OFF, NOT_AUTHENTICATED, DENIED):
            raise error
        if error.number == UNKNOWN_PARAMETER and monotonic() - self._listed_s > LIST_AGAIN_S:
            self._known = None  # The next sample asks which ones are left.

    def _event(self, kind: str, data: Data) -> None:
        self._model_changed |= kind in MODEL_EVENTS


def connect(address: Address) -> VTubeStudio:
    """A connection for an address.

    Raises:
        InputError: the address has a name or an unknown option, or its retarget file is none.
    """
    address.require("map", "custom", "mirror", *LABELS)
    names = {label: address.options[label] for label in LABELS if label in address.options}
    custom, mirror = (_flag(address, name) for name in ("custom", "mirror"))
    mapping = mapping_of(address.options.get("map", PRESET), custom=custom is True, mirror=mirror)
    return VTubeStudio(address.host, address.port, mapping, names, create=custom is True)


def _flag(address: Address, name: str) -> bool | None:
    value = address.options.get(name)
    if value not in ("0", "1", None):
        raise InputError(f"{address}: {name} is {value!r}; expected 0 or 1")
    return None if value is None else value == "1"
