"""The fake VTube Studio: it keeps the documented rules, also as another client sees them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from visavis.testing import FakeVTubeStudio, Hotkey, ManualClock

PLUGIN = {"pluginName": "Plugin", "pluginDeveloper": "Somebody"}
CREATION = {"parameterName": "Wave", "explanation": "", "min": 0, "max": 1, "defaultValue": 0}


class Client:
    """A plugin that says what it is told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, text: str | bytes) -> dict[str, Any]:
        self.connection.send(text)
        return self.hear()

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.connection.recv(timeout=5))
        return found

    def ask(self, kind: str, data: object = None, **fields: object) -> dict[str, Any]:
        message = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "messageType": kind, "data": data}
        return self.say(json.dumps(message | fields))

    def error(self, kind: str, data: object = None, **fields: object) -> int | None:
        answer = self.ask(kind, data, **fields)
        return answer["data"]["errorID"] if answer["messageType"] == "APIError" else None

    def sign_in(self, name: str = "Plugin") -> None:
        plugin = {**PLUGIN, "pluginName": name}
        token = self.ask("AuthenticationTokenRequest", plugin)["data"]["authenticationToken"]
        assert len(token) <= 64
        assert token.isascii()
        answer = self.ask("AuthenticationRequest", {**plugin, "authenticationToken": token})
        assert answer["data"]["authenticated"] is True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


@pytest.fixture
def studio(clock: ManualClock) -> Iterator[FakeVTubeStudio]:
    with FakeVTubeStudio(clock=clock) as fake:
        yield fake


@pytest.fixture
def client(studio: FakeVTubeStudio) -> Iterator[Client]:
    with connect(f"ws://127.0.0.1:{studio.port}", proxy=None) as connection:
        yield Client(connection)


@pytest.fixture
def plugin(client: Client) -> Client:
    client.sign_in()
    return client


def inject(*items: dict[str, object], **fields: object) -> dict[str, object]:
    return {"parameterValues": list(items), **fields}


def test_an_answer_has_the_request_s_id_type_and_fields(client: Client) -> None:
    answer = client.ask("APIStateRequest", requestID="mine")
    assert answer.pop("timestamp") > 1.6e12
    assert answer == {
        "apiName": "VTubeStudioPublicAPI",
        "apiVersion": "1.0",
        "messageType": "APIStateResponse",
        "requestID": "mine",
        "data": {"active": True, "vTubeStudioVersion": "1.9.0", "currentSessionAuthenticated": False},
    }
    assert len(client.ask("APIStateRequest")["requestID"]) == 36


@pytest.mark.parametrize("text", ["{", "[]", b"\xff", "{}" * 2, "7"])
def test_what_is_no_json_object_is_error_2(client: Client, text: str | bytes) -> None:
    assert client.say(text)["data"]["errorID"] == 2


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"apiName": "Other"}, 3),
        ({"apiVersion": "2.0"}, 4),
        ({"requestID": ""}, 5),
        ({"requestID": "x" * 65}, 5),
        ({"requestID": "é"}, 5),
        ({"requestID": 7}, 5),
        ({"messageType": ""}, 6),
        ({"messageType": "NoRequest"}, 7),
        ({"messageType": "HotkeyTriggerRequest"}, 8),
        ({"requestID": "x" * 64}, None),
    ],
)
def test_the_envelope_is_checked(client: Client, fields: dict[str, object], number: int | None) -> None:
    assert client.error("APIStateRequest", **fields) == number


def icon(width: int, height: int) -> str:
    return base64.b64encode(
        cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()
    ).decode()


@pytest.mark.parametrize(
    ("data", "number"),
    [
        ({**PLUGIN, "pluginName": "ab"}, 52),
        ({**PLUGIN, "pluginName": "a" * 33}, 52),
        ({**PLUGIN, "pluginDeveloper": "ab"}, 53),
        ({**PLUGIN, "pluginIcon": icon(64, 64)}, 54),
        ({**PLUGIN, "pluginIcon": "no"}, 54),
        ({**PLUGIN, "pluginIcon": icon(128, 128)}, None),
        ({**PLUGIN, "pluginName": "abc"}, None),
    ],
)
def test_who_asks_for_a_token_is_checked(client: Client, data: dict[str, object], number: int | None) -> None:
    assert client.error("AuthenticationTokenRequest", data) == number


@pytest.mark.parametrize(
    ("missing", "number"), [("authenticationToken", 100), ("pluginName", 101), ("pluginDeveloper", 102)]
)
def test_sign_in_needs_all_fields(client: Client, missing: str, number: int) -> None:
    data = {**PLUGIN, "authenticationToken": "x"}
    assert client.error("AuthenticationRequest", {k: v for k, v in data.items() if k != missing}) == number


def test_a_token_belongs_to_the_plugin_that_asked(client: Client) -> None:
    token = client.ask("AuthenticationTokenRequest", PLUGIN)["data"]["authenticationToken"]
    other = {**PLUGIN, "pluginName": "Other", "authenticationToken": token}
    assert client.ask("AuthenticationRequest", other)["data"]["authenticated"] is False
    assert client.error("HotkeysInCurrentModelRequest") == 8


