"""The front's settings are checked, and its addresses are the true ones."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from visavis.errors import InputError
from visavis.serve import front
from visavis.serve.front import (
    TOKEN,
    Front,
    choose_token,
    host_names,
    is_private,
    make_token,
    own_addresses,
    urls,
)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"token": "short"}, "5 characters; expected 16 to 128"),
        (
            {"token": "h\u00e9llo" * 4},
            "20 characters, some of another kind; expected 16 to 128: letters without accents",
        ),
        ({"token": "with a blank and long enough"}, "16 to 128: letters without accents, digits"),
        ({"tls_cert": Path("cert.pem")}, "both --tls-cert and --tls-key"),
        ({"proxies": ("faces.example",)}, "--proxy faces.example"),
    ],
)
def test_bad_settings_are_one_clear_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Front(**options)
    assert "\n" not in str(caught.value)


BAD_CERT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BAD_KEY = BAD_CERT.replace("CERTIFICATE", "PRIVATE KEY")


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        (None, None, r"^--tls-cert .*cert\.pem: cannot be read: No such file"),
        ("nothing", None, r"^--tls-cert .*cert\.pem: holds no certificate in PEM format"),
        (BAD_CERT, None, r"^--tls-key .*key\.pem: cannot be read: No such file"),
        (BAD_CERT, "nothing", r"^--tls-key .*key\.pem: holds no private key in PEM format"),
        (BAD_CERT, BAD_KEY, r"cert\.pem and --tls-key .*key\.pem: one of them is damaged"),
    ],
)
def test_a_certificate_that_is_none_is_named(
    cert: str | None, key: str | None, says: str, tmp_path: Path
) -> None:
    paths = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    for path, text in zip(paths.values(), (cert, key), strict=True):
        if text is not None:
            path.write_text(text)
    with pytest.raises(InputError, match=says):
        Front(**paths).tls()


def test_tokens_are_made_and_read(tmp_path: Path) -> None:
    assert TOKEN.fullmatch(make_token())
    assert make_token() != make_token()
    for saved in (b"a-token-in-a-file\n", b"\xef\xbb\xbfa-token-in-a-file\r\n"):  # The second is Notepad's.
        (tmp_path / "token").write_bytes(saved)
        assert Front(choose_token(None, tmp_path / "token", no_token=False)).token == "a-token-in-a-file"  # noqa: S105
    with pytest.raises(InputError, match="the token cannot be read"):
        choose_token(None, tmp_path / "absent", no_token=False)


NAMED = {"VISAVIS_TOKEN": "a-token-of-the-environment"}


@pytest.mark.parametrize(
    ("token", "file", "no_token", "environment", "found"),
    [
        (None, None, False, {}, None),
        (None, None, True, {}, None),
        (None, None, False, NAMED, NAMED["VISAVIS_TOKEN"]),
        ("an-option", None, False, NAMED, "an-option"),
        (None, "in-a-file", False, NAMED, "in-a-file"),
    ],
)
def test_the_command_line_comes_before_the_environment(
    token: str | None,
    file: str | None,
    no_token: bool,
    environment: dict[str, str],
    found: str | None,
    tmp_path: Path,
) -> None:
    path = tmp_path / "token.txt"
    path.write_text(file or "")
    assert choose_token(token, path if file else None, no_token=no_token, environment=environment) == found


@pytest.mark.parametrize(
    ("token", "file", "no_token", "environment", "says"),
    [
        ("an-option", "in-a-file", False, {}, "--token and --token-file exclude"),
        ("an-option", None, True, {}, "--token and --no-token exclude"),
        (None, "in-a-file", True, {}, "--token-file and --no-token exclude"),
        (None, None, True, NAMED, "VISAVIS_TOKEN and --no-token exclude"),
        (None, None, False, {"VISAVIS_TOKEN": ""}, "VISAVIS_TOKEN: the token is empty"),
        ("", None, False, {}, "--token: the token is empty"),
        (None, "\n", False, {}, "token.txt: the token is empty"),
    ],
)
def test_several_tokens_and_empty_ones_are_refused(
    token: str | None,
    file: str | None,
    no_token: bool,
    environment: dict[str, str],
    says: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "token.txt"
    path.write_text(file or "")
    with pytest.raises(InputError, match=says):
        choose_token(token, path if file else None, no_token=no_token, environment=environment)


@pytest.mark.parametrize(
    ("host", "names", "proxies", "private"),
    [
        ("127.0.0.1", (), (), True),
        ("localhost", (), (), True),
        ("::1", (), (), True),
        ("0.0.0.0", (), (), False),  # noqa: S104
        ("192.168.1.7", (), (), False),
        ("127.0.0.1", ("faces.example",), (), False),
        ("127.0.0.1", (), ("127.0.0.1",), False),
    ],
)
def test_a_server_is_private_if_only_this_computer_reaches_it(
    host: str, names: tuple[str, ...], proxies: tuple[str, ...], private: bool
) -> None:
    assert is_private(host, names, Front(proxies=proxies)) is private


def test_addresses_are_those_that_others_can_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("0.0.0.0", "::"):  # noqa: S104
        assert all(not ipaddress.ip_address(one).is_loopback for one in own_addresses(host))
    monkeypatch.setattr(front, "own_addresses", lambda host: ["192.0.2.7", "2001:db8::7"])
    found = urls("0.0.0.0", 80)  # noqa: S104
    assert found == ["http://192.0.2.7:80/", "http://[2001:db8::7]:80/", "http://localhost:80/"]
    assert urls("::1", 81, secure=True) == ["https://[::1]:81/"]


@pytest.mark.parametrize(
    "name", ["", "https://faces.example", "faces.example:443", "*.example", "fäces.example"]
)
def test_a_name_that_no_request_holds_is_refused(name: str) -> None:
    assert host_names(["faces.example", "192.0.2.1"]) == ("faces.example", "192.0.2.1")
    with pytest.raises(InputError, match="expected a plain name"):
        host_names(["faces.example", name])
