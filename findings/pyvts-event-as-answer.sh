#!/usr/bin/env bash
# pyvts takes an event for the answer to a request, and then every later answer belongs to the request before it.
#
# Versions:  pyvts 0.3.3, websockets 13.1; Python 3.9 to 3.12.
# Behaviour: a plugin subscribes to an event, as pyvts offers. The event comes between a request and its answer,
#            as VTube Studio may send it at any time. The request returns the event. From then on each request
#            returns the answer to the request before: a hotkey's trigger returns the value of a parameter, and
#            so on until the end of the session.
# Source:    pyvts/vts.py, request(): it returns the next message, and does not compare its requestID, which is
#            "SomeID" in all requests. https://github.com/DenchiSoft/VTubeStudio/tree/master/Events
# For users: with events, compare messageType and requestID yourself, or use another client.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyvts==0.3.3 websockets==13.1
failed() { echo "FAILED, the behaviour has changed or could not be tried: $(tail -n 1 "$folder/messages")"; exit 1; }
"$folder/venv/bin/python" - 2>"$folder/messages" <<'PYTHON' || failed
import asyncio
import json

import pyvts
import websockets


async def answer(connection):
    """Answer each request as documented; a subscriber gets one event before the answer to ParameterValueRequest."""
    async for text in connection:
        request = json.loads(text)
        kind = request["messageType"]
        messages = [(kind.replace("Request", "Response"), request["requestID"])]
        if kind == "ParameterValueRequest":
            messages.insert(0, ("TestEvent", "an id of the event's own"))
        for kind, request_id in messages:
            envelope = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "timestamp": 1625405710728}
            message = {**envelope, "messageType": kind, "requestID": request_id, "data": {}}
            await connection.send(json.dumps(message))


async def main():
    async with websockets.serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        info = {"version": "1.0", "name": "VTubeStudioPublicAPI", "port": port, "host": "127.0.0.1"}
        plugin = pyvts.vts(vts_api_info=info)
        await plugin.connect()
        make = plugin.vts_request
        got = []
        for request in (
            make.eventSubscriptionTest("hello"),
            make.requestParameterValue("MouthOpen"),
            make.requestTriggerHotKey("Happy"),
            make.requestHotKeyList(),
        ):
            got.append((request["messageType"], (await plugin.request(request))["messageType"]))
            print("%-28s got %s" % got[-1])
        await plugin.close()
    assert got == [
        ("EventSubscriptionRequest", "EventSubscriptionResponse"),
        ("ParameterValueRequest", "TestEvent"),
        ("HotkeyTriggerRequest", "ParameterValueResponse"),
        ("HotkeysInCurrentModelRequest", "HotkeyTriggerResponse"),
    ], got


asyncio.run(main())
PYTHON
