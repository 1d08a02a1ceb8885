"""The profile of one person, kept as JSON: neutral face, head, shut lids, reach of movements."""

from __future__ import annotations

import os
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from visavis.avatar.calibration import WEIGHTS_AT_REST
from visavis.avatar.reach import MOVEMENTS
from visavis.base.files import PathText, as_path, write_json
from visavis.base.reading import json_type, parse_json, read_start
from visavis.channels import FACE_MEASURES
from visavis.errors import InputError

VERSION = 1
MINE = "me"
MAX_BYTES = 1 << 16
HEAD = ("yaw", "pitch", "roll", "x")
SHUT = ("eyeBlinkLeft", "eyeBlinkRight", "lidLeft", "lidRight")
# Largest difference between a measure at rest and the usual one, in reaches of the measure.
FARTHEST = 4.0
ANYWHERE = {"yaw": (-60.0, 60.0), "pitch": (-60.0, 60.0), "roll": (-60.0, 60.0), "x": (-200.0, 200.0)}
BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    "weights": dict.fromkeys(WEIGHTS_AT_REST, (-1.0, 1.0)),
    "measures": {
        name: (usual - FARTHEST * reach, usual + FARTHEST * reach)
        for name, (usual, reach) in FACE_MEASURES.items()
    },
    "head": ANYWHERE,
    "shut": dict.fromkeys(SHUT[:2], (0.0, 1.0)) | dict.fromkeys(SHUT[2:], (0.0, 0.7)),
    "reach": dict.fromkeys(MOVEMENTS, (0.1, 4.0)),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's neutral face and range of movement.

    Attributes:
        weights: blendshape weights at rest, and ``gazeX``, by the names of
            :data:`~visavis.avatar.calibration.WEIGHTS_AT_REST`; -1..1.
        measures: measures of the neutral face, with names and units of
            :data:`~visavis.channels.FACE_MEASURES`, minus the part that weights explain; empty if the tracker
            gives none.
        head: pose of a head that faces the screen: ``yaw``, ``pitch``, ``roll`` in degrees, ``x`` in cm.
        shut: values of closed eyes: ``eyeBlinkLeft`` and ``eyeBlinkRight`` as weights, 0..1, ``lidLeft`` and
            ``lidRight`` as shares of the open lids' gap, 0..0.7.
        reach: how far the person moves the avatar without gains, 0.1..4; see
            :func:`~visavis.avatar.reach.movements`.

    Raises:
        InputError: a name is missing or unknown, or a value is not a number or out of bounds.
    """

    weights: Mapping[str, float]
    measures: Mapping[str, float]
    head: Mapping[str, float]
    shut: Mapping[str, float]
    reach: Mapping[str, float]

    def __post_init__(self) -> None:
        for part, bounds in BOUNDS.items():
            values = getattr(self, part)
            if part != "measures" or values != {}:
                _check(part, values, bounds)

    @classmethod
    def within(cls, *parts: Mapping[str, float]) -> Self:
        """A profile of these parts, in the order of the attributes, each value brought within its bounds."""
        return cls(
            *(
                {name: min(max(value, bounds[name][0]), bounds[name][1]) for name, value in part.items()}
                for part, bounds in zip(parts, BOUNDS.values(), strict=True)
            )
        )

    @classmethod
    def load(cls, path: PathText) -> Self:
        """Read a file that :meth:`save` wrote.

        Raises:
            InputError: the file is missing or unreadable, of another version, or has invalid content.
        """
        path = as_path(path)
        data = read_start(path, MAX_BYTES, "a profile that is there, or me")
        if not data:
            raise InputError(f"{path}: is empty; name a profile")
        if len(data) > MAX_BYTES:
            raise InputError(f"{path}: no profile has more than {MAX_BYTES} bytes; name a profile")
        try:
            found = parse_json(data)
        except ValueError as error:
            raise InputError(f"{path}: is no JSON: {error}; name a profile") from error
        if not isinstance(found, dict):
            raise InputError(
                f"{path}: is no profile: expected an object; found {json_type(found)}; name a profile"
            )
        if "version" not in found:
            raise InputError(f"{path}: is no profile: it has no version; name a profile")
        try:
            return cls._of(found)
        except InputError as error:
            again = "calibrate again on the page of  visavis serve"
            raise InputError(f"{path}: {error}; {again}") from error

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Self:
        version = found.get("version")
        if type(version) is not int or version != VERSION:  # True and 1.0 equal 1 too.
            raise InputError(f"a profile of version {reprlib.repr(version)}; expected {VERSION}")
        if found.keys() != {"version", *BOUNDS}:
            names = ", ".join(sorted(found))[:99]
            raise InputError(f"has {names}; expected version, {', '.join(BOUNDS)}")
        return cls(**{part: found[part] for part in BOUNDS})

    def save(self, path: PathText) -> None:
        """Write a JSON file that only the person may read; a missing folder is created.

        Raises:
            InputError: it cannot be written.
        """
        write_json(path, {"version": VERSION, **asdict(self)}, private=True)


def _check(part: str, values: Any, bounds: Mapping[str, tuple[float, float]]) -> None:
    if not isinstance(values, Mapping) or values.keys() != bounds.keys():
        found = ", ".join(map(str, values))[:80] if isinstance(values, Mapping) else reprlib.repr(values)
        raise InputError(f"{part} of a profile: {found or 'nothing'}; expected {', '.join(bounds)}")
    for name, (low, high) in bounds.items():
        value = values[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and low <= value <= high):
            raise InputError(
                f"{part}.{name} of a profile is {reprlib.repr(value)}; expected {low:.3g} to {high:.3g}"
            )


def config_folder(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """The folder of this person's settings: ``VISAVIS_CONFIG``, or the system's usual folder.

    Args:
        environment: environment variables.
        system: as ``sys.platform`` names it.
    """
    if named := environment.get("VISAVIS_CONFIG"):
        return Path(named)
    if system == "win32":
        return Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "visavis"
    if system == "darwin":
        return Path.home() / "Library" / "Application Support" / "visavis"
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "visavis"


def my_profile() -> Path:
    """The file of this person's remembered profile."""
    return config_folder() / "profile.json"


def named_profile(name: Profile | PathText | None) -> Profile | None:
    """The profile of a file, or for ``me`` the remembered one; None and a profile are themselves.

    Raises:
        InputError: see :meth:`Profile.load`; or the name is empty, or no profile is remembered.
    """
    if name is None or isinstance(name, Profile):
        return name
    if not isinstance(name, str | os.PathLike) or not os.fspath(name).strip():
        raise InputError(
            f"a profile of {name!r}; name a profile's JSON file, or {MINE} for the remembered one"
        )
    if name != MINE:
        return Profile.load(Path(name))
    path = my_profile()
    if not path.exists():
        raise InputError(
            f"the profile {MINE}: nothing has been remembered yet ({path} is not there); calibrate on the "
            "page of  visavis serve  and press Remember me, see docs/how-to/calibrate.md"
        )
    return Profile.load(path)