def test_the_person_says_no_and_takes_a_yes_back(studio: FakeVTubeStudio, client: Client) -> None:
    studio.allow = False
    assert client.error("AuthenticationTokenRequest", PLUGIN) == 50
    studio.allow = True
    client.sign_in()
    studio.revoke()
    assert client.error("HotkeysInCurrentModelRequest") == 50


def test_only_one_question_at_a_time(studio: FakeVTubeStudio, client: Client) -> None:
    studio.allow = None
    with connect(f"ws://127.0.0.1:{studio.port}", proxy=None) as connection:
        connection.send(json.dumps({"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "data": PLUGIN}
                                   | {"messageType": "AuthenticationTokenRequest"}))  # fmt: skip
        while not studio.popups:
            pass
        assert client.error("AuthenticationTokenRequest", PLUGIN) == 51
        studio.click(True)
        assert Client(connection).hear()["messageType"] == "AuthenticationTokenResponse"


def test_a_closed_api_answers_only_its_state(studio: FakeVTubeStudio, plugin: Client) -> None:
    studio.api_on = False
    assert plugin.ask("APIStateRequest")["data"]["active"] is False
    assert plugin.error("HotkeysInCurrentModelRequest") == 1


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"parameterName": "abc"}, 350),
        ({"parameterName": "a" * 33}, 350),
        ({"parameterName": "two words"}, 350),
        ({"min": -1e6 - 1}, 351),
        ({"max": "1"}, 351),
        ({"defaultValue": None}, 351),
        ({"explanation": "x" * 256}, 353),
        ({"parameterName": "MouthX"}, 354),
        ({"parameterName": "a" * 32, "explanation": "x" * 255}, None),
    ],
)
def test_new_parameters_are_checked(plugin: Client, change: dict[str, object], number: int | None) -> None:
    assert plugin.error("ParameterCreationRequest", CREATION | change) == number


def test_a_parameter_belongs_to_its_maker(studio: FakeVTubeStudio, plugin: Client) -> None:
    assert plugin.ask("ParameterCreationRequest", CREATION)["data"] == {"parameterName": "Wave"}
    assert plugin.error("ParameterCreationRequest", CREATION | {"max": 2}) is None
    plugin.sign_in("Other plugin")
    assert plugin.error("ParameterCreationRequest", CREATION) == 352
    for name, number in (("", 400), ("Nothing", 401), ("Wave", 402), ("MouthX", 403)):
        assert plugin.error("ParameterDeletionRequest", {"parameterName": name}) == number
    plugin.sign_in()
    listed = plugin.ask("InputParameterListRequest")["data"]["customParameters"]
    assert [(one["name"], one["max"], one["addedBy"]) for one in listed] == [("Wave", 2, "Plugin")]
    assert plugin.error("ParameterDeletionRequest", {"parameterName": "Wave"}) is None
    assert plugin.error("ParameterValueRequest", {"name": "Wave"}) == 500


def test_a_plugin_may_have_100_parameters_and_all_together_300(plugin: Client) -> None:
    for number in range(3):
        plugin.sign_in(f"Plugin {number}")
        for index in range(100):
            name = f"Param{number}x{index}"
            assert plugin.error("ParameterCreationRequest", CREATION | {"parameterName": name}) is None
        assert plugin.error("ParameterCreationRequest", CREATION) == 355
    plugin.sign_in("Plugin 3")
    assert plugin.error("ParameterCreationRequest", CREATION) == 356


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (inject(), 450),
        ({}, 450),
        (inject({"id": "MouthOpen", "value": 1e6 + 1}), 451),
        (inject({"id": "MouthOpen", "value": "1"}), 451),
        (inject({"id": "MouthOpen", "value": True}), 451),
        (inject({"id": "MouthOpen"}), 451),
        (inject({"id": "MouthOpen", "value": 1, "weight": 1.1}), 452),
        (inject({"id": "ParamAngleX", "value": 1}), 453),
        (inject({"id": "MouthOpen", "value": 1}, {"id": "Nothing", "value": 1}), 453),
        (inject({"id": "MouthOpen", "value": 1}, mode="replace"), 455),
        (inject({"id": "MouthOpen", "value": -1e6}), None),
    ],
)
def test_values_are_checked_and_all_set_or_none(
    studio: FakeVTubeStudio, plugin: Client, data: dict[str, object], number: int | None
) -> None:
    assert plugin.error("InjectParameterDataRequest", data) == number
    assert (studio.value("MouthOpen") != 0) is (number is None)


