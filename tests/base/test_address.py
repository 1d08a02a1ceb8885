from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.base.address import Address
from visavis.errors import InputError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("vmc://localhost:39539", ("vmc", "localhost", 39539, "", {})),
        ("VTS://", ("vts", None, None, "", {})),
        ("livelink://10.0.0.5/Anna", ("livelink", "10.0.0.5", None, "Anna", {})),
        ("livelink://:11111/Anna%20B/c", ("livelink", None, 11111, "Anna B/c", {})),
        ("osf://[::1]:11573", ("osf", "::1", 11573, "", {})),
        ("osf://[fe80::1%25eth0]", ("osf", "fe80::1%eth0", None, "", {})),
        ("vmc://Desk?a=1&b=x%26y", ("vmc", "desk", None, "", {"a": "1", "b": "x&y"})),
        ("vmc://desk?a=", ("vmc", "desk", None, "", {"a": ""})),
        ("vmc://desk?a=b@c", ("vmc", "desk", None, "", {"a": "b@c"})),
    ],
)
def test_the_parts(text: str, parts: tuple[object, ...]) -> None:
    address = Address.parse(text)
    assert (address.scheme, address.host, address.port, address.name, dict(address.options)) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no address"),
        ("localhost:39539", "is no address; expected one such as"),
        ("://localhost", "is no address"),
        ("v mc://localhost", "is no address"),
        ("vmc://localhost:70000", "Port out of range"),
        ("vmc://localhost:-1", "is no address"),
        ("vmc://localhost:abc", "is no address"),
        ("vmc://localhost:0", "port 0 cannot be reached; expected 1 to 65535"),
        ("vmc://[::1", "is no address"),
        ("vmc://::1", "is no address"),
        ("vmc://user:secret@localhost", "has no user and no password"),
        ("vmc://user:secret@localhost:70000/a", "has no user and no password"),
        ("vmc://localhost#part", "expected only scheme://host:port"),
        ("vmc://localhost?a", "is no address"),
        ("vmc://localhost?a=1&a=2", "names an option twice"),
        ("vmc://local host:39539", "holds no spaces"),
        ("vmc://local%20host", "holds no spaces"),
        ("vmc://host/na%0Ame", "control character"),
        ("vmc://host?na%0Ame=1", "control character"),
        (" vmc://localhost", "is no address"),
        ("vmc://localhost\n:39539", "control character"),
        ("vmc://local\x00host", "control character"),
    ],
)
def test_hostile_addresses_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Address.parse(text)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_crashes(text: str) -> None:
    for each in (text, f"vmc://{text}", f"vmc://localhost:{text}", f"vmc://localhost/{text}"):
        try:
            address = Address.parse(each)
        except InputError:
            continue
        assert address.port is None or 1 <= address.port <= 65535
        assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    "vmc://localhost:39539 vts:// osf://[::1]:11573 livelink://host/Anna%20B vmc://h?a=x%26y&b=%3D".split(),
)
def test_the_text_of_an_address_is_the_address(text: str) -> None:
    address = Address.parse(text)
    assert Address.parse(str(address)) == address


def test_the_endpoint_fills_in_what_is_missing() -> None:
    assert Address.parse("vmc://").endpoint(39539) == ("127.0.0.1", 39539)
    assert Address.parse("vmc://desk:1").endpoint(39539) == ("desk", 1)
    assert Address.parse("vmc://").endpoint(39539, "0.0.0.0") == ("0.0.0.0", 39539)  # noqa: S104


def test_only_known_options_and_expected_names_pass() -> None:
    Address.parse("vmc://h?a=1").require("a", "b")
    Address.parse("vmc://h/name").require(name=True)
    with pytest.raises(InputError, match="no option c; known: a, b"):
        Address.parse("vmc://h?a=1&c=2").require("a", "b")
    with pytest.raises(InputError, match="no option c; it has no options"):
        Address.parse("vmc://h?c=2").require()
    with pytest.raises(InputError, match="'name' means nothing here"):
        Address.parse("vmc://h/name").require()
