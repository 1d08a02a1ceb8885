"""What each error number of VTube Studio means, in one line for a streamer.

https://github.com/DenchiSoft/VTubeStudio/blob/master/Files/ErrorID.cs lists the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from visavis.errors import VisavisError

API_OFF = 1
NOT_AUTHENTICATED = 8
DENIED = 50
ALREADY_ASKING = 51
HOTKEY_COOLDOWN = 203
UNKNOWN_PARAMETER = 453

REPORT = "this is a fault of visavis, please report it"
# visavis never sends these requests, so that their errors should not occur: last number -> what was refused.
NEVER_SENT = {
    range(150, 155): "loading a model",
    range(250, 253): "coloring the model",
    range(300, 303): "moving the model",
    range(400, 404): "deleting a parameter",
    range(550, 552): "the NDI settings",
    range(700, 707): "the physics settings",
    range(750, 761): "loading an item",
    range(800, 801): "unloading an item",
    range(850, 855): "animating an item",
    range(900, 904): "moving an item",
    range(1000, 1004): "selecting a part of the model",
    range(1050, 1055): "pinning an item",
    range(1100, 1103): "asking for a further permission",
    range(1150, 1151): "the list of effects",
    range(1200, 1207): "changing an effect",
    range(1250, 1256): "sorting an item",
    range(100100, 100101): "an event that visavis does not use",
    range(100150, 100152): "an event that visavis does not use",
    range(100200, 100202): "an event that visavis does not use",
}
MESSAGES: Mapping[int, str] = MappingProxyType(
    {number: f"it refused {what}; {REPORT}" for numbers, what in NEVER_SENT.items() for number in numbers}
    | {
        0: "it had a problem of its own; restart it",
        API_OFF: "plugins are switched off there; switch on Allow Plugin API access in its settings",
        2: f"it could not read a message; {REPORT}",
        3: "another program answers; check the port in its settings and in the address",
        4: "it speaks another version of the API; update visavis and VTube Studio",
        5: f"it did not accept the number of a message; {REPORT}",
        6: f"it got a message without a type; {REPORT}",
        7: "it does not know this message; update VTube Studio",
        NOT_AUTHENTICATED: "visavis is not signed in; it signs in again by itself",
        9: "visavis lacks a permission; look at the plugins in its settings",
        DENIED: "visavis may not connect; allow it under plugins in its settings, then start visavis again",
        ALREADY_ASKING: "it already asks whether a plugin may connect; click Allow there",
        52: f"it did not accept the plugin's name; {REPORT}",
        53: f"it did not accept the developer's name; {REPORT}",
        54: f"it did not accept the plugin's icon; {REPORT}",
        100: f"the token was missing at sign-in; {REPORT}",
        101: f"the plugin's name was missing at sign-in; {REPORT}",
        102: f"the developer's name was missing at sign-in; {REPORT}",
        200: "32 hotkeys wait already; another plugin triggers too many",
        201: "no model is loaded, so no hotkey works; load one",
        202: "the model no longer has this hotkey; look at its hotkeys",
        HOTKEY_COOLDOWN: "the hotkey was triggered a moment ago; visavis tries again",
        204: "the hotkey is broken, perhaps its file is missing; set it again",
        205: "a window is open there, so hotkeys do not work; close the window",
        206: "the hotkey did not work; try it by hand there",
        207: "the hotkey belongs to an item that is not loaded; load the item",
        208: "items do not support this kind of hotkey; use a hotkey of the model",
        350: "a parameter's name must be 4 to 32 letters and digits; rename it in the retarget file",
        351: "a parameter's range must lie within 1,000,000; change it in the retarget file",
        352: "another plugin has made a parameter of the same name; remove that plugin's parameters there",
        353: f"a parameter's explanation is too long; {REPORT}",
        354: "a new parameter has the name of one of its own; rename it in the retarget file",
        355: "visavis has 100 parameters there, and may have no more; remove old ones under plugins",
        356: "all plugins together have 300 parameters, and may have no more; remove unused ones",
        450: f"it got no values; {REPORT}",
        451: f"it got a value that it does not accept; {REPORT}",
        452: f"it got a weight outside 0 to 1; {REPORT}",
        UNKNOWN_PARAMETER: "a parameter is gone there; visavis looks which ones are left",
        454: "another plugin moves the face already; close that plugin",
        455: f"it does not know the mode of the values; {REPORT}",
        500: f"it does not know a parameter; {REPORT}",
        600: "the name of an expression's file must end in .exp3.json; correct the address",
        601: "the model does not have this expression; look at its expressions",
        650: "the name of an expression's file must end in .exp3.json; correct the address",
        651: "the model does not have this expression; look at its expressions",
        652: "no model is loaded, so no expression works; load one",
        950: "it does not know an event; update VTube Studio",
        100000: f"the text of the test event is too long; {REPORT}",
        100050: f"it did not accept a model's id; {REPORT}",
    }
)


class VTubeStudioError(VisavisError):
    """VTube Studio answered with an error.

    Attributes:
        number: the error's number.
    """

    def __init__(self, number: int, told: str = "") -> None:
        known = MESSAGES.get(number) or f"it says {told[:120]!r}; update visavis"
        super().__init__(f"VTube Studio: {known} (error {number})")
        self.number = number