def test_values_are_lost_after_a_second_and_have_one_owner(
    studio: FakeVTubeStudio, plugin: Client, clock: ManualClock
) -> None:
    kind, data = "InjectParameterDataRequest", inject({"id": "MouthOpen", "value": 0.8, "weight": 0.5})
    assert plugin.error(kind, data | {"faceFound": True}) is None
    assert (studio.value("MouthOpen"), studio.parameters.face_found) == (0.4, True)
    plugin.sign_in("Other plugin")
    clock.sleep_s(0.9)
    assert plugin.error(kind, data) == 454
    assert plugin.error(kind, data | {"mode": "add"}) is None
    assert studio.value("MouthOpen") == pytest.approx(1.2)
    clock.sleep_s(0.2)
    assert studio.value("MouthOpen") == pytest.approx(0.8)
    assert plugin.error(kind, data) is None


def test_a_hotkey_works_once_in_five_frames_and_32_may_wait(
    studio: FakeVTubeStudio, plugin: Client, clock: ManualClock
) -> None:
    hotkeys = tuple(Hotkey(f"key {index}", "TriggerAnimation") for index in range(40))
    studio.load_model("Akari", (*hotkeys, Hotkey("Broken", file="lost.exp3.json")), ())
    errors = [plugin.error("HotkeyTriggerRequest", {"hotkeyID": key.id}) for key in hotkeys]
    assert errors == [None] * 33 + [200] * 7
    assert plugin.error("HotkeyTriggerRequest", {"hotkeyID": "KEY 0"}) == 203
    clock.sleep_s(3)
    assert plugin.error("HotkeyTriggerRequest", {"hotkeyID": "KEY 0"}) is None
    assert studio.model.executed == [key.name for key in hotkeys[:33]] + ["key 0"]
    assert plugin.error("HotkeyTriggerRequest", {"hotkeyID": "Broken"}) == 204
    assert plugin.error("HotkeyTriggerRequest", {"hotkeyID": "Nothing"}) == 202


def test_expressions_and_their_errors(studio: FakeVTubeStudio, plugin: Client) -> None:
    for kind, name, missing in (("Activation", 650, 651), ("State", 600, 601)):
        assert plugin.error(f"Expression{kind}Request", {"expressionFile": "sad"}) == name
        assert plugin.error(f"Expression{kind}Request", {"expressionFile": "x.exp3.json"}) == missing
    assert (
        plugin.error("ExpressionActivationRequest", {"expressionFile": "sad.exp3.json", "active": True})
        is None
    )
    states = plugin.ask("ExpressionStateRequest")["data"]["expressions"]
    assert [(one["name"], one["active"]) for one in states] == [("smile", False), ("sad", True)]
    studio.load_model("")
    assert plugin.error("ExpressionActivationRequest", {"expressionFile": "sad.exp3.json"}) == 652
    assert plugin.error("HotkeyTriggerRequest", {"hotkeyID": "Happy"}) == 201


def test_events_go_to_subscribers_only(studio: FakeVTubeStudio, plugin: Client) -> None:
    def subscribe(name: str, **config: object) -> int | None:
        return plugin.error(
            "EventSubscriptionRequest", {"eventName": name, "subscribe": True, "config": config}
        )

    assert subscribe("NoEvent") == 950
    assert subscribe("TestEvent", testMessageForEvent="x" * 33) == 100000
    assert subscribe("ModelLoadedEvent", modelID=["short"]) == 100050
    studio.load_model("Unheard")
    assert subscribe("ModelLoadedEvent", modelID=["0af" * 10 + "00"]) is None
    studio.load_model("Heard")
    event = plugin.hear()
    assert (event["messageType"], event["data"]["modelName"]) == ("ModelLoadedEvent", "Heard")


def test_pyvts_signs_in_makes_a_parameter_moves_it_and_triggers_a_hotkey(
    studio: FakeVTubeStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pyvts = pytest.importorskip("pyvts")

    async def use() -> None:
        info = {"plugin_name": "pyvts test", "developer": "pyvts", "plugin_icon": None}
        plugin = pyvts.vts(
            plugin_info=info | {"authentication_token_path": str(tmp_path / "token.txt")},
            vts_api_info={"version": "1.0", "name": "VTubeStudioPublicAPI", "port": studio.port}
            | {"host": "127.0.0.1"},
        )
        await plugin.connect()
        await plugin.request_authenticate_token()
        assert await plugin.request_authenticate() is True
        make = plugin.vts_request
        for request, kind in (
            (make.requestCustomParameter("PyvtsWave", 0, 10, 5), "ParameterCreationResponse"),
            (make.requestSetParameterValue("PyvtsWave", 7.5, face_found=True), "InjectParameterDataResponse"),
            (make.requestHotKeyList(), "HotkeysInCurrentModelResponse"),
            (make.requestTriggerHotKey("Happy"), "HotkeyTriggerResponse"),
            (make.requestSetParameterValue("ParamAngleX", 1), "APIError"),
        ):
            assert (await plugin.request(request))["messageType"] == kind
        assert (await plugin.request(make.requestParameterValue("PyvtsWave")))["data"]["value"] == 7.5
        await plugin.close()

    asyncio.run(use())
    assert studio.model.active == {"smile.exp3.json"}
    assert studio.popups == 1
